import { BLOCK_BYTES, TYPE_FLAGS, XATTR_RECORD_PREFIX, headerChecksum, paddingOf } from './tar-entry.ts';
import type { TarEntry } from './tar-entry.ts';

/** What has to be said of an entry; the rest has harmless defaults. */
export type TarEntryInit = Pick<TarEntry, 'name' | 'type' | 'mode'> & Partial<TarEntry>;

const NO_XATTRS: ReadonlyMap<string, Buffer> = new Map();

function complete(init: TarEntryInit): TarEntry {
  const isFolder = init.type === 'directory';
  return {
    uid: 0,
    gid: 0,
    sizeBytes: 0,
    mtimeMs: 0,
    linkName: '',
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: NO_XATTRS,
    ...init,
    name: isFolder && !init.name.endsWith('/') ? `${init.name}/` : init.name,
  };
}

/**
 * The bytes that announce an entry; its content and `tarPadding` follow. The same entry gives the same bytes:
 * nothing but the entry goes in, so that a layer's digest depends on its files alone.
 */
export function tarHeader(init: TarEntryInit): Buffer {
  const entry = complete(init);
  const records = paxRecords(entry);
  const header = ustarHeader(entry, TYPE_FLAGS[entry.type]);
  if (records.length === 0) return header;
  const data = Buffer.concat(records);
  const announcement = ustarHeader(
    { ...complete({ name: 'PaxHeader', type: 'file', mode: 0o644 }), sizeBytes: data.length },
    'x',
  );
  return Buffer.concat([announcement, data, Buffer.alloc(paddingOf(data.length)), header]);
}

export const tarPadding = (sizeBytes: number): Buffer => Buffer.alloc(paddingOf(sizeBytes));

export const TAR_END = Buffer.alloc(2 * BLOCK_BYTES);

const NUMBER_7 = 0o7777777;
const NUMBER_11 = 0o77777777777;

/** Records for everything that ustar's fields cannot hold. */
function paxRecords(entry: TarEntry): readonly Buffer[] {
  const records: Buffer[] = [];
  const add = (key: string, value: Buffer): void => void records.push(paxRecord(key, value));
  if (!fits(entry.name)) add('path', Buffer.from(entry.name));
  if (!fits(entry.linkName)) add('linkpath', Buffer.from(entry.linkName));
  if (entry.uid > NUMBER_7) add('uid', Buffer.from(String(entry.uid)));
  if (entry.gid > NUMBER_7) add('gid', Buffer.from(String(entry.gid)));
  if (entry.sizeBytes > NUMBER_11) add('size', Buffer.from(String(entry.sizeBytes)));
  for (const name of [...entry.xattrs.keys()].sort()) {
    add(`${XATTR_RECORD_PREFIX}${name}`, entry.xattrs.get(name) ?? Buffer.alloc(0));
  }
  return records;
}

/** A ustar name of at most 100 bytes of ASCII; longer ones go into a pax record rather than the prefix field. */
const fits = (text: string): boolean => text.length <= 100 && Buffer.byteLength(text) === text.length;

function paxRecord(key: string, value: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  // The length counts its own digits: 98 + 2 digits is 100, which has 3.
  let length = body.length + 1;
  while (length !== body.length + String(length).length) length = body.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

function ustarHeader(entry: TarEntry, flag: string): Buffer {
  const header = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, digits: number, offset: number): void => {
    header.write(Math.floor(value).toString(8).padStart(digits, '0').slice(-digits), offset, 'latin1');
  };
  header.write(
    fits(entry.name) ? entry.name : entry.name.slice(-40).replaceAll(/[^\x20-\x7e]/g, '_'),
    0,
    100,
  );
  octal(entry.mode & 0o7777, 7, 100);
  octal(Math.min(entry.uid, NUMBER_7), 7, 108);
  octal(Math.min(entry.gid, NUMBER_7), 7, 116);
  octal(Math.min(entry.sizeBytes, NUMBER_11), 11, 124);
  octal(Math.max(0, entry.mtimeMs / 1000), 11, 136);
  header.write(flag, 156, 'latin1');
  if (fits(entry.linkName)) header.write(entry.linkName, 157, 100);
  header.write('ustar\x0000', 257, 'latin1');
  octal(entry.deviceMajor, 7, 329);
  octal(entry.deviceMinor, 7, 337);
  header.write(`${headerChecksum(header).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}
