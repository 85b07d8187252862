/**
 * The API server's one watch of the store, dispatched to the caches of the resources.
 *
 * One watch for everything gives one answer to "up to which revision has this server seen the cluster": the revision
 * that lists report and that readers wait for. A resource that nobody has asked for has no cache and costs nothing.
 */
import type { Clock, Logger, Timer } from '#platform';
import type { Revision, Store, StoreEvent, StoreWatch } from '#store';
import { prefixEnd } from '#store';
import type { ResourceCache } from './resource-cache.ts';

export const REGISTRY_PREFIX = '/registry/';
/** Bookmarks tell idle watchers how far they are, so that they can resume without listing again. */
const BOOKMARK_PERIOD_MS = 60_000;
/** Between attempts to watch the store again after it ended the watch. */
const REWATCH_DELAY_MS = 500;

interface Waiter {
  readonly revision: Revision;
  readonly resolve: () => void;
}

export class CacheHub {
  readonly store: Store;
  readonly clock: Clock;
  readonly #logger: Logger;
  readonly #caches = new Map<string, ResourceCache>();
  #revision: Revision = 0;
  #watch: StoreWatch | undefined;
  #waiters: Waiter[] = [];
  #bookmarkTimer: Timer | undefined;
  #bookmarked: Revision = 0;
  #closed = false;

  constructor(options: { readonly store: Store; readonly clock: Clock; readonly logger: Logger }) {
    this.store = options.store;
    this.clock = options.clock;
    this.#logger = options.logger;
  }

  /** Everything up to here has been seen. */
  get revision(): Revision {
    return this.#revision;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  async start(): Promise<void> {
    const { revision } = await this.store.range(REGISTRY_PREFIX, REGISTRY_PREFIX, {
      limit: 1,
      keysOnly: true,
    });
    this.#advance(revision);
    this.#watch = this.store.watch(REGISTRY_PREFIX, prefixEnd(REGISTRY_PREFIX), {
      fromRevision: revision + 1,
      onEvents: (events, at) => this.#dispatch(events, at),
      onProgress: (at) => this.#advance(at),
      onEnd: (reason) => this.#rewatch(reason),
    });
  }

  register(cache: ResourceCache): void {
    this.#caches.set(cache.prefix, cache);
  }

  unregister(cache: ResourceCache): void {
    this.#caches.delete(cache.prefix);
  }

  /** Undefined: the cache already shows every write acknowledged before this call. */
  consistent(): Promise<void> | undefined {
    // The only writer has seen each of its writes before it was acknowledged.
    return this.store.exclusive === true ? undefined : this.#catchUp();
  }

  /** True once `revision` has been seen; false when it has not come within `timeoutMs`. */
  waitFor(revision: Revision, timeoutMs: number): Promise<boolean> | boolean {
    if (revision <= this.#revision) return true;
    if (this.store.exclusive === true) return false;
    return new Promise<boolean>((resolve) => {
      const waiter: Waiter = {
        revision,
        resolve: () => {
          timer.cancel();
          resolve(true);
        },
      };
      const timer = this.clock.setTimer(timeoutMs, () => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        resolve(false);
      });
      this.#waiters.push(waiter);
      void this.store.requestProgress().catch(() => undefined);
    });
  }

  close(): void {
    this.#closed = true;
    this.#watch?.close();
    this.#bookmarkTimer?.cancel();
    for (const cache of this.#caches.values()) cache.close();
    for (const waiter of this.#waiters.splice(0)) waiter.resolve();
  }

  async #catchUp(): Promise<void> {
    const { revision } = await this.store.range(REGISTRY_PREFIX, REGISTRY_PREFIX, {
      limit: 1,
      keysOnly: true,
    });
    await this.waitFor(revision, 10_000);
  }

  #dispatch(events: readonly StoreEvent[], revision: Revision): void {
    for (const event of events) {
      const key = event.type === 'put' ? event.kv.key : event.key;
      const afterGroup = key.indexOf('/', REGISTRY_PREFIX.length);
      const afterResource = key.indexOf('/', afterGroup + 1);
      if (afterGroup < 0 || afterResource < 0) continue;
      this.#caches.get(key.slice(0, afterResource + 1))?.apply(event);
    }
    this.#advance(revision);
  }

  #advance(revision: Revision): void {
    if (revision <= this.#revision) return;
    this.#revision = revision;
    this.#bookmarkTimer ??= this.clock.setTimer(BOOKMARK_PERIOD_MS, () => this.#bookmark());
    if (this.#waiters.length === 0) return;
    const due = this.#waiters.filter((waiter) => waiter.revision <= revision);
    this.#waiters = this.#waiters.filter((waiter) => waiter.revision > revision);
    for (const waiter of due) waiter.resolve();
  }

  #bookmark(): void {
    this.#bookmarkTimer = undefined;
    if (this.#bookmarked === this.#revision) return;
    this.#bookmarked = this.#revision;
    for (const cache of this.#caches.values()) cache.bookmark(this.#revision);
  }

  #rewatch(reason: Error): void {
    if (this.#closed) return;
    this.#logger.warn({ error: reason.message }, 'the watch of the store ended; reading everything again');
    this.clock.setTimer(REWATCH_DELAY_MS, () => {
      this.start()
        .then(() => Promise.all([...this.#caches.values()].map((cache) => cache.reload())))
        .catch((error: unknown) => this.#rewatch(error instanceof Error ? error : new Error(String(error))));
    });
  }
}
