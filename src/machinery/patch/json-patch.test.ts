import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusError } from '../status-error.ts';
import { applyJsonPatch, MAX_JSON_PATCH_OPERATIONS, unknownJsonPatchFields } from './json-patch.ts';

const refused = (code: number, message: string) => (e: unknown) => {
  assert.ok(e instanceof StatusError);
  assert.deepEqual([e.code, e.message], [code, message]);
  return true;
};
const DOES_NOT_APPLY = 'the server rejected our request due to an error in our request';

test('A JSON patch adds, replaces, removes, moves and copies without touching the document', () => {
  const doc = { metadata: { labels: { a: '1' } }, list: [1, 2, 3], same: { x: 1 } };
  const before = structuredClone(doc);
  const result = applyJsonPatch(doc, [
    { op: 'test', path: '/metadata/labels/a', value: '1' },
    { op: 'add', path: '/metadata/labels/b~1c~0d', value: '2' },
    { op: 'replace', path: '/metadata/labels/a', value: '3' },
    { op: 'add', path: '/list/1', value: 9 },
    { op: 'add', path: '/list/-', value: 8 },
    { op: 'remove', path: '/list/0' },
    { op: 'move', from: '/metadata/labels/a', path: '/moved' },
    { op: 'copy', from: '/list', path: '/copy' },
    { op: 'add', path: '/copy/-', value: 7 },
  ]);
  assert.deepEqual(result, {
    metadata: { labels: { 'b/c~d': '2' } },
    list: [9, 2, 3, 8],
    same: { x: 1 },
    moved: '3',
    copy: [9, 2, 3, 8, 7],
  });
  assert.deepEqual(doc, before);
  assert.equal((result as { same: unknown }).same, doc.same);
});

test('A value of the patch that a later operation changes stays as the caller wrote it', () => {
  const patch = [
    { op: 'add', path: '/a', value: { list: [1] } },
    { op: 'add', path: '/a/list/-', value: 2 },
    { op: 'copy', from: '/a', path: '/b' },
    { op: 'add', path: '/b/list/-', value: 3 },
  ];
  const before = structuredClone(patch);
  assert.deepEqual(applyJsonPatch({}, patch), { a: { list: [1, 2] }, b: { list: [1, 2, 3] } });
  assert.deepEqual(patch, before);
});

test('Negative indices, replacing a missing member and testing a missing member for null work as upstream', () => {
  assert.deepEqual(
    applyJsonPatch({ list: ['a', 'b'] }, [
      { op: 'replace', path: '/list/-1', value: 'c' },
      { op: 'replace', path: '/new', value: 1 },
      { op: 'test', path: '/absent', value: null },
    ]),
    { list: ['a', 'c'], new: 1 },
  );
});

test('A member named __proto__ is data', () => {
  const result = applyJsonPatch({}, [{ op: 'add', path: '/__proto__', value: { polluted: true } }]);
  assert.equal(Object.hasOwn(result as object, '__proto__'), true);
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
});

test('An operation that does not apply is refused with 422', () => {
  for (const operation of [
    { op: 'test', path: '/a', value: 2 },
    { op: 'remove', path: '/missing' },
    { op: 'add', path: '/missing/deep', value: 1 },
    { op: 'add', path: '/list/5', value: 1 },
    { op: 'replace', path: '/list/x', value: 1 },
    { op: 'move', from: '/missing', path: '/b' },
    { op: 'copy', from: '/missing/x', path: '/b' },
    { op: 'remove', path: '' },
    { op: 'replace', path: '', value: 'text' },
    { op: 'frobnicate', path: '/a' },
    { op: 'add', value: 1 },
    {},
  ]) {
    assert.throws(() => applyJsonPatch({ a: 1, list: [] }, [operation]), refused(422, DOES_NOT_APPLY));
  }
});

test('A patch that is no list of operations is refused with 400', () => {
  assert.throws(
    () => applyJsonPatch({}, { op: 'add' }),
    refused(
      400,
      'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp',
    ),
  );
  assert.throws(
    () => applyJsonPatch({}, [{ op: 'add', path: 1 }]),
    refused(
      400,
      'error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.path of type string',
    ),
  );
});

test('More operations than the limit are refused with 413', () => {
  const patch = Array.from({ length: MAX_JSON_PATCH_OPERATIONS + 1 }, () => ({ op: 'test', path: '/a' }));
  assert.throws(
    () => applyJsonPatch({}, patch),
    refused(
      413,
      'Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001',
    ),
  );
});

test('Copies that together outgrow a request body are refused', () => {
  const doc = { big: 'x'.repeat(2_000_000) };
  const copy = (path: string) => ({ op: 'copy', from: '/big', path });
  assert.throws(() => applyJsonPatch(doc, [copy('/a'), copy('/b')]), refused(422, DOES_NOT_APPLY));
});

test('Members no operation has are reported for strict validation', () => {
  assert.deepEqual(unknownJsonPatchFields([{ op: 'test', path: '/a', foo: 1 }]), [
    'json patch unknown field "[0].foo"',
  ]);
});
