/** Watches over HTTP: opening, time-outs, ending them all at shutdown. */
import { isExpired, type Status, StatusError, type WatchRequest } from '#machinery';
import type { Clock, Random, Timer } from '#platform';
import type { Caller } from '../endpoints/endpoint-request.ts';
import type { Endpoints } from '../endpoints/endpoints.ts';
import type { IncludeObject } from '../table/table.ts';
import type { WatchEncoder } from '../watch-cache/cache-event.ts';
import type { OpenedWatch } from '../watch-cache/open-watch.ts';
import type { MediaType } from './media-type.ts';
import { CONTENT_TYPES } from './media-type.ts';
import type { RequestContext } from './request-context.ts';
import { encodeStatus } from './response-encoder.ts';
import { WatchBroadcasts, WatchStream } from './watch-broadcast.ts';
import { WatchEncoders } from './watch-encoders.ts';

/** A watch without `timeoutSeconds` ends after this long to twice as long, so that connections spread anew. */
const MIN_WATCH_MS = 30 * 60_000;

export class WatchServer {
  readonly #endpoints: Endpoints;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #broadcasts = new WatchBroadcasts();
  readonly #encoders: WatchEncoders;
  readonly #open = new Set<WatchStream>();

  constructor(options: { readonly endpoints: Endpoints; readonly clock: Clock; readonly random: Random }) {
    this.#endpoints = options.endpoints;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#encoders = new WatchEncoders({
      clock: options.clock,
      statusBytes: (status: Status) =>
        encodeStatus(status, { media: { format: 'protobuf', pretty: false }, pretty: false }).body,
    });
  }

  get count(): number {
    return this.#open.size;
  }

  /** Resolves when the watch is over. @throws StatusError when it could not be opened. */
  async serve(
    context: RequestContext,
    request: WatchRequest,
    caller: Caller,
    media: MediaType,
    includeObject: IncludeObject,
  ): Promise<void> {
    const served = this.#endpoints.resolve(request);
    const encoder = this.#encoders.for(served, media, includeObject);
    const over = Promise.withResolvers<void>();
    try {
      await this.#endpoints.watch(request, caller, (opened) =>
        this.#begin(context, request, media, encoder, opened, over.resolve),
      );
    } catch (error) {
      if (!isExpired(error) || !(error instanceof StatusError)) throw error;
      // A watch that starts too far back is accepted, and told so in the stream.
      const output = context.exchange.begin(200, {
        ...context.headers,
        'content-type': watchContentType(media),
      });
      output.end(encoder.error(error.toStatus()));
      return;
    }
    await over.promise;
  }

  endAll(): void {
    for (const stream of this.#open) stream.end();
  }

  #begin(
    context: RequestContext,
    request: WatchRequest,
    media: MediaType,
    encoder: WatchEncoder,
    opened: OpenedWatch,
    onOver: () => void,
  ): void {
    const { exchange, headers } = context;
    const { timeoutSeconds = 0, allowWatchBookmarks = false } = request.options ?? {};
    let leave: () => void = () => undefined;
    let timer: Timer | undefined;
    const stream = new WatchStream({
      output: exchange.begin(200, { ...headers, 'content-type': watchContentType(media) }),
      allowBookmarks: allowWatchBookmarks,
      onEnd: () => {
        leave();
        timer?.cancel();
        this.#open.delete(stream);
        onOver();
      },
    });
    this.#open.add(stream);
    leave = this.#broadcasts.join(stream, opened, encoder);
    if (stream.isEnded) return leave();
    const delayMs = timeoutSeconds > 0 ? timeoutSeconds * 1000 : MIN_WATCH_MS * (1 + this.#random.next());
    timer = this.#clock.setTimer(delayMs, () => this.#timeOut(stream, request, encoder));
    exchange.onClose(() => stream.end());
  }

  #timeOut(stream: WatchStream, request: WatchRequest, encoder: WatchEncoder): void {
    const { revision } = this.#endpoints.resolve(request).stored.cache;
    const isNews = stream.allowBookmarks && revision > stream.lastRevision;
    stream.end(isNews ? encoder.bookmark(revision, false) : undefined);
  }
}

function watchContentType(media: MediaType): string {
  return media.format === 'protobuf' ? `${CONTENT_TYPES.protobuf};stream=watch` : CONTENT_TYPES[media.format];
}
