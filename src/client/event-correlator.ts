/**
 * Keeps events few: the same one again raises a count, ten alike become one, and an object that never stops talking
 * is cut off. Figures are client-go's, so that `kubectl get events` reads the same.
 */
import type { Clock, MonotonicMs } from '#platform';

/** Distinct messages of otherwise equal events within the window before they are combined. */
const MAX_SIMILAR = 10;
const SIMILAR_WINDOW_MS = 600_000;
/** Events one source may write about one object at once, and how fast that allowance comes back. */
const SPAM_BURST = 25;
const SPAM_REFILL_MS = 300_000;
/** Entries of each memory; the longest unused is forgotten, and its event starts again at count 1. */
const MAX_REMEMBERED = 4096;

/** A map that forgets what was not used for longest. */
class RecentMap<V> {
  readonly #entries = new Map<string, V>();

  get(key: string): V | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, value);
    }
    return value;
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > MAX_REMEMBERED && oldest !== undefined) this.#entries.delete(oldest);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}

/** What makes two events alike. */
export interface EventShape {
  /** Source and object. */
  readonly about: string;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
}

/** The event as it stands on the server. */
export interface RecordedEvent {
  readonly name: string;
  readonly namespace: string;
  readonly count: number;
}

export interface CorrelatedEvent {
  /** Key under which `recorded` remembers it. */
  readonly key: string;
  readonly message: string;
  /** Present: raise this one's count instead of creating another. */
  readonly existing?: RecordedEvent;
}

export class EventCorrelator {
  readonly #clock: Clock;
  readonly #allowances = new RecentMap<{ left: number; at: MonotonicMs }>();
  readonly #similar = new RecentMap<{ messages: Set<string>; at: MonotonicMs }>();
  readonly #recorded = new RecentMap<RecordedEvent>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Undefined: dropped as spam. */
  correlate(event: EventShape): CorrelatedEvent | undefined {
    if (!this.#allowed(event.about)) return undefined;
    const family = `${event.about}\n${event.type}\n${event.reason}`;
    const combined = this.#isOneOfMany(family, event.message);
    const key = combined ? family : `${family}\n${event.message}`;
    const message = combined ? `(combined from similar events): ${event.message}` : event.message;
    const existing = this.#recorded.get(key);
    return { key, message, ...(existing === undefined ? {} : { existing }) };
  }

  recorded(key: string, event: RecordedEvent): void {
    this.#recorded.set(key, event);
  }

  /** The event is gone from the server: the next one is created anew. */
  forget(key: string): void {
    this.#recorded.delete(key);
  }

  #allowed(about: string): boolean {
    const now = this.#clock.monotonic();
    const known = this.#allowances.get(about) ?? { left: SPAM_BURST, at: now };
    const left = Math.min(SPAM_BURST, known.left + (now - known.at) / SPAM_REFILL_MS);
    const allowed = left >= 1;
    this.#allowances.set(about, { left: allowed ? left - 1 : left, at: now });
    return allowed;
  }

  #isOneOfMany(family: string, message: string): boolean {
    const now = this.#clock.monotonic();
    const known = this.#similar.get(family);
    const fresh = known !== undefined && now - known.at <= SIMILAR_WINDOW_MS;
    const messages = fresh ? known.messages : new Set<string>();
    messages.add(message);
    this.#similar.set(family, { messages, at: now });
    if (messages.size < MAX_SIMILAR) return false;
    messages.delete(message);
    return true;
  }
}
