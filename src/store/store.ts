/**
 * The store: etcd's model, as much of it as an API server needs.
 *
 * A key holds bytes. Every transaction that changes anything gets the next revision; revisions only grow, one per
 * transaction. A key remembers the revision that created it and the one that last changed it. All three
 * implementations (memory, embedded, etcd) pass `store.contract.ts`.
 *
 * Source: etcd API v3, https://etcd.io/docs/v3.6/learning/api/.
 */

/** Store revision. A safe integer; 0 means "before everything". */
export type Revision = number & { readonly __brand?: 'Revision' };

export interface KeyValue {
  readonly key: string;
  /** Shared: do not write into it. */
  readonly value: Buffer;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  /** Lease this key dies with, if any. */
  readonly leaseId?: string;
}

export interface RangeOptions {
  /** 0 or absent: no limit. */
  readonly limit?: number;
  /** Read as of this revision. @throws CompactedError, FutureRevisionError. */
  readonly revision?: Revision;
  readonly keysOnly?: boolean;
  readonly signal?: AbortSignal;
}

export interface RangeResult {
  /** In byte order of the key. */
  readonly kvs: readonly KeyValue[];
  /** How many keys the whole range has at that revision. */
  readonly count: number;
  /** The store's revision when the answer was made. */
  readonly revision: Revision;
}

/** Succeeds when the key's modRevision is exactly this; 0 means the key does not exist. */
export interface Compare {
  readonly key: string;
  readonly modRevision: Revision;
}

export type Write =
  | { readonly type: 'put'; readonly key: string; readonly value: Buffer; readonly leaseId?: string }
  | { readonly type: 'delete'; readonly key: string };

export interface Transaction {
  /** All must hold, or nothing is written. */
  readonly compare: readonly Compare[];
  /** At most 128, each key once. */
  readonly writes: readonly Write[];
}

export type TransactionResult =
  /** Durable, as the implementation promises, before this is returned. */
  | { readonly succeeded: true; readonly revision: Revision }
  /** `current`: what the compared keys hold now, in the order of `compare` (undefined: not there). */
  | {
      readonly succeeded: false;
      readonly revision: Revision;
      readonly current: readonly (KeyValue | undefined)[];
    };

export type StoreEvent =
  | { readonly type: 'put'; readonly kv: KeyValue; readonly previous?: KeyValue }
  /** `modRevision` of the deletion; `previous` is what was there, when still held. */
  | {
      readonly type: 'delete';
      readonly key: string;
      readonly modRevision: Revision;
      readonly previous?: KeyValue;
    };

export interface StoreWatchOptions {
  /**
   * First revision to deliver; absent: from now on; in the future: nothing before it. When it is no longer held the
   * watch ends with a CompactedError through `onEnd`; `watch` itself never throws.
   */
  readonly fromRevision?: Revision;
  /** `false`: events need not carry `previous`, which spares reading it. */
  readonly previousValues?: boolean;
  /**
   * Called with the events of one or more whole transactions, in revision order, none twice, none left out.
   * `revision` is that of the last of them; events outside this watch's range may have happened up to it.
   * Runs synchronously before the write that caused it is acknowledged (memory, embedded), so a cache fed by it
   * is never behind what its own process has written; a watch from an old revision keeps that promise as well, it
   * reads the history in the microtask after `watch`. Never called inside `watch`. Must not throw. May call the
   * store; what it writes is delivered after the current events have reached every watch.
   */
  readonly onEvents: (events: readonly StoreEvent[], revision: Revision) => void;
  /** Everything up to `revision` has been delivered, though nothing in this range changed. */
  readonly onProgress?: (revision: Revision) => void;
  /** The watch ended by itself (compacted under it, store closed, connection lost beyond repair). Called once. */
  readonly onEnd?: (reason: Error) => void;
}

export interface StoreWatch {
  /** Idempotent. No callback after it returns. */
  close(): void;
}

export interface Store {
  /** Newest revision this process knows of. */
  readonly revision: Revision;
  /**
   * True when nobody but this process can write (memory, embedded): then a cache fed by `watch` shows every
   * acknowledged write, and a consistent read needs no question to the store.
   */
  readonly exclusive?: boolean;
  get(key: string, options?: RangeOptions): Promise<KeyValue | undefined>;
  /**
   * Keys in [start, end). `prefixEnd(p)` gives the end for a prefix. With a `limit` the next page starts at the last
   * key followed by '\0', read at the same revision.
   */
  range(start: string, end: string, options?: RangeOptions): Promise<RangeResult>;
  /**
   * Changes everything or nothing. The revision is used up only when something changed: deleting an absent key
   * does not. @throws LeaseNotFoundError; RangeError when a limit is exceeded or a key is written twice;
   * StoreUnavailableError (see there). An aborted signal ends the wait, not the write.
   */
  transact(transaction: Transaction, options?: { readonly signal?: AbortSignal }): Promise<TransactionResult>;
  watch(start: string, end: string, options: StoreWatchOptions): StoreWatch;
  /** Asks for `onProgress` on every watch at or after the newest revision (etcd: RequestProgress). */
  requestProgress(): Promise<void>;
  /**
   * Forgets what no reader at or after `revision` can see; the newest version of each live key stays. `revision`
   * itself can still be read and watched from. @throws CompactedError when it was compacted already,
   * FutureRevisionError.
   */
  compact(revision: Revision): Promise<void>;
  /**
   * Keys put with the lease are deleted, in one transaction, when it has not been kept alive for `ttlMs`. etcd counts
   * whole seconds (rounded up) and has a least TTL of about two; a restarted store starts the TTL anew.
   */
  grantLease(ttlMs: number): Promise<string>;
  /** Starts the TTL anew. @throws LeaseNotFoundError. */
  keepLeaseAlive(leaseId: string): Promise<void>;
  /** Ends the lease and deletes its keys now. @throws LeaseNotFoundError. */
  revokeLease(leaseId: string): Promise<void>;
  /** Bytes on disk (0 in memory). */
  sizeBytes(): Promise<number>;
  /** Finishes acknowledged work, ends watches, frees everything. Idempotent. */
  close(): Promise<void>;
}

/** The asked revision has been compacted away: list again. */
export class CompactedError extends Error {
  readonly compactRevision: Revision;
  constructor(compactRevision: Revision) {
    super(`required revision has been compacted (compact revision ${compactRevision})`);
    this.name = 'CompactedError';
    this.compactRevision = compactRevision;
  }
}

/** A revision was asked for that does not exist yet. */
export class FutureRevisionError extends Error {
  constructor(asked: Revision, current: Revision) {
    super(`required revision ${asked} is a future revision (current ${current})`);
    this.name = 'FutureRevisionError';
  }
}

/** The store cannot take work now (disk full, closed, no etcd reachable). The write may or may not have happened. */
export class StoreUnavailableError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'StoreUnavailableError';
  }
}

/** A key was put with a lease that does not exist (any more). */
export class LeaseNotFoundError extends Error {
  readonly leaseId: string;
  constructor(leaseId: string) {
    super(`lease ${JSON.stringify(leaseId)} not found`);
    this.name = 'LeaseNotFoundError';
    this.leaseId = leaseId;
  }
}

/** Most writes (and most compares) of one transaction: etcd's default `--max-txn-ops`. */
export const MAX_TRANSACTION_OPERATIONS = 128;
/** Longest key in UTF-8 bytes. */
export const MAX_KEY_BYTES = 1_900;
/** Largest value. A real etcd refuses more than its `--max-request-bytes` (1.5 MiB unless set). */
export const MAX_VALUE_BYTES = 8 * 1024 * 1024;

/** After every key there is. */
const LAST_KEY = '\u{10FFFF}';
const LAST_CODE_POINT = 0x10ffff;
const BEFORE_SURROGATES = 0xd7ff;
const AFTER_SURROGATES = 0xe000;

/** First key after every key that starts with `prefix` ('': after every key). Keys are UTF-8 and compared as bytes. */
export function prefixEnd(prefix: string): string {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  while (points.at(-1) === LAST_CODE_POINT) points.pop();
  const last = points.pop();
  if (last === undefined) return LAST_KEY;
  points.push(last === BEFORE_SURROGATES ? AFTER_SURROGATES : last + 1);
  return String.fromCodePoint(...points);
}
