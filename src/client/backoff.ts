import type { Clock, MonotonicMs, Random } from '#platform';

export interface BackoffOptions {
  readonly initialMs: number;
  readonly maxMs: number;
  /** Grown by this each time. Default 2. */
  readonly factor?: number;
  /** Up to this share of the delay is added at random. Default 1 (so: once to twice the delay). */
  readonly jitter?: number;
  /** Without a failure for this long the next delay is the initial one again. */
  readonly resetAfterMs: number;
}

/** Growing pauses between attempts at the same thing. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  #delayMs: number;
  #lastAt: MonotonicMs | undefined;

  constructor(options: BackoffOptions, clock: Clock, random: Random) {
    this.#options = options;
    this.#clock = clock;
    this.#random = random;
    this.#delayMs = options.initialMs;
  }

  nextDelayMs(): number {
    const { initialMs, maxMs, factor = 2, jitter = 1, resetAfterMs } = this.#options;
    const now = this.#clock.monotonic();
    if (this.#lastAt !== undefined && now - this.#lastAt > resetAfterMs) this.#delayMs = initialMs;
    this.#lastAt = now;
    const delay = this.#delayMs;
    this.#delayMs = Math.min(maxMs, delay * factor);
    return delay * (1 + this.#random.next() * jitter);
  }

  reset(): void {
    this.#delayMs = this.#options.initialMs;
    this.#lastAt = undefined;
  }
}
