import assert from 'node:assert/strict';
import { test } from 'node:test';
import { humanDuration, since } from './human-duration.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

test('durations lose detail as they grow', () => {
  for (const [ms, expected] of [
    [-5 * SECOND, '<invalid>'],
    [0, '0s'],
    [119 * SECOND, '119s'],
    [2 * MINUTE, '2m'],
    [2 * MINUTE + 5 * SECOND, '2m5s'],
    [10 * MINUTE + 5 * SECOND, '10m'],
    [179 * MINUTE, '179m'],
    [3 * HOUR + 20 * MINUTE, '3h20m'],
    [9 * HOUR, '9h'],
    [47 * HOUR, '47h'],
    [50 * HOUR, '2d2h'],
    [8 * DAY + HOUR, '8d'],
    [400 * DAY, '400d'],
    [2 * 365 * DAY + 3 * DAY, '2y3d'],
    [9 * 365 * DAY, '9y'],
  ] as const) {
    assert.equal(humanDuration(ms), expected);
  }
});

test('an age without a beginning is unknown', () => {
  assert.equal(since(undefined, 0), '<unknown>');
  assert.equal(since('1970-01-01T00:00:00Z', 3 * MINUTE), '3m');
});
