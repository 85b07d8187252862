import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sameValue } from './same-value.ts';

test('What the API prints for nothing is nothing', () => {
  assert.equal(sameValue({ a: 1, b: null, c: {}, d: [] }, { a: 1 }), true);
  assert.equal(sameValue({ a: 1 }, { a: 1, lastState: {}, probe: null }), true);
  assert.equal(sameValue(undefined, {}), true);
  assert.equal(sameValue([{}], [undefined]), true);
});

test('Everything else differs', () => {
  assert.equal(sameValue({ a: 1 }, { a: 1, b: 0 }), false);
  assert.equal(sameValue({ a: false }, {}), false);
  assert.equal(sameValue([1], [1, 2]), false);
  assert.equal(sameValue([1], { 0: 1 }), false);
  assert.equal(sameValue({ waiting: { reason: 'x' } }, { running: { reason: 'x' } }), false);
});
