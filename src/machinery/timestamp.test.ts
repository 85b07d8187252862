import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  canonicalMicroTime,
  canonicalTime,
  formatMicroTimestamp,
  formatTimestamp,
  parseTimestamp,
} from './timestamp.ts';

test('a time is printed in UTC with whole seconds', () => {
  assert.deepEqual(canonicalTime('2026-01-31T12:00:00Z'), { text: '2026-01-31T12:00:00Z' });
  assert.deepEqual(canonicalTime('2026-01-31T12:00:00.987654321+02:00'), { text: '2026-01-31T10:00:00Z' });
  assert.deepEqual(canonicalTime('2024-02-29T00:00:00-07:30'), { text: '2024-02-29T07:30:00Z' });
  assert.deepEqual(canonicalTime('2026-01-31T1:00:00Z'), { text: '2026-01-31T01:00:00Z' });
});

test('a micro time has exactly six digits', () => {
  assert.deepEqual(canonicalMicroTime('2026-01-31T12:00:00.123456Z'), {
    text: '2026-01-31T12:00:00.123456Z',
  });
  assert.deepEqual(canonicalMicroTime('2026-01-31T12:00:00Z'), {
    error:
      'parsing time "2026-01-31T12:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"',
  });
});

test("Go's zero time is no time", () => {
  assert.deepEqual(canonicalTime('0001-01-01T00:00:00Z'), { text: undefined });
});

test('what is not a time is refused in Go words', () => {
  const layout = '"2006-01-02T15:04:05Z07:00"';
  const cases: readonly (readonly [string, string])[] = [
    ['abc', `parsing time "abc" as ${layout}: cannot parse "abc" as "2006"`],
    ['2026-01-31', `parsing time "2026-01-31" as ${layout}: cannot parse "" as "T"`],
    ['2026-13-01T00:00:00Z', 'parsing time "2026-13-01T00:00:00Z": month out of range'],
    ['2026-02-29T00:00:00Z', 'parsing time "2026-02-29T00:00:00Z": day out of range'],
    ['2026-01-31T24:00:00Z', 'parsing time "2026-01-31T24:00:00Z": hour out of range'],
    ['2026-01-31T12:00:00Zx', 'parsing time "2026-01-31T12:00:00Zx": extra text: "x"'],
    ['2026-01-31T12:00:00', `parsing time "2026-01-31T12:00:00" as ${layout}: cannot parse "" as "Z07:00"`],
  ];
  for (const [text, error] of cases) assert.deepEqual(canonicalTime(text), { error });
});

test('times and milliseconds convert into each other', () => {
  assert.equal(parseTimestamp('2026-01-31T12:00:00.25Z'), Date.UTC(2026, 0, 31, 12, 0, 0, 250));
  assert.equal(formatTimestamp(Date.UTC(2026, 0, 31, 12, 0, 0, 999)), '2026-01-31T12:00:00Z');
  assert.equal(formatMicroTimestamp(Date.UTC(2026, 0, 31, 12, 0, 0, 250)), '2026-01-31T12:00:00.250000Z');
});
