/**
 * The queue of a controller: keys, not objects, each at most once.
 *
 * A key added while it waits is dropped (the worker will see the newest state anyway); one added while it is being
 * worked on runs again afterwards, never twice at the same time. So the queue holds at most as many keys as there are
 * objects: that is its bound. Semantics of client-go's `util/workqueue`, without its overall token bucket: the API
 * server's flow control is what limits a controller here.
 */
import type { Clock, Timer } from '#platform';

/** First delay of `addRateLimited`; doubles with every call for the same key. */
const FIRST_RETRY_MS = 5;
const MAX_RETRY_MS = 1_000_000;

export interface WorkQueueOptions {
  readonly clock: Clock;
  readonly name: string;
}

export interface WorkQueue<K = string> {
  readonly name: string;
  /** Keys waiting now; neither delayed ones nor those being worked on. */
  readonly length: number;
  add(key: K): void;
  /** Adds when the time has come; of several delays for one key the earliest counts. At once when `delayMs` ≤ 0. */
  addAfter(key: K, delayMs: number): void;
  /** Adds after 5 ms, 10 ms, 20 ms … up to 1000 s, growing until `forget`. */
  addRateLimited(key: K): void;
  forget(key: K): void;
  retries(key: K): number;
  /** The next key, which `done` must be called for. Undefined: shut down and drained. Rejects when aborted. */
  get(options?: { readonly signal?: AbortSignal }): Promise<K | undefined>;
  done(key: K): void;
  /** Takes nothing more; what waits is still handed out, delayed keys are dropped. */
  shutDown(): void;
}

interface Waiter<K> {
  readonly resolve: (key: K | undefined) => void;
}

export function createWorkQueue<K = string>(options: WorkQueueOptions): WorkQueue<K> {
  return new ClockWorkQueue<K>(options);
}

class ClockWorkQueue<K> implements WorkQueue<K> {
  readonly name: string;
  readonly #clock: Clock;
  /** Waiting to be handed out, oldest first. */
  readonly #waiting = new Set<K>();
  readonly #processing = new Set<K>();
  /** Added while being processed. */
  readonly #again = new Set<K>();
  readonly #delayed = new Map<K, { readonly at: number; readonly timer: Timer }>();
  readonly #failures = new Map<K, number>();
  readonly #waiters = new Set<Waiter<K>>();
  #closed = false;

  constructor(options: WorkQueueOptions) {
    this.name = options.name;
    this.#clock = options.clock;
  }

  get length(): number {
    return this.#waiting.size;
  }

  add(key: K): void {
    if (this.#closed) return;
    if (this.#processing.has(key)) {
      this.#again.add(key);
      return;
    }
    this.#waiting.add(key);
    this.#serve();
  }

  addAfter(key: K, delayMs: number): void {
    if (this.#closed) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const at = this.#clock.monotonic() + delayMs;
    const known = this.#delayed.get(key);
    if (known !== undefined) {
      if (known.at <= at) return;
      known.timer.cancel();
    }
    const timer = this.#clock.setTimer(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { at, timer });
  }

  addRateLimited(key: K): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.addAfter(key, Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** failures));
  }

  forget(key: K): void {
    this.#failures.delete(key);
  }

  retries(key: K): number {
    return this.#failures.get(key) ?? 0;
  }

  get({ signal }: { readonly signal?: AbortSignal } = {}): Promise<K | undefined> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const onAbort = (): void => {
        this.#waiters.delete(waiter);
        reject(signal?.reason as Error);
      };
      const waiter: Waiter<K> = {
        resolve: (key) => {
          signal?.removeEventListener('abort', onAbort);
          resolve(key);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
      this.#serve();
    });
  }

  done(key: K): void {
    if (!this.#processing.delete(key)) return;
    if (this.#again.delete(key)) {
      this.#waiting.add(key);
      this.#serve();
    }
  }

  shutDown(): void {
    this.#closed = true;
    for (const { timer } of this.#delayed.values()) timer.cancel();
    this.#delayed.clear();
    this.#serve();
  }

  #serve(): void {
    for (const waiter of this.#waiters) {
      const [next] = this.#waiting;
      if (next === undefined) break;
      this.#waiters.delete(waiter);
      this.#waiting.delete(next);
      this.#processing.add(next);
      waiter.resolve(next);
    }
    if (!this.#closed || this.#waiting.size > 0) return;
    for (const waiter of this.#waiters) waiter.resolve(undefined);
    this.#waiters.clear();
  }
}
