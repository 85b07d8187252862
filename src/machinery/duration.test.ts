import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalDuration, formatDuration, parseDuration } from './duration.ts';

test('a duration is read in milliseconds', () => {
  assert.equal(parseDuration('1h30m'), 5_400_000);
  assert.equal(parseDuration('-1.5s'), -1500);
  assert.equal(parseDuration('0'), 0);
  assert.equal(parseDuration('250us'), 0.25);
});

test('a duration is printed as Go prints it', () => {
  assert.equal(formatDuration(5_400_000), '1h30m0s');
  assert.equal(formatDuration(90_061_001.5), '25h1m1.0015s');
  assert.equal(formatDuration(0), '0s');
  assert.equal(formatDuration(0.25), '250µs');
  assert.equal(formatDuration(-61_000), '-1m1s');
  assert.deepEqual(canonicalDuration('90m'), { text: '1h30m0s' });
});

test('what is not a duration is refused in Go words', () => {
  assert.throws(() => parseDuration(''), { message: 'time: invalid duration ""' });
  assert.throws(() => parseDuration('5'), { message: 'time: missing unit in duration "5"' });
  assert.throws(() => parseDuration('5x'), { message: 'time: unknown unit "x" in duration "5x"' });
  assert.throws(() => parseDuration('.s'), { message: 'time: invalid duration ".s"' });
  assert.throws(() => parseDuration('99999999999999999999h'), {
    message: 'time: invalid duration "99999999999999999999h"',
  });
});
