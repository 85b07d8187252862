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
  | { readonly succeeded: false; readonly revision: Revision; readonly current: readonly (KeyValue | undefined)[] };

export type StoreEvent =
  | { readonly type: 'put'; readonly kv: KeyValue; readonly previous?: KeyValue }
  /** `modRevision` of the deletion; `previous` is what was there, when still held. */
  | { readonly type: 'delete'; readonly key: string; readonly modRevision: Revision; readonly previous?: KeyValue };

export interface StoreWatchOptions {
  /** First revision to deliver; absent: from now on. @throws CompactedError when no longer held. */
  readonly fromRevision?: Revision;
  /**
   * Called with the events of one or more whole transactions, in revision order, none twice, none left out.
   * Runs synchronously before the write that caused it is acknowledged (memory, embedded), so a cache fed by it
   * is never behind what its own process has written. Must not throw.
   */
  readonly onEvents: (events: readonly StoreEvent[], revision: Revision) => void;
  /** Everything up to `revision` has been delivered, though nothing in this range changed. */
  readonly onProgress?: (revision: Revision) => void;
  /** The watch ended by itself (compacted under it, store closed, connection lost beyond repair). */
  readonly onEnd?: (reason: Error) => void;
}

export interface StoreWatch {
  /** Idempotent. No callback after it returns. */
  close(): void;
}

export interface Store {
  /** Newest revision this process knows of. */
  readonly revision: Revision;
  get(key: string, options?: RangeOptions): Promise<KeyValue | undefined>;
  /** Keys in [start, end). `prefixEnd(p)` gives the end for a prefix. */
  range(start: string, end: string, options?: RangeOptions): Promise<RangeResult>;
  transact(transaction: Transaction, options?: { readonly signal?: AbortSignal }): Promise<TransactionResult>;
  watch(start: string, end: string, options: StoreWatchOptions): StoreWatch;
  /** Asks for `onProgress` on every watch at or after the newest revision (etcd: RequestProgress). */
  requestProgress(): Promise<void>;
  /** Forgets versions older than `revision`; the newest version of each live key stays. */
  compact(revision: Revision): Promise<void>;
  /** Keys put with the lease are deleted when it has not been kept alive for `ttlMs`. */
  grantLease(ttlMs: number): Promise<string>;
  keepLeaseAlive(leaseId: string): Promise<void>;
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

/** First key after every key that starts with `prefix`. Keys are UTF-8 and compared as bytes. */
export function prefixEnd(prefix: string): string {
  const last = prefix.charCodeAt(prefix.length - 1);
  return `${prefix.slice(0, -1)}${String.fromCharCode(last + 1)}`;
}
