/**
 * The last events of a resource, for watches that start in the past. Bounded: when full the oldest is forgotten, and
 * `floor` rises to its revision. A watch from before the floor is served from the store's own history.
 */
import type { Revision } from '#store';
import type { CacheEvent } from './cache-event.ts';

/** Events held per resource. At a busy 500 changes a second: the last 16 s. */
export const MAX_RING_EVENTS = 8192;

export class EventRing {
  readonly #limit: number;
  #events: CacheEvent[] = [];
  /** Index of the oldest event, once the array is full and is written round and round. */
  #oldest = 0;
  #floor: Revision;

  /** `floor`: every event after this revision is held. */
  constructor(floor: Revision, limit: number = MAX_RING_EVENTS) {
    this.#floor = floor;
    this.#limit = limit;
  }

  get floor(): Revision {
    return this.#floor;
  }

  push(event: CacheEvent): void {
    if (this.#events.length < this.#limit) {
      this.#events.push(event);
      return;
    }
    const forgotten = this.#events[this.#oldest];
    if (forgotten !== undefined) this.#floor = forgotten.revision;
    this.#events[this.#oldest] = event;
    this.#oldest = (this.#oldest + 1) % this.#limit;
  }

  /** Events with a revision greater than `revision`, oldest first. Complete only if `revision >= floor`. */
  after(revision: Revision): readonly CacheEvent[] {
    const count = this.#events.length;
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#at(middle)?.revision ?? 0) <= revision) low = middle + 1;
      else high = middle;
    }
    const out: CacheEvent[] = [];
    for (let i = low; i < count; i++) {
      const event = this.#at(i);
      if (event !== undefined) out.push(event);
    }
    return out;
  }

  #at(position: number): CacheEvent | undefined {
    return this.#events[(this.#oldest + position) % this.#events.length];
  }
}
