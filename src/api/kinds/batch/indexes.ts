/** Indexes of an indexed Job as text: `1,3-5,7`. */
export interface Indexes {
  readonly intervals: readonly (readonly [first: number, last: number])[];
  readonly total: number;
}

/** The indexes, or what is wrong with the text. */
export function parseIndexes(text: string, completions: number): Indexes | string {
  const intervals: (readonly [number, number])[] = [];
  let total = 0;
  for (const part of text === '' ? [] : text.split(',')) {
    const interval = parseInterval(part, completions);
    if (typeof interval === 'string') return interval;
    const previous = intervals.at(-1)?.[1];
    if (previous !== undefined && previous >= interval[0]) {
      return `non-increasing order, previous: ${previous}, current: ${interval[0]}`;
    }
    total += interval[1] - interval[0] + 1;
    intervals.push(interval);
  }
  return { intervals, total };
}

function parseInterval(text: string, completions: number): readonly [number, number] | string {
  const limits = text.split('-');
  if (limits.length > 2) {
    return `the fragment ${JSON.stringify(text)} violates the requirement that an index interval can have at most two parts separated by '-'`;
  }
  const numbers: number[] = [];
  for (const limit of limits) {
    if (!/^[+-]?\d+$/.test(limit)) {
      return `cannot convert string to integer for index: ${JSON.stringify(limit)}`;
    }
    if (Number(limit) >= completions) return `too large index: ${JSON.stringify(limit)}`;
    numbers.push(Number(limit));
  }
  const [first = 0, last = first] = numbers;
  if (numbers.length === 2 && first >= last) {
    return `non-increasing order, previous: ${first}, current: ${last}`;
  }
  return [first, last];
}

/** The first index that both have; undefined when they have none in common. */
export function overlapOf(a: Indexes, b: Indexes): number | undefined {
  for (const [first, last] of a.intervals) {
    const other = b.intervals.find(([start, end]) => first <= end && start <= last);
    if (other !== undefined) return Math.max(first, other[0]);
  }
  return undefined;
}
