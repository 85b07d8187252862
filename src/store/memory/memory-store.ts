import type { Clock } from '#platform';
import { CompactionSchedule } from '../mvcc/compaction-schedule.ts';
import type { HistoryLimits } from '../mvcc/compaction-schedule.ts';
import { LeaseTable } from '../mvcc/lease-table.ts';
import { MvccState } from '../mvcc/mvcc-state.ts';
import { WatchHub } from '../mvcc/watch-hub.ts';
import { StoreUnavailableError } from '../store.ts';
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

export interface MemoryStoreOptions extends HistoryLimits {
  readonly clock: Clock;
}

/** A store that lives and dies with the process. Every call takes effect before it returns its promise. */
export function createMemoryStore(options: MemoryStoreOptions): Store {
  return new MemoryStore(options);
}

class MemoryStore implements Store {
  readonly exclusive = true;
  readonly #state = new MvccState({
    loadValue: (version) => {
      throw new Error(`the value of ${version.node.key} at revision ${version.modRevision} is not in memory`);
    },
  });
  readonly #hub = new WatchHub(this.#state);
  readonly #leases: LeaseTable;
  readonly #schedule: CompactionSchedule;
  #lastLease = 0;
  #closed = false;

  constructor(options: MemoryStoreOptions) {
    this.#leases = new LeaseTable({
      clock: options.clock,
      onExpired: (leaseId) => this.#endLease(leaseId),
    });
    this.#schedule = new CompactionSchedule({
      ...options,
      history: this.#state.history,
      compact: (revision) => {
        if (revision > this.#state.compactRevision) this.#state.compact(revision);
      },
    });
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
    this.#assertUsable(options?.signal);
    checkTransaction(transaction);
    const { compare, writes } = transaction;
    if (!compare.every(({ key, modRevision }) => this.#modRevision(key) === modRevision)) {
      const current = compare.map(({ key }) => this.#state.get(key));
      return { succeeded: false, revision: this.#state.revision, current };
    }
    for (const write of writes) {
      if (write.type === 'put' && write.leaseId !== undefined) this.#leases.keys(write.leaseId);
    }
    return { succeeded: true, revision: this.#commit(writes) };
  }

  watch(start: string, end: string, options: StoreWatchOptions): StoreWatch {
    if (!this.#closed) return this.#hub.add(start, end, options);
    queueMicrotask(() => options.onEnd?.(closedError()));
    return { close: () => undefined };
  }

  async requestProgress(): Promise<void> {
    this.#assertUsable();
    this.#hub.requestProgress();
  }

  async compact(revision: Revision): Promise<void> {
    this.#assertUsable();
    this.#state.compact(revision);
  }

  async grantLease(ttlMs: number): Promise<string> {
    this.#assertUsable();
    const leaseId = String(++this.#lastLease);
    this.#leases.add(leaseId, ttlMs);
    return leaseId;
  }

  async keepLeaseAlive(leaseId: string): Promise<void> {
    this.#assertUsable();
    this.#leases.keepAlive(leaseId);
  }

  async revokeLease(leaseId: string): Promise<void> {
    this.#assertUsable();
    this.#endLease(leaseId);
  }

  async sizeBytes(): Promise<number> {
    return 0;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#schedule.stop();
    this.#leases.stop();
    this.#hub.endAll(closedError());
  }

  /** Returns the revision this commit made: a watch may have written more by the time it ends. */
  #commit(writes: readonly Write[]): Revision {
    const versions = this.#state.apply(this.#state.revision + 1, writes);
    const { revision } = this.#state;
    if (versions.length === 0) return revision;
    for (const version of versions) this.#leases.follow(version);
    this.#hub.dispatch(versions, revision);
    this.#schedule.committed(revision);
    return revision;
  }

  #endLease(leaseId: string): void {
    const deletions = [...this.#leases.keys(leaseId)].map((key): Write => ({ type: 'delete', key }));
    this.#leases.remove(leaseId);
    this.#commit(deletions);
  }

  #modRevision(key: string): Revision {
    return this.#state.current(key)?.modRevision ?? 0;
  }

  #assertUsable(signal?: AbortSignal): void {
    signal?.throwIfAborted();
    if (this.#closed) throw closedError();
  }
}

function closedError(): StoreUnavailableError {
  return new StoreUnavailableError('the store is closed');
}
