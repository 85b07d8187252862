import { BLOCK_BYTES, TYPE_FLAGS, XATTR_RECORD_PREFIX, headerChecksum, paddingOf } from './tar-entry.ts';
import type { TarEntry, TarEntryType } from './tar-entry.ts';

export class TarError extends Error {
  override readonly name = 'TarError';
}

/** Bytes of one pax or long-name record: names and attributes of one file. More is an attack. */
const RECORD_BYTES_MAX = 1024 * 1024;

const TYPES = new Map<string, TarEntryType>([
  ...Object.entries(TYPE_FLAGS).map(([type, flag]) => [flag, type as TarEntryType] as const),
  ['\0', 'file'],
  ['7', 'file'],
]);

/**
 * Reads a tar entry by entry: `next()`, then at will `content()` of that entry, then `next()` again. What was not
 * read of an entry is skipped.
 */
export class TarReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #buffer: Buffer = Buffer.alloc(0);
  /** Bytes of the current entry's content still unread, and of the padding after it. */
  #contentLeft = 0;
  #padding = 0;
  #globalRecords: ReadonlyMap<string, Buffer> = new Map();

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Undefined at the end of the archive. @throws TarError when the archive is broken or ends early. */
  async next(): Promise<TarEntry | undefined> {
    let records = new Map(this.#globalRecords);
    for (;;) {
      await this.#skip(this.#contentLeft + this.#padding);
      this.#contentLeft = this.#padding = 0;
      if (!(await this.#fill(BLOCK_BYTES))) {
        if (this.#buffer.length > 0) throw new TarError('unexpected end of the archive');
        return undefined;
      }
      const header = this.#take(BLOCK_BYTES);
      if (header.every((byte) => byte === 0)) {
        // The end mark. Writers pad after it; whoever hashes the source wants all of it read.
        await this.#drain();
        return undefined;
      }
      const sum = readNumber(header, 148, 8);
      if (sum !== headerChecksum(header)) throw new TarError('invalid tar header: wrong checksum');
      const flag = String.fromCharCode(header[156] ?? 0);
      const sizeBytes = readNumber(header, 124, 12);
      if (flag === 'x' || flag === 'g' || flag === 'L' || flag === 'K') {
        records = await this.#readRecords(flag, sizeBytes, records);
        continue;
      }
      const entry = toEntry(header, flag, records);
      this.#contentLeft = entry?.sizeBytes ?? sizeBytes;
      this.#padding = paddingOf(this.#contentLeft);
      if (entry !== undefined) return entry;
      records = new Map(this.#globalRecords);
    }
  }

  /** The current entry's content, once. */
  async *content(): AsyncGenerator<Buffer> {
    while (this.#contentLeft > 0) {
      if (this.#buffer.length === 0 && !(await this.#fill(1)))
        throw new TarError('unexpected end of the archive');
      const chunk = this.#take(Math.min(this.#contentLeft, this.#buffer.length));
      this.#contentLeft -= chunk.length;
      yield chunk;
    }
  }

  async #readRecords(
    flag: string,
    sizeBytes: number,
    records: ReadonlyMap<string, Buffer>,
  ): Promise<Map<string, Buffer>> {
    if (sizeBytes > RECORD_BYTES_MAX) throw new TarError('a tar record is too large');
    if (!(await this.#fill(sizeBytes))) throw new TarError('unexpected end of the archive');
    const data = this.#take(sizeBytes);
    this.#padding = paddingOf(sizeBytes);
    if (flag === 'L' || flag === 'K') {
      const end = data.indexOf(0);
      const value = Buffer.from(data.subarray(0, end === -1 ? data.length : end));
      return new Map(records).set(flag === 'L' ? 'path' : 'linkpath', value);
    }
    const own = parsePaxRecords(data);
    if (flag === 'g') this.#globalRecords = new Map([...this.#globalRecords, ...own]);
    return new Map([...records, ...own]);
  }

  /** Has at least `length` bytes in the buffer; false when the source ends before. */
  async #fill(length: number): Promise<boolean> {
    if (this.#buffer.length >= length) return true;
    const parts: Uint8Array[] = [this.#buffer];
    let have = this.#buffer.length;
    while (have < length) {
      const next = await this.#source.next();
      if (next.done === true) break;
      parts.push(next.value);
      have += next.value.length;
    }
    this.#buffer = Buffer.concat(parts);
    return have >= length;
  }

  #take(length: number): Buffer {
    const taken = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return taken;
  }

  async #skip(length: number): Promise<void> {
    let left = length;
    while (left > 0) {
      if (this.#buffer.length === 0 && !(await this.#fill(1)))
        throw new TarError('unexpected end of the archive');
      left -= this.#take(Math.min(left, this.#buffer.length)).length;
    }
  }

  async #drain(): Promise<void> {
    this.#buffer = Buffer.alloc(0);
    while ((await this.#source.next()).done !== true);
  }
}

/** `<length> <key>=<value>\n` …, the length counting itself. */
function parsePaxRecords(data: Buffer): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  let offset = 0;
  while (offset < data.length) {
    const space = data.indexOf(0x20, offset);
    const length = space === -1 ? Number.NaN : Number(data.toString('latin1', offset, space));
    const end = offset + length;
    const equals = data.indexOf(0x3d, space);
    if (!Number.isInteger(length) || length <= 0 || end > data.length || equals === -1 || equals >= end) {
      throw new TarError('invalid pax record');
    }
    records.set(data.toString('utf8', space + 1, equals), Buffer.from(data.subarray(equals + 1, end - 1)));
    offset = end;
  }
  return records;
}

/** Undefined for records that describe no file. */
function toEntry(header: Buffer, flag: string, records: ReadonlyMap<string, Buffer>): TarEntry | undefined {
  for (const key of records.keys())
    if (key.startsWith('GNU.sparse.')) throw new TarError('sparse files are not supported');
  if (flag === 'S') throw new TarError('sparse files are not supported');
  const type = TYPES.get(flag);
  if (type === undefined) return undefined;
  const prefix =
    header.toString('latin1', 257, 262) === 'ustar' && header[262] === 0 ? readText(header, 345, 155) : '';
  const short = readText(header, 0, 100);
  const name = records.get('path')?.toString() ?? (prefix === '' ? short : `${prefix}/${short}`);
  const isFolder = type === 'directory' || (type === 'file' && name.endsWith('/'));
  const number = (key: string, offset: number, length: number): number => {
    const value = Number(records.get(key)?.toString() ?? readNumber(header, offset, length));
    if (!Number.isFinite(value) || value < 0) throw new TarError(`invalid ${key} of ${name}`);
    return value;
  };
  const xattrs = new Map<string, Buffer>();
  for (const [key, value] of records) {
    if (key.startsWith(XATTR_RECORD_PREFIX)) xattrs.set(key.slice(XATTR_RECORD_PREFIX.length), value);
  }
  return {
    name,
    type: isFolder ? 'directory' : type,
    mode: readNumber(header, 100, 8) & 0o7777,
    uid: number('uid', 108, 8),
    gid: number('gid', 116, 8),
    sizeBytes: type === 'file' && !isFolder ? number('size', 124, 12) : 0,
    mtimeMs: Number(records.get('mtime')?.toString() ?? readNumber(header, 136, 12)) * 1000,
    linkName: records.get('linkpath')?.toString() ?? readText(header, 157, 100),
    deviceMajor: readNumber(header, 329, 8),
    deviceMinor: readNumber(header, 337, 8),
    xattrs,
  };
}

function readText(header: Buffer, offset: number, length: number): string {
  const field = header.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end === -1 ? length : end);
}

/** Octal text, or a big-endian number when the first bit is set (GNU). */
function readNumber(header: Buffer, offset: number, length: number): number {
  const first = header[offset] ?? 0;
  if ((first & 0x80) !== 0) {
    const negative = (first & 0x40) !== 0;
    if (negative) return -1;
    let value = first & 0x3f;
    for (let i = offset + 1; i < offset + length; i++) value = value * 256 + (header[i] ?? 0);
    return value;
  }
  const text = readText(header, offset, length).trim();
  return text === '' ? 0 : Number.parseInt(text, 8);
}
