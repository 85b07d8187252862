/**
 * Writes protobuf from the back to the front: when a nested message is done, its length is known and goes in front
 * of it, so nothing is measured twice. Go's generated marshallers do the same.
 */

const INITIAL_BYTES = 64 * 1024;
/** Past this, a buffer that one huge object needed is given back. */
const KEPT_BYTES = 4 * 1024 * 1024;
/** Shorter texts are copied faster by hand. */
const SHORT_TEXT = 24;

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

export class WireWriter {
  #buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  /** First byte written; everything behind it is the message so far. */
  at = INITIAL_BYTES;

  reset(): void {
    if (this.#buffer.length > KEPT_BYTES) this.#buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
    this.at = this.#buffer.length;
  }

  /** A copy of what was written, in a buffer of its own. */
  finish(): Buffer {
    const out = Buffer.allocUnsafeSlow(this.#buffer.length - this.at);
    this.#buffer.copy(out, 0, this.at);
    return out;
  }

  #reserve(bytes: number): void {
    if (this.at >= bytes) return;
    const used = this.#buffer.length - this.at;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, used + bytes));
    this.#buffer.copy(grown, grown.length - used, this.at);
    this.#buffer = grown;
    this.at = grown.length - used;
  }

  /** How far from the end the writer stands; unlike `at` it holds when the buffer grows. */
  get written(): number {
    return this.#buffer.length - this.at;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#buffer[--this.at] = value;
  }

  /** A non-negative safe integer. */
  varint(value: number): void {
    if (value < 0x80) {
      this.byte(value);
      return;
    }
    this.#reserve(10);
    let size = 2;
    for (let rest = Math.floor(value / 0x4000); rest > 0; rest = Math.floor(rest / 0x80)) size++;
    this.at -= size;
    let rest = value;
    for (let i = 0; i < size - 1; i++) {
      this.#buffer[this.at + i] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.at + size - 1] = rest;
  }

  /** An int32 or int64; negative ones take ten bytes. What does not fit 64 bits is cut to the nearest that does. */
  signed(value: number): void {
    if (value >= 0 && Number.isSafeInteger(value)) {
      this.varint(value);
      return;
    }
    let big = BigInt(Math.trunc(value));
    if (big > INT64_MAX) big = INT64_MAX;
    if (big < INT64_MIN) big = INT64_MIN;
    this.#big(BigInt.asUintN(64, big));
  }

  /** A signed 64-bit integer. */
  signedBig(value: bigint): void {
    this.#big(BigInt.asUintN(64, value));
  }

  #big(value: bigint): void {
    const bytes: number[] = [];
    let rest = value;
    do {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      bytes.push(rest > 0n ? low | 0x80 : low);
    } while (rest > 0n);
    this.#reserve(bytes.length);
    for (let i = bytes.length - 1; i >= 0; i--) this.#buffer[--this.at] = bytes[i] ?? 0;
  }

  double(value: number): void {
    this.#reserve(8);
    this.at -= 8;
    this.#buffer.writeDoubleLE(value, this.at);
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.at -= bytes.length;
    this.#buffer.set(bytes, this.at);
  }

  /** Length and bytes. */
  bytes(bytes: Uint8Array): void {
    this.raw(bytes);
    this.varint(bytes.length);
  }

  /** Length and UTF-8. */
  string(text: string): void {
    const { length } = text;
    if (length <= SHORT_TEXT && this.#shortAscii(text, length)) return;
    const size = Buffer.byteLength(text);
    this.#reserve(size);
    this.at -= size;
    this.#buffer.write(text, this.at, size, 'utf8');
    this.varint(size);
  }

  #shortAscii(text: string, length: number): boolean {
    this.#reserve(length + 1);
    const start = this.at - length;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) return false;
      this.#buffer[start + i] = code;
    }
    this.#buffer[start - 1] = length;
    this.at = start - 1;
    return true;
  }
}
