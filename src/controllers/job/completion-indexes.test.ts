import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CompletionIndexes } from './completion-indexes.ts';

const COMPLETIONS = 40;
const indexes = fc.array(fc.nat(COMPLETIONS - 1), { maxLength: 60 });

test('indexes are written as runs', () => {
  const text = (list: readonly number[]): string => String(CompletionIndexes.of(list));
  assert.equal(text([]), '');
  assert.equal(text([3, 1, 5, 4, 7]), '1,3-5,7');
  assert.equal(text([0, 1]), '0,1');
});

test('what cannot be read is left out, and what is too large cut off', () => {
  assert.equal(String(CompletionIndexes.parse('1,x,3-9,12', 6)), '1,3-5');
  assert.equal(String(CompletionIndexes.parse(undefined, 6)), '');
});

test('what is written is read again', () => {
  fc.assert(
    fc.property(indexes, (list) => {
      const set = CompletionIndexes.of(list);
      assert.equal(String(CompletionIndexes.parse(String(set), COMPLETIONS)), String(set));
      assert.equal(set.size, new Set(list).size);
    }),
  );
});

test('union and common agree with plain sets', () => {
  fc.assert(
    fc.property(indexes, indexes, (a, b) => {
      const [left, right] = [CompletionIndexes.of(a), CompletionIndexes.of(b)];
      assert.equal(String(left.union(right)), String(CompletionIndexes.of([...a, ...b])));
      assert.equal(left.common(right), new Set(a).intersection(new Set(b)).size);
      for (const index of a) assert.ok(left.union(right).has(index));
    }),
  );
});

test('the first missing indexes are the lowest that are not in the set', () => {
  fc.assert(
    fc.property(indexes, fc.nat(10), (list, count) => {
      const missing = Array.from({ length: COMPLETIONS }, (_, index) => index).filter(
        (index) => !list.includes(index),
      );
      const found = CompletionIndexes.of(list).firstMissing(count, COMPLETIONS);
      assert.deepEqual(found, missing.slice(0, count));
    }),
  );
});
