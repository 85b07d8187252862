const INITIAL_BYTES = 256;
const VARINT = 0;
const LENGTH_DELIMITED = 2;
const LOW_WORD = 2 ** 32;

/**
 * Writes a protobuf message from its end to its beginning: when the length of a nested message has to be written its
 * content is already there, so everything is written once, into its final place. Fields are given in reverse order.
 *
 * Source: https://protobuf.dev/programming-guides/encoding/.
 */
export class ProtoWriter {
  #buffer: Buffer;
  /** Everything from here on is written. */
  #start: number;

  constructor(expectedBytes = INITIAL_BYTES) {
    this.#buffer = Buffer.allocUnsafe(expectedBytes);
    this.#start = expectedBytes;
  }

  finish(): Buffer {
    return this.#buffer.subarray(this.#start);
  }

  bytes(field: number, value: Uint8Array): void {
    this.#reserve(value.length);
    this.#start -= value.length;
    this.#buffer.set(value, this.#start);
    this.#lengthDelimited(field, value.length);
  }

  string(field: number, value: string): void {
    const length = Buffer.byteLength(value, 'utf8');
    this.#reserve(length);
    this.#start -= length;
    this.#buffer.write(value, this.#start, 'utf8');
    this.#lengthDelimited(field, length);
  }

  /** A non-negative safe integer. 0 is the default and takes no bytes. */
  int(field: number, value: number): void {
    if (value !== 0) this.intEvenIfZero(field, value);
  }

  /** For a member of a oneof, where 0 says which member it is. */
  intEvenIfZero(field: number, value: number): void {
    this.#varint(value);
    this.#varint((field << 3) | VARINT);
  }

  /** An int64 in decimal digits; '0' takes no bytes. */
  int64(field: number, digits: string): void {
    let rest = BigInt.asUintN(64, BigInt(digits));
    if (rest === 0n) return;
    const groups: number[] = [];
    for (; rest > 0x7fn; rest >>= 7n) groups.push(Number(rest & 0x7fn) | 0x80);
    groups.push(Number(rest));
    this.#reserve(groups.length);
    this.#start -= groups.length;
    this.#buffer.set(groups, this.#start);
    this.#varint((field << 3) | VARINT);
  }

  flag(field: number, value: boolean): void {
    if (value) this.int(field, 1);
  }

  message(field: number, content: () => void): void {
    const endBefore = this.#buffer.length - this.#start;
    content();
    this.#lengthDelimited(field, this.#buffer.length - this.#start - endBefore);
  }

  #lengthDelimited(field: number, length: number): void {
    this.#varint(length);
    this.#varint((field << 3) | LENGTH_DELIMITED);
  }

  #varint(value: number): void {
    let length = 1;
    for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 0x80)) length++;
    this.#reserve(length);
    this.#start -= length;
    let rest = value;
    for (let at = this.#start; at < this.#start + length - 1; at++) {
      this.#buffer[at] = ((rest % LOW_WORD) & 0x7f) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#start + length - 1] = rest;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#start) return;
    const written = this.#buffer.length - this.#start;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, written + bytes));
    this.#buffer.copy(larger, larger.length - written, this.#start);
    this.#start = larger.length - written;
    this.#buffer = larger;
  }
}
