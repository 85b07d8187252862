const LOW_WORD = 2 ** 32;

/**
 * Reads a protobuf message field by field:
 *
 *     const reader = new ProtoReader(buffer);
 *     for (let field = reader.next(); field > 0; field = reader.next()) {
 *       if (field === 3) revision = reader.int();
 *       else reader.skip();
 *     }
 */
export class ProtoReader {
  readonly #buffer: Buffer;
  readonly #end: number;
  #at: number;
  #wireType = 0;

  constructor(buffer: Buffer, start = 0, end = buffer.length) {
    this.#buffer = buffer;
    this.#at = start;
    this.#end = end;
  }

  /** Number of the next field; 0 at the end. */
  next(): number {
    if (this.#at >= this.#end) return 0;
    const tag = this.int();
    this.#wireType = tag & 7;
    return tag >>> 3;
  }

  /** A varint as a signed 64-bit number; exact for safe integers. */
  int(): number {
    const byte = this.#buffer[this.#at] ?? 0;
    if (byte < 0x80) {
      this.#at++;
      return byte;
    }
    const [high, low] = this.#words();
    return (high | 0) * LOW_WORD + low;
  }

  /** A varint as the decimal digits of a signed 64-bit number. */
  int64(): string {
    const [high, low] = this.#words();
    return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low)).toString();
  }

  flag(): boolean {
    return this.int() !== 0;
  }

  /** A view into the message, not a copy. */
  bytes(): Buffer {
    const length = this.int();
    const start = this.#at;
    this.#at = this.#checked(start + length);
    return this.#buffer.subarray(start, this.#at);
  }

  /** UTF-8 text without its first `skipBytes`. */
  string(skipBytes = 0): string {
    const length = this.int();
    const start = this.#at;
    this.#at = this.#checked(start + length);
    return this.#buffer.toString('utf8', start + skipBytes, this.#at);
  }

  message(): ProtoReader {
    const length = this.int();
    const start = this.#at;
    this.#at = this.#checked(start + length);
    return new ProtoReader(this.#buffer, start, this.#at);
  }

  skip(): void {
    if (this.#wireType === 0) this.#words();
    else if (this.#wireType === 1) this.#at = this.#checked(this.#at + 8);
    else if (this.#wireType === 2) this.message();
    else if (this.#wireType === 5) this.#at = this.#checked(this.#at + 4);
    else throw new RangeError(`protobuf wire type ${this.#wireType} is unknown`);
  }

  #words(): readonly [high: number, low: number] {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#buffer[this.#at++];
      if (byte === undefined) throw new RangeError('protobuf message ends inside a number');
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) break;
    }
    return [high >>> 0, low >>> 0];
  }

  #checked(end: number): number {
    if (end > this.#end) throw new RangeError('protobuf message ends inside a field');
    return end;
  }
}
