/** Reads protobuf within a window of a buffer. Every read is checked against the window's end. */

export const WireType = { varint: 0, fixed64: 1, length: 2, fixed32: 5 } as const;

/** The bytes are not protobuf, or not this message. */
export class ProtobufError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProtobufError';
  }
}

/** The largest int64 that a number holds. */
const INT64_MAX = 2 ** 63 - 1024;

const truncated = (): ProtobufError => new ProtobufError('unexpected EOF');

/** Texts up to this long are looked up among those read before: objects repeat theirs endlessly. */
const SHORT_TEXT = 32;
/** One place per hash; a text that falls on a taken place replaces what was there. */
const KNOWN_TEXTS = 4096;
const knownTexts: string[] = Array.from({ length: KNOWN_TEXTS }, () => '');

export class WireReader {
  readonly #buffer: Buffer;
  at: number;
  /** End of the message at hand; moved while a nested one is read (`enter`, `leave`). */
  #end: number;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
    this.at = 0;
    this.#end = buffer.length;
  }

  get done(): boolean {
    return this.at >= this.#end;
  }

  /** Reads a length and narrows the reader to that many bytes. Give what it returns to `leave`. */
  enter(): number {
    const outer = this.#end;
    this.#end = this.#lengthEnd();
    return outer;
  }

  leave(outer: number): void {
    this.at = this.#end;
    this.#end = outer;
  }

  /** Unsigned; exact up to 2^53. */
  varint(): number {
    const first = this.at < this.#end ? (this.#buffer[this.at] ?? 0) : 0x80;
    if (first < 0x80) {
      this.at++;
      return first;
    }
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.at >= this.#end) throw truncated();
      const byte = this.#buffer[this.at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw new ProtobufError('proto: integer overflow');
  }

  /** A signed 64-bit integer, as a number: exact up to 2^53, and never above what an int64 holds. */
  signed(): number {
    const start = this.at;
    const value = this.varint();
    if (Number.isSafeInteger(value)) return value;
    this.at = start;
    return Math.min(Number(this.signedBig()), INT64_MAX);
  }

  signedBig(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.at >= this.#end) throw truncated();
      const byte = this.#buffer[this.at++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
    throw new ProtobufError('proto: integer overflow');
  }

  double(): number {
    this.#advance(8);
    return this.#buffer.readDoubleLE(this.at - 8);
  }

  /** Reads a length and gives where that many bytes end. */
  #lengthEnd(): number {
    const length = this.varint();
    if (length > this.#end - this.at) throw truncated();
    return this.at + length;
  }

  /** A view, not a copy. */
  bytes(): Buffer {
    const end = this.#lengthEnd();
    const bytes = this.#buffer.subarray(this.at, end);
    this.at = end;
    return bytes;
  }

  string(): string {
    const end = this.#lengthEnd();
    const start = this.at;
    this.at = end;
    if (end - start <= SHORT_TEXT) return this.#shortText(start, end);
    return this.#buffer.toString('utf8', start, end);
  }

  #shortText(start: number, end: number): string {
    let hash = end - start;
    for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + (this.#buffer[i] ?? 0)) | 0;
    const place = (hash ^ (hash >>> 12)) & (KNOWN_TEXTS - 1);
    const known = knownTexts[place] ?? '';
    if (known.length === end - start && this.#isAsciiText(known, start)) return known;
    const text = this.#buffer.toString('utf8', start, end);
    knownTexts[place] = text;
    return text;
  }

  /** Only ASCII compares byte by byte; another text just is not found. */
  #isAsciiText(text: string, start: number): boolean {
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80 || code !== this.#buffer[start + i]) return false;
    }
    return true;
  }

  base64(): string {
    const end = this.#lengthEnd();
    const text = this.#buffer.toString('base64', this.at, end);
    this.at = end;
    return text;
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
        this.at = this.#lengthEnd();
        return;
      case WireType.fixed32:
        this.#advance(4);
        return;
      default:
        throw new ProtobufError(`proto: illegal wireType ${wireType}`);
    }
  }

  #advance(bytes: number): void {
    if (this.#end - this.at < bytes) throw truncated();
    this.at += bytes;
  }
}
