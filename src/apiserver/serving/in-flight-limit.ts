/** How many requests are worked on at once. Watches and connections do not count: they last. */
import { tooManyRequests } from '#machinery';

/** Mutating requests in flight; the next one is told to come back in a second. */
export const MAX_MUTATING_IN_FLIGHT = 1000;
/** Reading requests in flight. */
export const MAX_READ_IN_FLIGHT = 2000;

export class InFlightLimit {
  readonly #limit: number;
  #current = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get current(): number {
    return this.#current;
  }

  /** Must be followed by `leave`. @throws StatusError 429. */
  enter(): void {
    if (this.#current >= this.#limit) {
      throw tooManyRequests('Too many requests, please try again later.', 1);
    }
    this.#current++;
  }

  leave(): void {
    this.#current--;
  }
}
