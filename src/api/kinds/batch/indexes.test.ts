import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Indexes, overlapOf, parseIndexes } from './indexes.ts';

function parsed(text: string): Indexes {
  const indexes = parseIndexes(text, 100);
  if (typeof indexes === 'string') throw new Error(indexes);
  return indexes;
}

test('indexes are single ones and ranges, counted', () => {
  assert.deepEqual(parsed(''), { intervals: [], total: 0 });
  assert.deepEqual(parsed('1,3-5,7'), {
    intervals: [
      [1, 1],
      [3, 5],
      [7, 7],
    ],
    total: 5,
  });
});

test('indexes that are no numbers, out of order or beyond the completions are refused', () => {
  for (const text of ['a', '1,', '3-', '5-3', '3,1', '1,1', '1-3,3', '-1', '98-100', '1-2-3']) {
    assert.equal(typeof parseIndexes(text, 100), 'string', text);
  }
});

test('the first index that two sets share is found', () => {
  assert.equal(overlapOf(parsed('1,3-5'), parsed('2,6-9')), undefined);
  assert.equal(overlapOf(parsed('1,3-5'), parsed('4-9')), 4);
  assert.equal(overlapOf(parsed('1,3-5'), parsed('0-99')), 1);
});
