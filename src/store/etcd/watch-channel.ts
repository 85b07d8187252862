import { Metadata } from '@grpc/grpc-js';
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import type { Clock, Logger, Timer } from '#platform';
import { CompactedError, StoreUnavailableError } from '../store.ts';
import type { Revision, StoreEvent, StoreWatch, StoreWatchOptions } from '../store.ts';
import type { Endpoint, Endpoints } from './endpoints.ts';
import { decodeWatch, encodeWatchCancel, encodeWatchCreate, encodeWatchProgress } from './messages.ts';
import type { WatchResponse } from './messages.ts';

const METHOD = '/etcdserverpb.Watch/Watch';
const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 3_000;
const EVERY_WATCH = -1;

type Stream = ClientDuplexStream<Buffer, WatchResponse>;

class EtcdWatch implements StoreWatch {
  /** On the current stream. */
  id: number;
  readonly key: string;
  readonly rangeEnd: string;
  readonly options: StoreWatchOptions;
  readonly #leave: (watch: EtcdWatch) => void;
  /** From where a new stream goes on. */
  nextRevision: Revision;
  /** A delivery that etcd sends in several messages, until its last has come. */
  fragments: StoreEvent[] = [];
  /** Something was delivered, so `nextRevision` is more than a guess at what "now" is. */
  hasBegun = false;
  closed = false;

  constructor(
    id: number,
    range: readonly [key: string, rangeEnd: string],
    options: StoreWatchOptions,
    nextRevision: Revision,
    leave: (watch: EtcdWatch) => void,
  ) {
    this.id = id;
    [this.key, this.rangeEnd] = range;
    this.options = options;
    this.nextRevision = nextRevision;
    this.#leave = leave;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#leave(this);
  }

  endBecause(reason: Error): void {
    if (this.closed) return;
    this.close();
    this.options.onEnd?.(reason);
  }
}

export interface WatchChannelOptions {
  readonly endpoints: Endpoints;
  readonly prefixBytes: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A revision was seen. */
  readonly onRevision: (revision: Revision) => void;
}

/**
 * All watches of one store on one stream. When the stream breaks another is made, to another member if need be, and
 * every watch goes on from the revision after the last it was given: nothing is lost and nothing comes twice. It
 * tries for ever; only a compaction that overtook a watch ends it.
 */
export class WatchChannel {
  readonly #options: WatchChannelOptions;
  readonly #watches = new Map<number, EtcdWatch>();
  #stream: Stream | undefined;
  #isOpening = false;
  #lastId = 0;
  #retryMs = FIRST_RETRY_MS;
  #retryTimer: Timer | undefined;
  #progressWanted = false;
  /** Whether an answer to a progress request may be believed; see `answersProgressTruly`. */
  trustsProgress = true;
  #closed = false;

  constructor(options: WatchChannelOptions) {
    this.#options = options;
  }

  add(
    range: readonly [key: string, rangeEnd: string],
    options: StoreWatchOptions,
    nextRevision: Revision,
  ): StoreWatch {
    this.#lastId++;
    const watch = new EtcdWatch(this.#lastId, range, options, nextRevision, (gone) => {
      this.#watches.delete(gone.id);
      this.#stream?.write(encodeWatchCancel(gone.id));
    });
    this.#watches.set(watch.id, watch);
    if (this.#stream !== undefined) this.#create(this.#stream, watch);
    else void this.#open();
    return watch;
  }

  requestProgress(): void {
    if (this.#stream === undefined) this.#progressWanted = true;
    else this.#stream.write(encodeWatchProgress());
  }

  close(reason: Error): void {
    this.#closed = true;
    this.#retryTimer?.cancel();
    for (const watch of this.#watches.values()) watch.endBecause(reason);
    this.#stream?.cancel();
    this.#stream = undefined;
  }

  async #open(): Promise<void> {
    if (this.#isOpening || this.#closed || this.#stream !== undefined || this.#watches.size === 0) return;
    this.#isOpening = true;
    try {
      const endpoint = await this.#options.endpoints.ready();
      this.#start(endpoint);
    } catch (error) {
      this.#retry(error);
    } finally {
      this.#isOpening = false;
    }
  }

  #start(endpoint: Endpoint): void {
    // The store may have been closed while an endpoint was looked for.
    if (this.#closed) return;
    const metadata = new Metadata();
    // A member cut off from the others must break the stream rather than stay silent.
    metadata.set('hasleader', 'true');
    const stream: Stream = endpoint.client.makeBidiStreamRequest(
      METHOD,
      (message: Buffer) => message,
      decodeWatch(this.#options.prefixBytes),
      metadata,
    );
    this.#stream = stream;
    stream.on('data', (response: WatchResponse) => {
      if (this.#stream === stream) this.#receive(response);
    });
    const onBroken = (error: unknown): void => {
      if (this.#stream !== stream) return;
      this.#stream = undefined;
      this.#options.endpoints.avoid(endpoint);
      this.#retry(error);
    };
    stream.on('error', (error: ServiceError) => onBroken(error));
    stream.on('end', () =>
      onBroken(new StoreUnavailableError(`etcd at ${endpoint.address} ended the watches`)),
    );
    for (const watch of this.#watches.values()) this.#create(stream, watch);
    if (this.#progressWanted) this.requestProgress();
    this.#progressWanted = false;
  }

  #create(stream: Stream, watch: EtcdWatch): void {
    // What came of an unfinished delivery comes again.
    watch.fragments = [];
    stream.write(
      encodeWatchCreate({
        watchId: watch.id,
        key: watch.key,
        rangeEnd: watch.rangeEnd,
        startRevision: watch.nextRevision,
        previousValues: watch.options.previousValues !== false,
      }),
    );
  }

  #retry(error: unknown): void {
    if (this.#closed) return;
    this.#options.logger.warn({ err: error, retryMs: this.#retryMs }, 'watches of etcd are interrupted');
    this.#retryTimer = this.#options.clock.setTimer(this.#retryMs, () => void this.#open());
    this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
  }

  #receive(response: WatchResponse): void {
    this.#retryMs = FIRST_RETRY_MS;
    this.#options.onRevision(response.revision);
    if (response.watchId === EVERY_WATCH) {
      const watches = [...this.#watches.values()];
      for (const watch of watches) this.#progress(watch, response.revision, this.trustsProgress);
      return;
    }
    const watch = this.#watches.get(response.watchId);
    if (watch === undefined) return;
    if (response.canceled) this.#cancelled(watch, response);
    else if (!response.created) this.#deliver(watch, response);
  }

  #deliver(watch: EtcdWatch, response: WatchResponse): void {
    if (response.events.length === 0 && !response.fragment && watch.fragments.length === 0) {
      this.#progress(watch, response.revision, true);
      return;
    }
    const events = watch.fragments.length === 0 ? response.events : [...watch.fragments, ...response.events];
    if (response.fragment) {
      watch.fragments = [...events];
      return;
    }
    watch.fragments = [];
    const last = events.at(-1);
    if (last === undefined) return;
    const revision = last.type === 'put' ? last.kv.modRevision : last.modRevision;
    watch.hasBegun = true;
    watch.nextRevision = revision + 1;
    watch.options.onEvents(events, revision);
  }

  #progress(watch: EtcdWatch, revision: Revision, isTrue: boolean): void {
    if (watch.closed || watch.fragments.length > 0 || revision < watch.nextRevision - 1) return;
    if (isTrue) {
      // Without this a quiet watch would be overtaken by compaction although it missed nothing.
      watch.nextRevision = revision + 1;
      watch.hasBegun = true;
    }
    watch.options.onProgress?.(revision);
  }

  #cancelled(watch: EtcdWatch, response: WatchResponse): void {
    const { compactRevision, cancelReason } = response;
    if (compactRevision > 0 && !watch.hasBegun && watch.options.fromRevision === undefined) {
      // It asked for what comes from now on; this process merely did not know how late it is.
      this.#watches.delete(watch.id);
      watch.id = ++this.#lastId;
      watch.nextRevision = compactRevision;
      this.#watches.set(watch.id, watch);
      if (this.#stream !== undefined) this.#create(this.#stream, watch);
      return;
    }
    if (compactRevision > 0) watch.endBecause(new CompactedError(compactRevision));
    else watch.endBecause(new StoreUnavailableError(`etcd ended the watch: ${cancelReason}`));
  }
}
