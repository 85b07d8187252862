/**
 * A protobuf message being written, field by field. Empty scalars are left out, as proto3 has it. Lengths are added
 * up while fields are added, so that the whole is written in one pass into one buffer.
 */
const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;

interface Output {
  readonly buffer: Buffer;
  offset: number;
}

export class Message {
  /** A number is a varint, a text its UTF-8 bytes; lengths and tags are parts of their own. */
  readonly #parts: (number | string | Buffer | Message)[] = [];
  #length = 0;

  text(field: number, value: string | undefined): this {
    return value === undefined || value === '' ? this : this.#text(field, value);
  }

  texts(field: number, values: readonly string[]): this {
    for (const value of values) this.#text(field, value);
    return this;
  }

  flag(field: number, value: unknown): this {
    return value === true ? this.presentFlag(field, true) : this;
  }

  /** Written also when false: a member of a `oneof`. */
  presentFlag(field: number, value: boolean): this {
    this.#varint(field * 8 + VARINT);
    this.#varint(value ? 1 : 0);
    return this;
  }

  integer(field: number, value: unknown): this {
    if (typeof value !== 'number' || value === 0) return this;
    this.#varint(field * 8 + VARINT);
    this.#varint(value);
    return this;
  }

  double(field: number, value: unknown): this {
    if (typeof value !== 'number' || value === 0) return this;
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    this.#varint(field * 8 + FIXED64);
    this.#add(bytes, bytes.length);
    return this;
  }

  /** `message` is finished: fields added to it afterwards would be missing in the length. */
  message(field: number, message: Message): this {
    this.#varint(field * 8 + DELIMITED);
    this.#varint(message.#length);
    this.#add(message, message.#length);
    return this;
  }

  messages(field: number, messages: readonly Message[]): this {
    for (const message of messages) this.message(field, message);
    return this;
  }

  toBuffer(): Buffer {
    const output: Output = { buffer: Buffer.allocUnsafe(this.#length), offset: 0 };
    this.#write(output);
    return output.buffer;
  }

  #text(field: number, value: string): this {
    const length = Buffer.byteLength(value);
    this.#varint(field * 8 + DELIMITED);
    this.#varint(length);
    this.#add(value, length);
    return this;
  }

  #varint(value: number): void {
    this.#add(value, varintLength(value));
  }

  #add(part: number | string | Buffer | Message, length: number): void {
    this.#parts.push(part);
    this.#length += length;
  }

  #write(output: Output): void {
    for (const part of this.#parts) {
      if (typeof part === 'number') output.offset = writeVarint(output.buffer, output.offset, part);
      else if (typeof part === 'string') output.offset += output.buffer.write(part, output.offset);
      else if (part instanceof Message) part.#write(output);
      else output.offset += part.copy(output.buffer, output.offset);
    }
  }
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) length++;
  return length;
}

function writeVarint(buffer: Buffer, offset: number, value: number): number {
  let at = offset;
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) buffer[at++] = (rest % 128) + 128;
  buffer[at++] = rest;
  return at;
}
