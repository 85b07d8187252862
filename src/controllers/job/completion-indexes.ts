/**
 * Sets of completion indexes as a Job's status spells them: `1,3-5,7`. Kept as intervals, for a job of a million
 * completions has mostly one.
 */
export interface Interval {
  readonly first: number;
  readonly last: number;
}

export class CompletionIndexes {
  static readonly none = new CompletionIndexes([]);
  readonly #intervals: readonly Interval[];

  /** `intervals` in order, without overlap and without neighbours that could be one. */
  private constructor(intervals: readonly Interval[]) {
    this.#intervals = intervals;
  }

  static of(indexes: Iterable<number>): CompletionIndexes {
    const sorted = [...new Set(indexes)].toSorted((a, b) => a - b);
    return new CompletionIndexes(joined(sorted.map((index) => ({ first: index, last: index }))));
  }

  /** What is not a number is skipped, and what reaches beyond `completions` cut off. */
  static parse(text: string | undefined, completions: number): CompletionIndexes {
    const intervals: Interval[] = [];
    for (const part of text === undefined || text === '' ? [] : text.split(',')) {
      const [from = '', to = from] = part.split('-');
      const [first, last] = [Number(from), Number(to)];
      if (from === '' || !Number.isInteger(first) || !Number.isInteger(last)) continue;
      if (first >= completions) break;
      intervals.push({ first, last: Math.min(last, completions - 1) });
    }
    return new CompletionIndexes(joined(intervals));
  }

  get size(): number {
    return this.#intervals.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  }

  has(index: number): boolean {
    return this.#intervals.some(({ first, last }) => first <= index && index <= last);
  }

  union(other: CompletionIndexes): CompletionIndexes {
    if (other.#intervals.length === 0) return this;
    const all = [...this.#intervals, ...other.#intervals].toSorted((a, b) => a.first - b.first);
    return new CompletionIndexes(joined(all));
  }

  /** How many are in both. */
  common(other: CompletionIndexes): number {
    let count = 0;
    for (const mine of this.#intervals)
      for (const theirs of other.#intervals)
        count += Math.max(0, Math.min(mine.last, theirs.last) - Math.max(mine.first, theirs.first) + 1);
    return count;
  }

  /** The lowest `count` of the indexes below `completions` that are not in the set. */
  firstMissing(count: number, completions: number): readonly number[] {
    const missing: number[] = [];
    let candidate = 0;
    for (const { first, last } of [...this.#intervals, { first: completions, last: completions }]) {
      for (; candidate < Math.min(first, completions) && missing.length < count; candidate++)
        missing.push(candidate);
      candidate = Math.max(candidate, last + 1);
    }
    return missing;
  }

  toString(): string {
    return this.#intervals
      .map(({ first, last }) =>
        first === last ? `${first}` : `${first}${last === first + 1 ? ',' : '-'}${last}`,
      )
      .join(',');
  }
}

function joined(sorted: readonly Interval[]): readonly Interval[] {
  const result: Interval[] = [];
  for (const next of sorted) {
    const before = result.at(-1);
    if (before === undefined || next.first > before.last + 1) result.push(next);
    else if (next.last > before.last) result[result.length - 1] = { first: before.first, last: next.last };
  }
  return result;
}
