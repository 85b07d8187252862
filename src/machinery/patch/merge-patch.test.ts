import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusError } from '../status-error.ts';
import { applyMergePatch } from './merge-patch.ts';

test('A merge patch merges maps, replaces lists and removes by null', () => {
  const doc = { a: { x: 1, y: 2 }, list: [1, 2], gone: true, kept: { z: 1 } };
  const before = structuredClone(doc);
  const result = applyMergePatch(doc, { a: { y: 3 }, list: [9], gone: null, absent: null });
  assert.deepEqual(result, { a: { x: 1, y: 3 }, list: [9], kept: { z: 1 } });
  assert.deepEqual(doc, before);
  assert.equal((result as typeof doc).kept, doc.kept);
});

test('Nulls in values that are new are dropped, as list items they stay', () => {
  assert.deepEqual(applyMergePatch({}, { a: { b: null, c: [null, { d: null, e: 1 }] } }), {
    a: { c: [null, { e: 1 }] },
  });
});

test('A list replacing an object is taken as it is', () => {
  assert.deepEqual(applyMergePatch({ a: {} }, { a: [{ b: null }] }), { a: [{ b: null }] });
});

test('A patch that is no object is refused with 400', () => {
  const refusal = (patch: unknown): string => {
    try {
      applyMergePatch({}, patch);
    } catch (e) {
      assert.ok(e instanceof StatusError);
      assert.equal(e.code, 400);
      return e.message;
    }
    return '';
  };
  assert.equal(refusal(null), 'Invalid JSON Patch');
  assert.equal(
    refusal([]),
    'error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}',
  );
});
