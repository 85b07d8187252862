/**
 * Remembers what a controller has just asked for until its cache shows it. Without that, a reconcile that runs before
 * the watch delivers the pods of the one before it would create them a second time.
 *
 * Worked example: a ReplicaSet of 3 with none. `expectCreations(key, 3)`, then three creates. Until three ADDED events
 * (or failures, which count as observed) have come in, `satisfied(key)` is false and the reconcile only writes status.
 * If an event never comes, the expectation lapses after five minutes.
 */
import type { Clock, MonotonicMs } from '#platform';

const LAPSE_MS = 5 * 60_000;

interface Expectation {
  creations: number;
  /** Uids of objects being deleted: the same deletion can be seen twice (marked, then gone). */
  readonly deletions: Set<string>;
  at: MonotonicMs;
}

/** Bounded by the number of objects the controller looks after: `forget` goes with each of them. */
export class Expectations {
  readonly #clock: Clock;
  readonly #byKey = new Map<string, Expectation>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True when the cache can be trusted to show what this controller did. */
  satisfied(key: string): boolean {
    const expectation = this.#byKey.get(key);
    if (expectation === undefined) return true;
    if (expectation.creations <= 0 && expectation.deletions.size === 0) return true;
    return this.#clock.monotonic() - expectation.at > LAPSE_MS;
  }

  expectCreations(key: string, count: number): void {
    const now = this.#clock.monotonic();
    this.#byKey.set(key, { creations: count, deletions: new Set(), at: now });
  }

  expectDeletions(key: string, uids: readonly string[]): void {
    this.#byKey.set(key, { creations: 0, deletions: new Set(uids), at: this.#clock.monotonic() });
  }

  /** Both at once, as for a DaemonSet that replaces pods. */
  expect(key: string, creations: number, uids: readonly string[]): void {
    this.#byKey.set(key, { creations, deletions: new Set(uids), at: this.#clock.monotonic() });
  }

  /** An object appeared, or its creation failed. */
  creationObserved(key: string): void {
    const expectation = this.#byKey.get(key);
    if (expectation !== undefined) expectation.creations--;
  }

  deletionObserved(key: string, uid: string): void {
    this.#byKey.get(key)?.deletions.delete(uid);
  }

  forget(key: string): void {
    this.#byKey.delete(key);
  }
}
