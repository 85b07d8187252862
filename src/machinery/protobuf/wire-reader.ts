/** Reads protobuf within a window of a buffer. Every read is checked against the window's end. */

export const WireType = { varint: 0, fixed64: 1, length: 2, fixed32: 5 } as const;

/** The bytes are not protobuf, or not this message. */
export class ProtobufError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProtobufError';
  }
}

const truncated = (): ProtobufError => new ProtobufError('unexpected EOF');

export class WireReader {
  readonly #buffer: Buffer;
  at: number;
  readonly end: number;

  constructor(buffer: Buffer, start = 0, end = buffer.length) {
    this.#buffer = buffer;
    this.at = start;
    this.end = end;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  /** Unsigned; exact up to 2^53. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.at >= this.end) throw truncated();
      const byte = this.#buffer[this.at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw new ProtobufError('proto: integer overflow');
  }

  /** A signed 64-bit integer, as a number: exact up to 2^53. */
  signed(): number {
    const start = this.at;
    const value = this.varint();
    if (Number.isSafeInteger(value)) return value;
    this.at = start;
    return Number(this.signedBig());
  }

  signedBig(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.at >= this.end) throw truncated();
      const byte = this.#buffer[this.at++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
    throw new ProtobufError('proto: integer overflow');
  }

  double(): number {
    if (this.end - this.at < 8) throw truncated();
    this.at += 8;
    return this.#buffer.readDoubleLE(this.at - 8);
  }

  /** Reads a length and gives where that many bytes end; they start at `at`. */
  lengthEnd(): number {
    const length = this.varint();
    if (length > this.end - this.at) throw truncated();
    return this.at + length;
  }

  bytes(): Buffer {
    const end = this.lengthEnd();
    const bytes = this.#buffer.subarray(this.at, end);
    this.at = end;
    return bytes;
  }

  string(): string {
    const end = this.lengthEnd();
    const text = this.#buffer.toString('utf8', this.at, end);
    this.at = end;
    return text;
  }

  base64(): string {
    const end = this.lengthEnd();
    const text = this.#buffer.toString('base64', this.at, end);
    this.at = end;
    return text;
  }

  /** A reader of the message that follows; this one moves behind it. */
  message(): WireReader {
    const end = this.lengthEnd();
    const reader = new WireReader(this.#buffer, this.at, end);
    this.at = end;
    return reader;
  }

  skip(wireType: number): void {
    switch (wireType) {
      case WireType.varint:
        this.varint();
        return;
      case WireType.fixed64:
        this.#advance(8);
        return;
      case WireType.length:
        this.at = this.lengthEnd();
        return;
      case WireType.fixed32:
        this.#advance(4);
        return;
      default:
        throw new ProtobufError(`proto: illegal wireType ${wireType}`);
    }
  }

  #advance(bytes: number): void {
    if (this.end - this.at < bytes) throw truncated();
    this.at += bytes;
  }
}
