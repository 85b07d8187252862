/** Milliseconds since the Unix epoch. For timestamps that people or the API see; may jump. */
export type WallTimeMs = number & { readonly __brand?: 'WallTimeMs' };
/** Milliseconds on a clock that never goes back. For durations and deadlines only; its zero means nothing. */
export type MonotonicMs = number & { readonly __brand?: 'MonotonicMs' };

export interface Timer {
  /** Idempotent; after it the callback does not run. */
  cancel(): void;
}

/**
 * Every wait and every timestamp of k8ts comes from here, so that a test can hold time still and step it.
 * Real: `systemClock` in `platform/node`. Held by a test: `VirtualClock` in `testing`.
 */
export interface Clock {
  now(): WallTimeMs;
  monotonic(): MonotonicMs;
  /** Calls back once, never before `delayMs` has passed. A pending timer does not keep the process alive. */
  setTimer(delayMs: number, callback: () => void): Timer;
  /** Resolves after `delayMs`; rejects with the signal's reason when it is aborted first. */
  sleep(delayMs: number, options?: { readonly signal?: AbortSignal }): Promise<void>;
}

/** RFC 3339 with seconds, as `metav1.Time` prints it: `2026-01-02T03:04:05Z`. */
export function formatTime(ms: WallTimeMs): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** RFC 3339 with microseconds, as `metav1.MicroTime` prints it: `2026-01-02T03:04:05.678000Z`. */
export function formatMicroTime(ms: WallTimeMs): string {
  return `${new Date(ms).toISOString().slice(0, 23)}000Z`;
}
