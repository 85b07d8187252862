/**
 * Exponential back-off by key, as upstream's `flowcontrol.Backoff` counts it: 10 s doubling up to 5 min, and back to
 * the start when the thing behaved for 10 min.
 *
 * Worked example for a container that dies at once, every time: death 1 at 0 s: no entry yet, restart at once and
 * wait 10 s next time. Death 2 at 0 s: restart at 10 s (entry 20 s). Death 3 at 10 s: restart at 30 s (entry 40 s) …
 */
import type { Clock } from '#platform';

export const INITIAL_BACKOFF_MS = 10_000;
export const MAX_BACKOFF_MS = 300_000;
/** A pod has few containers and images; beyond this the oldest entry is dropped. */
const MAX_ENTRIES = 256;

interface Entry {
  readonly delayMs: number;
  /** Wall time, because what it is compared with comes from the runtime. */
  readonly updatedMs: number;
}

export class RestartBackoff {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The present delay of `key`; 0 when there is none. */
  delayMs(key: string): number {
    return this.#entries.get(key)?.delayMs ?? 0;
  }

  /** Milliseconds left until `key` may go again, counted from `sinceMs` (wall time); 0: now. */
  remainingMs(key: string, sinceMs: number): number {
    const entry = this.#entries.get(key);
    if (entry === undefined || expired(sinceMs, entry)) return 0;
    return Math.max(0, sinceMs + entry.delayMs - this.#clock.now());
  }

  /** Same, counted from the last `next`. */
  remainingSinceUpdateMs(key: string): number {
    const entry = this.#entries.get(key);
    if (entry === undefined) return 0;
    return Math.max(0, entry.updatedMs + entry.delayMs - this.#clock.now());
  }

  /** Counts one more failure that happened at `sinceMs`. */
  next(key: string, sinceMs: number): void {
    const entry = this.#entries.get(key);
    const delayMs =
      entry === undefined || expired(sinceMs, entry)
        ? INITIAL_BACKOFF_MS
        : Math.min(entry.delayMs * 2, MAX_BACKOFF_MS);
    this.#entries.delete(key);
    this.#entries.set(key, { delayMs, updatedMs: this.#clock.now() });
    if (this.#entries.size > MAX_ENTRIES) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    }
  }
}

const expired = (sinceMs: number, entry: Entry): boolean => sinceMs - entry.updatedMs > MAX_BACKOFF_MS * 2;
