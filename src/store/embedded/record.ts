/**
 * How the embedded store lies in lmdb: one sorted tree, told apart by the first byte of the key.
 *
 *     1 revision place createRevision lease key   →  the value      every version held, oldest first
 *     2 lease                                     →  TTL in ms
 *     3 name                                      →  a number       `compact`, `lease`, `format`
 *
 * Everything about a version but its value is in its record's key, so a put copies no value to add a header, new
 * versions always go to the end of the tree, and opening reads the keys of the tree without touching one value.
 */
import { Version } from '../mvcc/version.ts';
import type { KeyNode } from '../mvcc/version.ts';
import type { Revision } from '../store.ts';

const VERSION = 1;
const LEASE = 2;
const NUMBER = 3;

const REVISION_AT = 1;
const PLACE_AT = 9;
const CREATE_AT = 13;
const LEASE_AT = 21;
const KEY_AT = 29;

const HIGH_WORD = 2 ** 32;

export const FIRST_VERSION_KEY = Buffer.from([VERSION]);
export const AFTER_VERSION_KEYS = Buffer.from([VERSION + 1]);
export const FIRST_LEASE_KEY = Buffer.from([LEASE]);
export const AFTER_LEASE_KEYS = Buffer.from([LEASE + 1]);

export const COMPACT_KEY = numberKey('compact');
export const LAST_LEASE_KEY = numberKey('lease');
export const FORMAT_KEY = numberKey('format');
export const FORMAT = 1;

/** What a version's record key says. */
export interface VersionFacts {
  readonly modRevision: Revision;
  readonly place: number;
  /** 0: the key was deleted. */
  readonly createRevision: Revision;
  readonly leaseId: string | undefined;
}

export function versionKey(key: string, facts: VersionFacts): Buffer {
  const buffer = Buffer.allocUnsafe(KEY_AT + Buffer.byteLength(key, 'utf8'));
  buffer[0] = VERSION;
  writeUint64(buffer, facts.modRevision, REVISION_AT);
  buffer.writeUInt32BE(facts.place, PLACE_AT);
  writeUint64(buffer, facts.createRevision, CREATE_AT);
  writeUint64(buffer, facts.leaseId === undefined ? 0 : Number(facts.leaseId), LEASE_AT);
  buffer.write(key, KEY_AT, 'utf8');
  return buffer;
}

/** The version this record key describes, without its value, hung on the node that `nodeOf` finds for its key. */
export function readVersion(record: Buffer, nodeOf: (key: string) => KeyNode): Version {
  const lease = readUint64(record, LEASE_AT);
  return new Version(
    nodeOf(record.toString('utf8', KEY_AT)),
    readRevision(record),
    record.readUInt32BE(PLACE_AT),
    readUint64(record, CREATE_AT),
    lease === 0 ? undefined : String(lease),
    undefined,
  );
}

export function readRevision(record: Buffer): Revision {
  return readUint64(record, REVISION_AT);
}

export function leaseKey(leaseId: string): Buffer {
  const buffer = Buffer.allocUnsafe(9);
  buffer[0] = LEASE;
  writeUint64(buffer, Number(leaseId), 1);
  return buffer;
}

export function readLeaseId(record: Buffer): string {
  return String(readUint64(record, 1));
}

export function encodeNumber(value: number): Buffer {
  const buffer = Buffer.allocUnsafe(8);
  writeUint64(buffer, value, 0);
  return buffer;
}

export function decodeNumber(buffer: Buffer): number {
  return readUint64(buffer, 0);
}

function numberKey(name: string): Buffer {
  return Buffer.concat([Buffer.from([NUMBER]), Buffer.from(name)]);
}

/** Revisions are safe integers: two 32-bit halves are several times cheaper than a BigInt. */
function writeUint64(buffer: Buffer, value: number, at: number): void {
  buffer.writeUInt32BE(Math.floor(value / HIGH_WORD), at);
  buffer.writeUInt32BE(value % HIGH_WORD, at + 4);
}

function readUint64(buffer: Buffer, at: number): number {
  return buffer.readUInt32BE(at) * HIGH_WORD + buffer.readUInt32BE(at + 4);
}
