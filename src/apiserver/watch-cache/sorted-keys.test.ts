import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, boolean, integer, property, record, tuple } from 'fast-check';
import { SortedKeys } from './sorted-keys.ts';

test('keys come out in order whatever order they went in and out', () => {
  const key = integer({ min: 0, max: 3000 }).map((n) => `ns${n % 7}/name-${n}`);
  check(
    property(
      array(record({ key, add: boolean() }), { maxLength: 4000 }),
      tuple(key, key),
      (steps, bounds) => {
        const keys = new SortedKeys();
        const model = new Set<string>();
        for (const step of steps) {
          if (step.add) {
            keys.add(step.key);
            model.add(step.key);
          } else {
            keys.remove(step.key);
            model.delete(step.key);
          }
        }
        const [start = '', end = ''] = [...bounds].sort();
        assert.equal(keys.size, model.size);
        assert.deepEqual([...keys.range('', '')], [...model].sort());
        assert.deepEqual(
          [...keys.range(start, end)],
          [...model].sort().filter((k) => k >= start && (end === '' || k < end)),
        );
      },
    ),
    { numRuns: 30 },
  );
});
