import type { LeaseTable } from '../mvcc/lease-table.ts';
import { FIRST_REVISION } from '../mvcc/mvcc-state.ts';
import type { MvccState } from '../mvcc/mvcc-state.ts';
import { orderedKey } from '../mvcc/ordered-key.ts';
import { KeyNode } from '../mvcc/version.ts';
import type { Version } from '../mvcc/version.ts';
import type { Revision } from '../store.ts';
import type { Database } from './database.ts';
import {
  AFTER_LEASE_KEYS,
  AFTER_VERSION_KEYS,
  COMPACT_KEY,
  FIRST_LEASE_KEY,
  FIRST_VERSION_KEY,
  LAST_LEASE_KEY,
  decodeNumber,
  readLeaseId,
  readRevision,
  readVersion,
} from './record.ts';

export interface Recovered {
  /** Versions on disk that a compaction cut short had still to remove. */
  readonly leftBehind: readonly Version[];
  /** Highest lease id ever given. */
  readonly lastLease: number;
}

/** Fills an empty state and lease table with what the database holds. Reads keys only, no values. */
export function recover(database: Database, state: MvccState, leases: LeaseTable): Recovered {
  for (const key of database.keys(FIRST_LEASE_KEY, AFTER_LEASE_KEYS)) {
    leases.add(readLeaseId(key), number(database, key));
  }
  const leftBehind = state.restore(
    versions(database),
    newestRevision(database),
    number(database, COMPACT_KEY),
  );
  for (const { key, newest } of state.index)
    if (newest?.leaseId !== undefined) leases.attach(key, newest.leaseId);
  return { leftBehind, lastLease: number(database, LAST_LEASE_KEY) };
}

/** The last record tells: a compaction never removes the newest version of all. */
export function newestRevision(database: Database): Revision {
  const last = database.lastKey(AFTER_VERSION_KEYS);
  return last === undefined ? FIRST_REVISION : readRevision(last);
}

function* versions(database: Database): Generator<Version, void, void> {
  const nodes = new Map<string, KeyNode>();
  const nodeOf = (key: string): KeyNode => {
    let node = nodes.get(key);
    if (node === undefined) {
      node = new KeyNode(key, orderedKey(key));
      nodes.set(key, node);
    }
    return node;
  };
  for (const record of database.keys(FIRST_VERSION_KEY, AFTER_VERSION_KEYS))
    yield readVersion(record, nodeOf);
}

function number(database: Database, key: Buffer): number {
  const value = database.get(key);
  return value === undefined ? 0 : decodeNumber(value);
}
