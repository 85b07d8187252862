/**
 * What changed in a spec that may not change, as a unified diff of its JSON. Upstream prints the same of its
 * internal types; here the fields have the names that users write.
 */

/** Lines around a change. */
const CONTEXT = 3;
/** Longer texts are told apart only by their common head and tail: the table below grows with the square. */
const MAX_TABLE_LINES = 2_000;

interface Edit {
  readonly kind: ' ' | '-' | '+';
  readonly line: string;
}

const linesOf = (value: unknown): readonly string[] =>
  JSON.stringify(value ?? null, undefined, 1).split('\n');

export function specDiff(old: unknown, next: unknown): string {
  const edits = editScript(linesOf(old), linesOf(next));
  return hunksOf(edits).join('');
}

function editScript(a: readonly string[], b: readonly string[]): readonly Edit[] {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  const same = (lines: readonly string[]): Edit[] => lines.map((line) => ({ kind: ' ', line }));
  return [
    ...same(a.slice(0, head)),
    ...middleEdits(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...same(tail === 0 ? [] : a.slice(-tail)),
  ];
}

/** The longest common subsequence decides what stays. */
function middleEdits(a: readonly string[], b: readonly string[]): readonly Edit[] {
  const removed = (lines: readonly string[]): Edit[] => lines.map((line) => ({ kind: '-', line }));
  const added = (lines: readonly string[]): Edit[] => lines.map((line) => ({ kind: '+', line }));
  if (Math.max(a.length, b.length) > MAX_TABLE_LINES) return [...removed(a), ...added(b)];
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const edits: Edit[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const line = a[i] ?? '';
    if (line === b[j]) {
      edits.push({ kind: ' ', line });
      i++;
      j++;
    } else if (at(i + 1, j) >= at(i, j + 1)) {
      edits.push({ kind: '-', line });
      i++;
    } else {
      edits.push({ kind: '+', line: b[j] ?? '' });
      j++;
    }
  }
  return [...edits, ...removed(a.slice(i)), ...added(b.slice(j))];
}

function hunksOf(edits: readonly Edit[]): string[] {
  const hunks: string[] = [];
  let oldLine = 1;
  let newLine = 1;
  let i = 0;
  while (i < edits.length) {
    const end = hunkEnd(edits, i);
    if (end === undefined) break;
    const hunk = edits.slice(end.start, end.stop);
    const before = edits.slice(i, end.start).length;
    oldLine += before;
    newLine += before;
    const oldCount = hunk.filter(({ kind }) => kind !== '+').length;
    const newCount = hunk.filter(({ kind }) => kind !== '-').length;
    const body = hunk.map(({ kind, line }) => `${kind}${line}\n`).join('');
    hunks.push(`@@ -${rangeOf(oldLine, oldCount)} +${rangeOf(newLine, newCount)} @@\n${body}`);
    oldLine += oldCount;
    newLine += newCount;
    i = end.stop;
  }
  return hunks;
}

/** Where the next hunk begins and ends; undefined when nothing changes any more. */
function hunkEnd(edits: readonly Edit[], from: number): { start: number; stop: number } | undefined {
  const first = edits.findIndex(({ kind }, i) => i >= from && kind !== ' ');
  if (first < 0) return undefined;
  let last = first;
  for (let i = first; i < edits.length && i <= last + 2 * CONTEXT; i++) if (edits[i]?.kind !== ' ') last = i;
  return { start: Math.max(from, first - CONTEXT), stop: Math.min(edits.length, last + CONTEXT + 1) };
}

function rangeOf(start: number, count: number): string {
  if (count === 1) return String(start);
  return `${count === 0 ? start - 1 : start},${count}`;
}
