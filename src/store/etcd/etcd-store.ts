import type { ClientUnaryCall, ServiceError } from '@grpc/grpc-js';
import type { Clock, Logger, Timer } from '#platform';
import { CompactedError, FutureRevisionError, LeaseNotFoundError, StoreUnavailableError } from '../store.ts';
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
} from '../store.ts';
import { checkTransaction } from '../transaction-check.ts';
import { Endpoints, STATUS } from './endpoints.ts';
import type { Endpoint, EtcdTls } from './endpoints.ts';
import { answersProgressTruly } from './etcd-version.ts';
import {
  decodeLease,
  decodeRange,
  decodeRevision,
  decodeStatus,
  decodeTransaction,
  encodeCompaction,
  encodeLeaseGrant,
  encodeLeaseId,
  encodeRange,
  encodeTransaction,
} from './messages.ts';
import type { LeaseResponse } from './messages.ts';
import { EtcdWatch } from './etcd-watch.ts';
import { failureOf, unavailable } from './status.ts';

export interface EtcdStoreOptions {
  /** As etcdctl takes them: `https://10.0.0.1:2379`. Calls go to the first that answers. */
  readonly endpoints: readonly string[];
  readonly tls?: EtcdTls;
  /** Put before every key, `/registry` for one. Default ''. */
  readonly prefix?: string;
  /** What is older is compacted, within twice this. Default five minutes; 0: somebody else compacts. */
  readonly maxHistoryAgeMs?: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

const DEFAULT_MAX_HISTORY_AGE_MS = 5 * 60_000;
/** A call that takes longer has failed, whether or not etcd still does it. */
const CALL_TIMEOUT_MS = 30_000;

const RANGE = '/etcdserverpb.KV/Range';
const TXN = '/etcdserverpb.KV/Txn';
const COMPACT = '/etcdserverpb.KV/Compact';
const LEASE_GRANT = '/etcdserverpb.Lease/LeaseGrant';
const LEASE_REVOKE = '/etcdserverpb.Lease/LeaseRevoke';
const LEASE_KEEP_ALIVE = '/etcdserverpb.Lease/LeaseKeepAlive';

interface Call<T> {
  readonly method: string;
  readonly request: Buffer;
  readonly decode: (buffer: Buffer) => T;
  /** Asking a second time does no harm, so another endpoint may be tried. */
  readonly isRepeatable: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** See `connectEtcdStore`. */
export class EtcdStore implements Store {
  readonly #options: EtcdStoreOptions;
  readonly #prefix: string;
  readonly #prefixBytes: number;
  readonly #endpoints: Endpoints;
  readonly #watches = new Set<EtcdWatch>();
  #trustsProgress = true;
  #revision: Revision = 0;
  /** Highest known to be compacted: etcd says so to watches, but not in the errors of reads. */
  #compactRevision: Revision = 0;
  #compactTimer: Timer | undefined;
  #closed: StoreUnavailableError | undefined;

  constructor(options: EtcdStoreOptions) {
    this.#options = options;
    this.#prefix = options.prefix ?? '';
    this.#prefixBytes = Buffer.byteLength(this.#prefix, 'utf8');
    this.#endpoints = new Endpoints(options.endpoints, options.tls, options.clock);
  }

  async connect(): Promise<void> {
    const status = await this.#status();
    this.#saw(status.revision);
    // Status is what one member knows; a linearizable read brings the cluster's revision.
    await this.get('\0');
    this.#trustsProgress = answersProgressTruly(status.version);
    const { logger } = this.#options;
    logger.info({ etcd: status.version, revision: this.#revision }, 'connected to etcd');
    if (!this.#trustsProgress) {
      logger.warn(
        { etcd: status.version },
        'this etcd reports watch progress too early while a watch catches up',
      );
    }
    this.#armCompaction();
  }

  get revision(): Revision {
    return this.#revision;
  }

  async get(key: string, options: RangeOptions = {}): Promise<KeyValue | undefined> {
    const { kvs } = await this.#range(key, '', options);
    return kvs[0];
  }

  async range(start: string, end: string, options: RangeOptions = {}): Promise<RangeResult> {
    return this.#range(start, this.#prefix + end, options);
  }

  async transact(
    transaction: Transaction,
    options?: { readonly signal?: AbortSignal },
  ): Promise<TransactionResult> {
    this.#assertUsable(options?.signal);
    checkTransaction(transaction);
    const { revision, succeeded, found } = await this.#call(
      {
        method: TXN,
        request: encodeTransaction(transaction, this.#prefix),
        decode: decodeTransaction(this.#prefixBytes),
        isRepeatable: false,
        signal: options?.signal,
      },
      { leaseId: leaseOf(transaction) },
    );
    this.#saw(revision);
    return succeeded ? { succeeded, revision } : { succeeded, revision, current: found };
  }

  watch(start: string, end: string, options: StoreWatchOptions): StoreWatch {
    const closed = this.#closed;
    if (closed !== undefined) {
      queueMicrotask(() => options.onEnd?.(closed));
      return { close: () => undefined };
    }
    const watch = new EtcdWatch({
      endpoints: this.#endpoints,
      prefixBytes: this.#prefixBytes,
      clock: this.#options.clock,
      logger: this.#options.logger,
      key: this.#first(start),
      rangeEnd: this.#prefix + end,
      watch: options,
      startRevision: options.fromRevision ?? this.#revision + 1,
      trustsProgress: this.#trustsProgress,
      onRevision: (revision) => this.#saw(revision),
      onClosed: () => this.#watches.delete(watch),
    });
    this.#watches.add(watch);
    return watch;
  }

  async requestProgress(): Promise<void> {
    this.#assertUsable();
    for (const watch of this.#watches) watch.requestProgress(this.#revision);
  }

  async compact(revision: Revision): Promise<void> {
    this.#assertUsable();
    const answer = await this.#call(
      { method: COMPACT, request: encodeCompaction(revision), decode: decodeRevision, isRepeatable: false },
      { revision },
    );
    this.#saw(answer);
    this.#compactRevision = Math.max(this.#compactRevision, revision);
  }

  async grantLease(ttlMs: number): Promise<string> {
    this.#assertUsable();
    const request = encodeLeaseGrant(Math.max(1, Math.ceil(ttlMs / 1_000)));
    const { leaseId } = await this.#call({
      method: LEASE_GRANT,
      request,
      decode: decodeLease,
      isRepeatable: true,
    });
    return leaseId;
  }

  async keepLeaseAlive(leaseId: string): Promise<void> {
    this.#assertUsable();
    const endpoint = await this.#endpoints.ready();
    const { ttlSeconds } = await keepAlive(endpoint, leaseId);
    if (ttlSeconds <= 0) throw new LeaseNotFoundError(leaseId);
  }

  async revokeLease(leaseId: string): Promise<void> {
    this.#assertUsable();
    const revision = await this.#call(
      { method: LEASE_REVOKE, request: encodeLeaseId(leaseId), decode: decodeRevision, isRepeatable: false },
      { leaseId },
    );
    this.#saw(revision);
  }

  async sizeBytes(): Promise<number> {
    this.#assertUsable();
    const { sizeBytes } = await this.#status();
    return sizeBytes;
  }

  async close(): Promise<void> {
    if (this.#closed !== undefined) return;
    this.#closed = new StoreUnavailableError('the store is closed');
    this.#compactTimer?.cancel();
    for (const watch of this.#watches) watch.endBecause(this.#closed);
    this.#endpoints.close();
  }

  async #range(start: string, rangeEnd: string, options: RangeOptions): Promise<RangeResult> {
    const { limit = 0, revision = 0, keysOnly = false, signal } = options;
    this.#assertUsable(signal);
    const key = rangeEnd === '' ? this.#prefix + start : this.#first(start);
    const answer = await this.#call(
      {
        method: RANGE,
        request: encodeRange({ key, rangeEnd, limit, revision, keysOnly }),
        decode: decodeRange(this.#prefixBytes),
        isRepeatable: true,
        signal,
      },
      { revision },
    );
    this.#saw(answer.revision);
    return answer;
  }

  /** etcd knows no empty key; nothing sorts before '\0'. */
  #first(start: string): string {
    return this.#prefix + start === '' ? '\0' : this.#prefix + start;
  }

  #status() {
    return this.#call({ method: STATUS, request: Buffer.alloc(0), decode: decodeStatus, isRepeatable: true });
  }

  async #call<T>(
    call: Call<T>,
    about: { readonly revision?: Revision; readonly leaseId?: string } = {},
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const endpoint = await this.#endpoints.ready(call.signal);
      try {
        return await unary(endpoint, call, this.#options.clock);
      } catch (error) {
        if (!isServiceError(error)) throw error;
        call.signal?.throwIfAborted();
        this.#assertUsable();
        const failure = failureOf(error);
        if (failure === 'compacted') throw this.#compacted(about.revision ?? 0);
        if (failure === 'future-revision') throw new FutureRevisionError(about.revision ?? 0, this.#revision);
        if (failure === 'lease-not-found') throw new LeaseNotFoundError(about.leaseId ?? '');
        if (failure === 'too-large')
          throw new RangeError('etcd refuses a request this large', { cause: error });
        this.#endpoints.avoid(endpoint);
        if (!call.isRepeatable || attempt >= this.#endpoints.count)
          throw unavailable(error, endpoint.address);
      }
    }
  }

  #compacted(asked: Revision): CompactedError {
    return new CompactedError(Math.max(this.#compactRevision, asked));
  }

  #saw(revision: Revision): void {
    if (revision > this.#revision) this.#revision = revision;
  }

  /**
   * Every API server does this. Each compacts to what it saw one period ago, so however many there are, nothing
   * younger than one period is forgotten, and they need not agree on who does it.
   */
  #armCompaction(): void {
    const periodMs = this.#options.maxHistoryAgeMs ?? DEFAULT_MAX_HISTORY_AGE_MS;
    if (periodMs === 0) return;
    const aged = this.#revision;
    this.#compactTimer = this.#options.clock.setTimer(periodMs, () => void this.#compactAndRearm(aged));
  }

  async #compactAndRearm(revision: Revision): Promise<void> {
    try {
      await this.compact(revision);
    } catch (error) {
      // Another API server was first.
      if (!(error instanceof CompactedError)) {
        this.#options.logger.warn({ err: error, revision }, 'could not compact etcd');
      }
    }
    if (this.#closed === undefined) this.#armCompaction();
  }

  #assertUsable(signal?: AbortSignal): void {
    signal?.throwIfAborted();
    if (this.#closed !== undefined) throw this.#closed;
  }
}

function unary<T>(endpoint: Endpoint, call: Call<T>, clock: Clock): Promise<T> {
  const { method, request, decode, signal } = call;
  return new Promise((resolve, reject) => {
    let running: ClientUnaryCall | undefined;
    const cancel = (): void => running?.cancel();
    const timer = clock.setTimer(CALL_TIMEOUT_MS, cancel);
    signal?.addEventListener('abort', cancel, { once: true });
    running = endpoint.client.makeUnaryRequest(
      method,
      (bytes: Buffer) => bytes,
      decode,
      request,
      (error, answer) => {
        timer.cancel();
        signal?.removeEventListener('abort', cancel);
        if (error !== null) reject(error);
        else if (answer === undefined)
          reject(new StoreUnavailableError(`etcd at ${endpoint.address} did not answer`));
        else resolve(answer);
      },
    );
  });
}

/** The only call etcd offers for it is a stream; one question and its answer are enough. */
function keepAlive(endpoint: Endpoint, leaseId: string): Promise<LeaseResponse> {
  return new Promise((resolve, reject) => {
    const stream = endpoint.client.makeBidiStreamRequest(
      LEASE_KEEP_ALIVE,
      (bytes: Buffer) => bytes,
      decodeLease,
    );
    stream.on('data', (answer: LeaseResponse) => {
      resolve(answer);
      stream.end();
    });
    stream.on('error', (error: ServiceError) => reject(unavailable(error, endpoint.address)));
    stream.on('end', () => reject(new StoreUnavailableError(`etcd at ${endpoint.address} did not answer`)));
    stream.write(encodeLeaseId(leaseId));
  });
}

function leaseOf(transaction: Transaction): string | undefined {
  for (const write of transaction.writes)
    if (write.type === 'put' && write.leaseId !== undefined) return write.leaseId;
  return undefined;
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error;
}
