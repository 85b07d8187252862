import { orderedKey } from './ordered-key.ts';

/** What is looked for: a range of keys, its ends in `orderedKey` form. */
export interface Interval {
  readonly start: string;
  readonly end: string;
}

/**
 * Finds all intervals that contain a key, with hundreds of intervals and one lookup per written key.
 *
 * The ends of all intervals cut the key space into segments; inside one segment the answer is the same for every key,
 * so it is a list made beforehand and the lookup is one binary search.
 *
 *     A = [a, m)   B = [f, z)      a───f───m───z
 *                                    A   AB   B
 */
export class WatchSegments<T extends Interval> {
  readonly #intervals = new Set<T>();
  #cuts: readonly string[] | undefined;
  #members: readonly (readonly T[])[] = [];

  get all(): ReadonlySet<T> {
    return this.#intervals;
  }

  add(interval: T): void {
    this.#intervals.add(interval);
    this.#cuts = undefined;
  }

  delete(interval: T): void {
    if (this.#intervals.delete(interval)) this.#cuts = undefined;
  }

  /** `key` as the client wrote it. The list is shared: do not change it. */
  containing(key: string): readonly T[] {
    if (this.#intervals.size === 0) return [];
    const cuts = this.#cuts ?? this.#cut();
    const ordered = orderedKey(key);
    let low = 0;
    let high = cuts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const cut = cuts[middle];
      if (cut !== undefined && cut <= ordered) low = middle + 1;
      else high = middle;
    }
    return this.#members[low - 1] ?? [];
  }

  /** Intervals come and go rarely; keys are written all the time. So the segments are remade whole, when next needed. */
  #cut(): readonly string[] {
    const bounds = new Set<string>();
    for (const { start, end } of this.#intervals) bounds.add(start).add(end);
    const cuts = [...bounds].sort((a, b) => (a < b ? -1 : 1));
    const place = new Map(cuts.map((cut, at) => [cut, at]));
    const members: T[][] = cuts.map(() => []);
    for (const interval of this.#intervals) {
      const until = place.get(interval.end) ?? 0;
      for (let at = place.get(interval.start) ?? 0; at < until; at++) members[at]?.push(interval);
    }
    this.#cuts = cuts;
    this.#members = members;
    return cuts;
  }
}
