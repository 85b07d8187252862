/** The API server as an endpoint for callers in the same process: no HTTP, no bytes, shared objects. */
import type {
  ApiEndpoint,
  ResourceRequest,
  ResourceResponse,
  UserInfo,
  WatchEvent,
  WatchRequest,
} from '#machinery';
import type { Clock, Random, Timer } from '#platform';
import { type Caller, type EndpointRequest, type EndpointResult, listOf } from './endpoint-request.ts';
import type { Endpoints } from './endpoints.ts';
import { WatchQueue } from './watch-queue.ts';

/** A watch without `timeoutSeconds` ends after this long to twice as long. */
const MIN_WATCH_MS = 30 * 60_000;
const NEVER_ABORTED = new AbortController().signal;

export interface LocalEndpointOptions {
  readonly endpoints: Endpoints;
  readonly user: UserInfo;
  /** Field manager of writes that name none; absent: the last part of the user's name. */
  readonly manager?: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Resolves when the caches are loaded; undefined: they are. */
  readonly loading: () => Promise<void> | undefined;
}

export class LocalEndpoint implements ApiEndpoint {
  readonly #options: LocalEndpointOptions;
  readonly #manager: string;

  constructor(options: LocalEndpointOptions) {
    this.#options = options;
    this.#manager = options.manager ?? options.user.name.slice(options.user.name.lastIndexOf(':') + 1);
  }

  async request(
    request: ResourceRequest,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ResourceResponse> {
    options.signal?.throwIfAborted();
    const loading = this.#options.loading();
    if (loading !== undefined) await loading;
    const warnings: string[] = [];
    const caller = this.#caller(options.signal, (text) => warnings.push(text));
    const result = await this.#options.endpoints.execute(internal(request), caller);
    return { code: result.code, object: objectOf(result), warnings };
  }

  async watch(
    request: WatchRequest,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<AsyncIterable<WatchEvent>> {
    const { signal } = options;
    signal?.throwIfAborted();
    const loading = this.#options.loading();
    if (loading !== undefined) await loading;
    const { endpoints, clock, random } = this.#options;
    const { timeoutSeconds = 0, allowWatchBookmarks = false } = request.options ?? {};
    let timer: Timer | undefined;
    const onAbort = (): void => queue.end();
    const queue = new WatchQueue({
      version: endpoints.resolve(request),
      allowBookmarks: allowWatchBookmarks,
      onClose: () => {
        timer?.cancel();
        signal?.removeEventListener('abort', onAbort);
      },
    });
    await endpoints.watch(
      request,
      this.#caller(signal, () => undefined),
      (opened) => queue.start(opened),
    );
    const delayMs = timeoutSeconds > 0 ? timeoutSeconds * 1000 : MIN_WATCH_MS * (1 + random.next());
    timer = clock.setTimer(delayMs, () => queue.end());
    if (signal?.aborted === true) queue.end();
    else signal?.addEventListener('abort', onAbort, { once: true });
    return queue;
  }

  #caller(signal: AbortSignal | undefined, warn: (text: string) => void): Caller {
    return { user: this.#options.user, defaultManager: this.#manager, warn, signal: signal ?? NEVER_ABORTED };
  }
}

function internal(request: ResourceRequest): EndpointRequest {
  if (request.verb !== 'create' && request.verb !== 'update' && request.verb !== 'patch') return request;
  return { ...request, body: { format: 'value', value: request.body } };
}

function objectOf(result: EndpointResult): ResourceResponse['object'] {
  switch (result.type) {
    case 'entry':
      return result.entry.in(result.served);
    case 'list':
      return listOf(result.served, result.page);
    case 'value':
      return result.object;
    default:
      return result satisfies never;
  }
}
