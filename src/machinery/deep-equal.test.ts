import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deepEqual } from './deep-equal.ts';

test('values are equal by structure, whatever the order of keys', () => {
  assert.equal(deepEqual({ a: [1, { b: null }], c: 'x' }, { c: 'x', a: [1, { b: null }] }), true);
  assert.equal(deepEqual({ a: undefined }, {}), true);
  assert.equal(deepEqual({}, { a: undefined }), true);
});

test('what differs is not equal', () => {
  const pairs: readonly (readonly [unknown, unknown])[] = [
    [{ a: 1 }, { a: 2 }],
    [{ a: 1 }, { b: 1 }],
    [{ a: 1 }, { a: 1, b: 2 }],
    [
      [1, 2],
      [2, 1],
    ],
    [[1], [1, 2]],
    [[], {}],
    [null, {}],
    [0, ''],
    [{ a: null }, {}],
    [{ a: undefined }, { b: undefined, c: 1 }],
  ];
  for (const [a, b] of pairs) {
    assert.equal(deepEqual(a, b), false, JSON.stringify([a, b]));
    assert.equal(deepEqual(b, a), false, JSON.stringify([b, a]));
  }
});
