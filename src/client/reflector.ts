/**
 * Keeps a cache true by list and watch.
 *
 * The first state comes through the watch itself (WatchList, KEP-3157): the server sends what there is as ADDED
 * events and ends them with an annotated bookmark. A server that refuses that is asked for a list and a watch from
 * its resourceVersion. When the watch ends it is taken up again where it stopped; only when the server no longer holds
 * that point (410) the state is read anew and replaced, so that deletions nobody told of are found.
 */
import { isExpired, isInvalid, StatusError, type KubeObject, type WatchEvent } from '#machinery';
import type { Clock, Logger, Random } from '#platform';
import { Backoff } from './backoff.ts';
import type { ResourceClient } from './client.ts';

export interface ReflectorScope {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** What a reflector feeds. */
export interface ReflectorTarget<T> {
  replace(objects: readonly T[]): void;
  set(object: T): void;
  delete(key: string, last: T): void;
  /** After every `replace`. */
  onSynced(): void;
}

export interface ReflectorOptions<T> {
  readonly client: ResourceClient<T>;
  readonly scope: ReflectorScope;
  readonly target: ReflectorTarget<T>;
  readonly keyOf: (object: T) => string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** The server is asked to end a watch after this long and up to twice as long, so that load spreads anew. */
const MIN_WATCH_SECONDS = 300;
/** Objects per page of the list that a server without WatchList is asked for. */
const LIST_PAGE_SIZE = 500;
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';
/** A watch that ends sooner than this without a single event is a failure: taking it up at once would spin. */
const SHORT_WATCH_MS = 1_000;
const RETRY = { initialMs: 800, maxMs: 30_000, resetAfterMs: 120_000 };

export class Reflector<T> {
  readonly #options: ReflectorOptions<T>;
  readonly #backoff: Backoff;
  /** Where to take up the watch again; undefined: read the whole state. */
  #resourceVersion: string | undefined;
  #watchList = true;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#backoff = new Backoff(RETRY, options.clock, options.random);
  }

  /** Runs until aborted; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#once(signal);
        this.#backoff.reset();
      } catch (error) {
        if (signal.aborted) return;
        await this.#recover(error, signal);
      }
    }
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const { logger, clock } = this.#options;
    if (isExpired(error)) {
      const knewState = this.#resourceVersion !== undefined;
      this.#resourceVersion = undefined;
      // The state is read anew at once; failing even at that waits like any other failure.
      if (knewState) return;
    } else if (isInvalid(error) && this.#watchList && this.#resourceVersion === undefined) {
      this.#watchList = false;
      return;
    }
    logger.warn({ err: error }, 'list and watch failed, trying again');
    try {
      await clock.sleep(this.#backoff.nextDelayMs(), { signal });
    } catch {
      // Aborted: `run` sees it.
    }
  }

  async #once(signal: AbortSignal): Promise<void> {
    if (this.#resourceVersion === undefined && !this.#watchList) await this.#list(signal);
    await this.#watch(signal);
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, scope, target } = this.#options;
    const items: T[] = [];
    let resourceVersion: string | undefined;
    let more: string | undefined;
    do {
      const paging = more === undefined ? {} : { continue: more };
      const page = await client.list({ ...scope, limit: LIST_PAGE_SIZE, ...paging, signal });
      items.push(...page.items);
      resourceVersion = page.metadata.resourceVersion;
      more = page.metadata.continue === '' ? undefined : page.metadata.continue;
    } while (more !== undefined);
    target.replace(items);
    this.#resourceVersion = resourceVersion;
    target.onSynced();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, scope, random, clock } = this.#options;
    const from = this.#resourceVersion;
    const events = await client.watch({
      ...scope,
      allowWatchBookmarks: true,
      timeoutSeconds: Math.floor(MIN_WATCH_SECONDS * (1 + random.next())),
      ...(from === undefined
        ? { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan' as const }
        : { resourceVersion: from }),
      signal,
    });
    const openedAt = clock.monotonic();
    let heard = false;
    /** The state being received; undefined once it is complete. */
    let initial: Map<string, T> | undefined = from === undefined ? new Map() : undefined;
    for await (const event of events) {
      if (signal.aborted) return;
      heard = true;
      if (initial === undefined) this.#apply(event);
      else if (this.#collect(event, initial)) initial = undefined;
    }
    if (initial !== undefined && !signal.aborted)
      throw new Error('the watch ended within its initial events');
    if (!heard && clock.monotonic() - openedAt < SHORT_WATCH_MS) {
      throw new Error('the watch ended at once and without an event');
    }
  }

  /** True when the initial state is complete and in the cache. */
  #collect(event: WatchEvent<T>, initial: Map<string, T>): boolean {
    const { target, keyOf } = this.#options;
    if (event.type === 'ERROR') throw StatusError.fromStatus(event.object);
    if (event.type === 'BOOKMARK') {
      if (event.object.metadata.annotations?.[INITIAL_EVENTS_END] !== 'true') return false;
      target.replace([...initial.values()]);
      this.#resourceVersion = event.object.metadata.resourceVersion;
      target.onSynced();
      return true;
    }
    if (event.type === 'DELETED') initial.delete(keyOf(event.object));
    else initial.set(keyOf(event.object), event.object);
    return false;
  }

  #apply(event: WatchEvent<T>): void {
    const { target, keyOf } = this.#options;
    if (event.type === 'ERROR') throw StatusError.fromStatus(event.object);
    // Before the handlers run: what they see is never older than what a new watch would start from.
    this.#resourceVersion = (event.object as KubeObject).metadata.resourceVersion ?? this.#resourceVersion;
    if (event.type === 'BOOKMARK') return;
    if (event.type === 'DELETED') target.delete(keyOf(event.object), event.object);
    else target.set(event.object);
  }
}
