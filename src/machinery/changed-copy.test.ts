import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getPath, setPath, withField } from './changed-copy.ts';

test('setting copies along the path and nothing else', () => {
  const object = Object.freeze({ a: Object.freeze({ b: 1 }), other: Object.freeze({}) });
  const changed = setPath(object, ['a', 'b'], 2);
  assert.deepEqual(changed, { a: { b: 2 }, other: {} });
  assert.equal(changed.other, object.other);
  assert.deepEqual(object, { a: { b: 1 }, other: {} });
});

test('setting what is there already gives the same object', () => {
  const object = { a: { b: 1 } };
  assert.equal(setPath(object, ['a', 'b'], 1), object);
  assert.equal(setPath(object, ['x', 'y'], undefined), object);
  assert.equal(withField(object, 'gone', undefined), object);
});

test('what is missing on the way is made, and undefined takes away', () => {
  assert.deepEqual(setPath({}, ['a', 'b'], 1), { a: { b: 1 } });
  assert.deepEqual(setPath({ a: { b: 1, c: 2 } }, ['a', 'b'], undefined), { a: { c: 2 } });
  assert.equal(getPath({ a: { b: 1 } }, ['a', 'b']), 1);
  assert.equal(getPath({ a: 1 }, ['a', 'b']), undefined);
  assert.equal(getPath({}, ['constructor']), undefined);
});
