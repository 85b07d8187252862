import assert from 'node:assert';
import type { Clock, Logger } from '#platform';
import { CompactionSchedule } from '../mvcc/compaction-schedule.ts';
import type { HistoryLimits } from '../mvcc/compaction-schedule.ts';
import { LeaseTable } from '../mvcc/lease-table.ts';
import { MvccState } from '../mvcc/mvcc-state.ts';
import type { Version } from '../mvcc/version.ts';
import { WatchHub } from '../mvcc/watch-hub.ts';
import { LeaseNotFoundError, StoreUnavailableError } from '../store.ts';
import type {
  KeyValue,
  RangeOptions,
  RangeResult,
  Revision,
  Store,
  StoreWatch,
  StoreWatchOptions,
  Transaction,
  TransactionResult,
  Write,
} from '../store.ts';
import { checkTransaction } from '../transaction-check.ts';
import { CommitQueue } from './commit-queue.ts';
import type { Unit } from './commit-queue.ts';
import { Database } from './database.ts';
import { Decisions } from './decisions.ts';
import {
  FORMAT,
  FORMAT_KEY,
  LAST_LEASE_KEY,
  decodeNumber,
  encodeNumber,
  leaseKey,
  versionKey,
} from './record.ts';
import { newestRevision, recover } from './recovery.ts';
import { Removals } from './removals.ts';

export interface EmbeddedStoreOptions extends HistoryLimits {
  /** Made when missing. One process at a time. */
  readonly folder: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Opens (or creates) the store in a folder. An acknowledged write survives the death of the process and of the machine.
 * @throws StoreUnavailableError naming the folder when it is in use or cannot be read.
 */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<Store> {
  const started = options.clock.monotonic();
  const database = openDatabase(options.folder);
  await checkFormat(database);
  const store = new EmbeddedStore(options, database);
  options.logger.info(
    { folder: database.folder, revision: store.revision, tookMs: options.clock.monotonic() - started },
    'opened the store',
  );
  return store;
}

function openDatabase(folder: string): Database {
  try {
    return new Database(folder);
  } catch (error) {
    if (error instanceof StoreUnavailableError) throw error;
    throw new StoreUnavailableError(`store folder ${folder} cannot be opened`, error);
  }
}

/** @throws StoreUnavailableError when a later version of the store wrote it. */
async function checkFormat(database: Database): Promise<void> {
  const found = database.get(FORMAT_KEY);
  if (found === undefined) {
    await database.commit([{ key: FORMAT_KEY, value: encodeNumber(FORMAT) }]);
    return;
  }
  const format = decodeNumber(found);
  if (format === FORMAT) return;
  await database.close();
  throw new StoreUnavailableError(
    `store folder ${database.folder} has format ${format}; this is for format ${FORMAT}`,
  );
}

/**
 * lmdb holds every version; memory holds an index of them without values. A transaction is decided synchronously
 * against that index plus what is decided and not yet durable, so concurrent writers never race and revisions follow
 * the order of the calls. When its group is on disk it is applied to the index, told to the watches and acknowledged,
 * in this order: nobody sees what could still be lost.
 */
class EmbeddedStore implements Store {
  readonly exclusive = true;
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #state: MvccState;
  readonly #hub: WatchHub;
  readonly #leases: LeaseTable;
  readonly #schedule: CompactionSchedule;
  readonly #decisions: Decisions;
  readonly #queue: CommitQueue;
  /** Versions compacted in memory that are still on disk. */
  readonly #removals: Removals;
  /** Leases whose end is decided. */
  readonly #endingLeases = new Set<string>();
  #lastLease: number;
  /** Why nothing is accepted any more. */
  #closed: StoreUnavailableError | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: EmbeddedStoreOptions, database: Database) {
    this.#database = database;
    this.#logger = options.logger;
    this.#state = new MvccState({ loadValue: (version) => this.#load(version) });
    this.#leases = new LeaseTable({ clock: options.clock, onExpired: (leaseId) => this.#expire(leaseId) });
    const found = recover(database, this.#state, this.#leases);
    this.#removals = new Removals(found.leftBehind);
    this.#lastLease = found.lastLease;
    this.#hub = new WatchHub(this.#state);
    this.#decisions = new Decisions(this.#state);
    this.#schedule = new CompactionSchedule({
      ...options,
      history: this.#state.history,
      compact: (revision) => this.#compactByItself(revision),
    });
    this.#queue = new CommitQueue({
      database,
      onCommitted: (units) => this.#apply(units),
      onFailed: (error) => this.#fail(error),
      takeBackground: () =>
        this.#closed === undefined ? this.#removals.take(this.#state.compactRevision) : [],
    });
    this.#queue.wake();
  }

  get revision(): Revision {
    return this.#state.revision;
  }

  async get(key: string, options?: RangeOptions): Promise<KeyValue | undefined> {
    this.#assertUsable(options?.signal);
    return this.#state.get(key, options);
  }

  async range(start: string, end: string, options?: RangeOptions): Promise<RangeResult> {
    this.#assertUsable(options?.signal);
    return this.#state.range(start, end, options);
  }

  async transact(
    transaction: Transaction,
    options?: { readonly signal?: AbortSignal },
  ): Promise<TransactionResult> {
    const signal = options?.signal;
    this.#assertUsable(signal);
    checkTransaction(transaction);
    const { compare, writes } = transaction;
    this.#queue.assertRoom();
    const current = this.#decisions.compare(compare);
    if (current === undefined) this.#assertLeases(writes);
    const unit = current === undefined ? this.#decisions.decide(writes) : undefined;
    const { revision } = this.#decisions;
    // What changes nothing still waits until the decisions it was made on are durable.
    const durable = unit === undefined ? this.#queue.settled() : this.#queue.add(unit);
    await (signal === undefined ? durable : abortable(durable, signal));
    return current === undefined ? { succeeded: true, revision } : { succeeded: false, revision, current };
  }

  watch(start: string, end: string, options: StoreWatchOptions): StoreWatch {
    const closed = this.#closed;
    if (closed === undefined) return this.#hub.add(start, end, options);
    queueMicrotask(() => options.onEnd?.(closed));
    return { close: () => undefined };
  }

  async requestProgress(): Promise<void> {
    this.#assertUsable();
    this.#hub.requestProgress();
  }

  async compact(revision: Revision): Promise<void> {
    this.#assertUsable();
    this.#removals.add(this.#state.compact(revision));
    this.#queue.wake();
    await this.#removals.done();
  }

  async grantLease(ttlMs: number): Promise<string> {
    this.#assertUsable();
    this.#queue.assertRoom();
    const leaseId = String(++this.#lastLease);
    await this.#queue.add({
      revision: undefined,
      writes: [],
      raw: [
        { key: leaseKey(leaseId), value: encodeNumber(Math.ceil(ttlMs)) },
        { key: LAST_LEASE_KEY, value: encodeNumber(this.#lastLease) },
      ],
      onDurable: () => this.#leases.add(leaseId, ttlMs),
    });
    return leaseId;
  }

  async keepLeaseAlive(leaseId: string): Promise<void> {
    this.#assertUsable();
    if (this.#endingLeases.has(leaseId)) throw new LeaseNotFoundError(leaseId);
    this.#leases.keepAlive(leaseId);
  }

  async revokeLease(leaseId: string): Promise<void> {
    this.#assertUsable();
    if (this.#endingLeases.has(leaseId)) throw new LeaseNotFoundError(leaseId);
    await this.#endLease(leaseId);
  }

  async sizeBytes(): Promise<number> {
    this.#assertUsable();
    return this.#database.sizeBytes();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#closed ??= new StoreUnavailableError('the store is closed');
    await this.#queue.drained();
    this.#schedule.stop();
    this.#leases.stop();
    this.#removals.giveUp();
    this.#hub.endAll(this.#closed);
    await this.#database.close();
  }

  /** The order is the contract: visible, then told to the watches; the queue acknowledges after this. */
  #apply(units: readonly Unit[]): void {
    const versions: Version[] = [];
    for (const unit of units) {
      if (unit.revision !== undefined) {
        const applied = this.#state.apply(unit.revision, unit.writes);
        assert.equal(applied.length, unit.writes.length, 'the durable state disagrees with what was decided');
        for (const version of applied) {
          this.#leases.follow(version);
          versions.push(version);
        }
        this.#decisions.settle(unit);
      }
      unit.onDurable?.();
    }
    this.#removals.committed();
    if (versions.length === 0) return;
    this.#hub.dispatch(versions, this.#state.revision);
    // From here on the value is read from lmdb when somebody asks.
    for (const version of versions) version.kv = undefined;
    this.#schedule.committed(this.#state.revision);
  }

  /** The disk refused a commit (most often: it is full). Nothing of it happened, so work may go on, and may fail again. */
  #fail(error: Error): void {
    this.#logger.error({ folder: this.#database.folder, err: error }, 'could not write to the store');
    this.#decisions.abandon();
    this.#removals.failed();
    for (const leaseId of this.#endingLeases) this.#leases.keepAlive(leaseId);
    this.#endingLeases.clear();
    if (newestRevision(this.#database) === this.#state.revision) return;
    // The commit is there although it was reported as failed: what we hold in memory is not what a restart would find.
    this.#closed = new StoreUnavailableError(
      `store folder ${this.#database.folder} must be opened anew`,
      error,
    );
    this.#hub.endAll(this.#closed);
  }

  #load(version: Version): Buffer {
    const value = this.#database.get(versionKey(version.node.key, version));
    if (value !== undefined) return value;
    throw new Error(
      `store folder ${this.#database.folder} lost ${version.node.key} at ${version.modRevision}`,
    );
  }

  #compactByItself(revision: Revision): void {
    if (this.#closed !== undefined || revision <= this.#state.compactRevision) return;
    this.#removals.add(this.#state.compact(revision));
    this.#queue.wake();
  }

  #expire(leaseId: string): void {
    if (this.#closed !== undefined || this.#endingLeases.has(leaseId)) return;
    this.#endLease(leaseId).catch((error: unknown) => {
      this.#logger.warn({ leaseId, err: error }, 'could not end an expired lease; it runs once more');
    });
  }

  #endLease(leaseId: string): Promise<void> {
    const keys = this.#decisions.keysOfLease(leaseId, this.#leases.keys(leaseId));
    const unit = this.#decisions.decide(keys.map((key) => ({ type: 'delete', key })));
    this.#endingLeases.add(leaseId);
    return this.#queue.add({
      revision: unit?.revision,
      writes: unit?.writes ?? [],
      raw: [...(unit?.raw ?? []), { key: leaseKey(leaseId) }],
      onDurable: () => {
        this.#endingLeases.delete(leaseId);
        this.#leases.remove(leaseId);
      },
    });
  }

  #assertLeases(writes: readonly Write[]): void {
    for (const write of writes) {
      if (write.type !== 'put' || write.leaseId === undefined) continue;
      if (this.#leases.has(write.leaseId) && !this.#endingLeases.has(write.leaseId)) continue;
      throw new LeaseNotFoundError(write.leaseId);
    }
  }

  #assertUsable(signal?: AbortSignal): void {
    signal?.throwIfAborted();
    if (this.#closed !== undefined) throw this.#closed;
  }
}

/** Stops waiting when the signal is aborted; what is waited for goes on. */
function abortable(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
