import { Metadata } from '@grpc/grpc-js';
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import type { Clock, Logger, Timer } from '#platform';
import { CompactedError, StoreUnavailableError } from '../store.ts';
import type { Revision, StoreEvent, StoreWatch, StoreWatchOptions } from '../store.ts';
import type { Endpoint, Endpoints } from './endpoints.ts';
import { decodeWatch, encodeWatchCreate, encodeWatchProgress } from './messages.ts';
import type { WatchResponse } from './messages.ts';

const METHOD = '/etcdserverpb.Watch/Watch';
const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 3_000;
/** etcd leaves a request for progress unanswered while the watch catches up, which it works on this often. */
const PROGRESS_REPEAT_MS = 100;

type Stream = ClientDuplexStream<Buffer, WatchResponse>;

export interface EtcdWatchOptions {
  readonly endpoints: Endpoints;
  readonly prefixBytes: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly key: string;
  readonly rangeEnd: string;
  readonly watch: StoreWatchOptions;
  /** The first revision to be told. */
  readonly startRevision: Revision;
  /** Whether an answer to a progress request may be believed; see `answersProgressTruly`. */
  readonly trustsProgress: boolean;
  /** A revision was seen. */
  readonly onRevision: (revision: Revision) => void;
  /** Called once, when it was closed or ended by itself. */
  readonly onClosed: () => void;
}

/**
 * A watch on a stream of its own. When the stream breaks another is made, to another member if need be, and the watch
 * goes on from the revision after the last it was given: nothing is lost and nothing comes twice. It tries for ever;
 * only a compaction that overtook the watch ends it.
 *
 * Watches do not share a stream, because etcd speaks of progress for a whole stream and does not say which request it
 * answers: an answer from before a watch was made cannot be told from one that speaks for it, and one watch that
 * catches up silences all.
 */
export class EtcdWatch implements StoreWatch {
  readonly #options: EtcdWatchOptions;
  #stream: Stream | undefined;
  /** From where a new stream goes on. */
  #nextRevision: Revision;
  /** A delivery that etcd sends in several messages, until its last has come. */
  #fragments: StoreEvent[] = [];
  /** What etcd had when it took up the watch: until that is told, the watch may be behind. */
  #behindUntil: Revision = Infinity;
  /** Something was delivered, so `#nextRevision` is more than a guess at what "now" is. */
  #hasBegun = false;
  #retryMs = FIRST_RETRY_MS;
  #retryTimer: Timer | undefined;
  /** Somebody waits until the watch has got here. */
  #progressWanted: Revision | undefined;
  #progressTimer: Timer | undefined;
  #closed = false;

  constructor(options: EtcdWatchOptions) {
    this.#options = options;
    this.#nextRevision = options.startRevision;
    void this.#open();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#retryTimer?.cancel();
    this.#progressTimer?.cancel();
    this.#stream?.cancel();
    this.#stream = undefined;
    this.#options.onClosed();
  }

  endBecause(reason: Error): void {
    if (this.#closed) return;
    this.close();
    this.#options.watch.onEnd?.(reason);
  }

  /** Asks until there is an answer at or after `revision`. */
  requestProgress(revision: Revision): void {
    this.#progressWanted = revision;
    this.#askForProgress();
  }

  #askForProgress(): void {
    this.#progressTimer?.cancel();
    if (this.#progressWanted === undefined || this.#stream === undefined) return;
    this.#stream.write(encodeWatchProgress());
    this.#progressTimer = this.#options.clock.setTimer(PROGRESS_REPEAT_MS, () => this.#askForProgress());
  }

  async #open(): Promise<void> {
    try {
      const endpoint = await this.#options.endpoints.ready();
      // It may have been closed while an endpoint was looked for.
      if (!this.#closed) this.#start(endpoint);
    } catch (error) {
      this.#retry(error);
    }
  }

  #start(endpoint: Endpoint): void {
    const { prefixBytes, endpoints, key, rangeEnd, watch } = this.#options;
    const metadata = new Metadata();
    // A member cut off from the others must break the stream rather than stay silent.
    metadata.set('hasleader', 'true');
    const stream: Stream = endpoint.client.makeBidiStreamRequest(
      METHOD,
      (message: Buffer) => message,
      decodeWatch(prefixBytes),
      metadata,
    );
    this.#stream = stream;
    stream.on('data', (response: WatchResponse) => {
      if (this.#stream === stream) this.#receive(response);
    });
    const onBroken = (error: unknown): void => {
      if (this.#stream !== stream) return;
      this.#stream = undefined;
      endpoints.avoid(endpoint);
      this.#retry(error);
    };
    stream.on('error', (error: ServiceError) => onBroken(error));
    stream.on('end', () =>
      onBroken(new StoreUnavailableError(`etcd at ${endpoint.address} ended the watch`)),
    );
    // What came of an unfinished delivery comes again.
    this.#fragments = [];
    this.#behindUntil = Infinity;
    stream.write(
      encodeWatchCreate({
        key,
        rangeEnd,
        startRevision: this.#nextRevision,
        previousValues: watch.previousValues !== false,
      }),
    );
    this.#askForProgress();
  }

  #retry(error: unknown): void {
    if (this.#closed) return;
    const { logger, clock } = this.#options;
    logger.warn({ err: error, retryMs: this.#retryMs }, 'a watch of etcd is interrupted');
    this.#retryTimer = clock.setTimer(this.#retryMs, () => void this.#open());
    this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
  }

  #receive(response: WatchResponse): void {
    this.#retryMs = FIRST_RETRY_MS;
    this.#options.onRevision(response.revision);
    if (response.canceled) this.#cancelled(response);
    else if (response.created)
      this.#behindUntil = this.#nextRevision <= response.revision ? response.revision : 0;
    else if (response.isAnswer) this.#answered(response.revision);
    else if (response.events.length > 0 || response.fragment || this.#fragments.length > 0)
      this.#deliver(response);
    // What etcd tells unasked is always true.
    else this.#progress(response.revision, true);
  }

  #deliver({ events: received, fragment }: WatchResponse): void {
    const events = this.#fragments.length === 0 ? received : [...this.#fragments, ...received];
    if (fragment) {
      this.#fragments = [...events];
      return;
    }
    this.#fragments = [];
    const last = events.at(-1);
    if (last === undefined) return;
    const revision = last.type === 'put' ? last.kv.modRevision : last.modRevision;
    this.#hasBegun = true;
    this.#nextRevision = revision + 1;
    if (revision >= this.#behindUntil) this.#behindUntil = 0;
    this.#options.watch.onEvents(events, revision);
  }

  #answered(revision: Revision): void {
    if (this.#fragments.length > 0) return;
    if (revision >= (this.#progressWanted ?? 0)) this.#progressWanted = undefined;
    if (this.#options.trustsProgress) this.#progress(revision, true);
    else if (this.#behindUntil === 0) this.#progress(revision, false);
  }

  #progress(revision: Revision, isTrue: boolean): void {
    if (revision < this.#nextRevision - 1) return;
    if (isTrue) {
      // Without this a quiet watch would be overtaken by compaction although it missed nothing.
      this.#nextRevision = revision + 1;
      this.#hasBegun = true;
    }
    this.#options.watch.onProgress?.(revision);
  }

  #cancelled({ compactRevision, cancelReason }: WatchResponse): void {
    if (compactRevision > 0 && !this.#hasBegun && this.#options.watch.fromRevision === undefined) {
      // It asked for what comes from now on; this process merely did not know how late it is.
      this.#nextRevision = compactRevision;
      this.#stream?.cancel();
      this.#stream = undefined;
      void this.#open();
      return;
    }
    if (compactRevision > 0) this.endBecause(new CompactedError(compactRevision));
    else this.endBecause(new StoreUnavailableError(`etcd ended the watch: ${cancelReason}`));
  }
}
