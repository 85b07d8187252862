import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CacheEntry, encodeForStore, type ServedVersion } from './cache-entry.ts';

const v1: ServedVersion = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  isIdentity: true,
  fromStorage: (object) => object,
  encodeProtobuf: () => undefined,
};

test('the revision is put into the stored bytes, in the place where Go prints it', () => {
  const { stored } = encodeForStore({
    metadata: { name: 'a', labels: { x: 'y' }, uid: 'u', namespace: 'n', resourceVersion: '5' },
    kind: 'ConfigMap',
    apiVersion: 'v1',
    data: { trap: '"resourceVersion":""' },
  });
  const entry = CacheEntry.fromStore('n/a', 42, 40, stored);
  assert.equal(
    entry.json(v1).toString(),
    '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"42",' +
      '"labels":{"x":"y"}},"data":{"trap":"\\"resourceVersion\\":\\"\\""}}',
  );
  assert.equal(entry.object.metadata.resourceVersion, '42');
  assert.deepEqual(JSON.parse(entry.json(v1).toString()), entry.object);
});

test('bytes are made once, and a deleted object shows the revision of its deletion', () => {
  const { object, stored } = encodeForStore({
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: { name: 'a', uid: 'u' },
  });
  const entry = CacheEntry.fromStore('a', 7, 7, stored, object);
  assert.equal(entry.json(v1), entry.json(v1));
  assert.equal(entry.object, object, 'the object of the writer is taken over');
  const gone = entry.tombstone(9);
  assert.equal(gone.object.metadata.resourceVersion, '9');
  assert.equal(entry.object.metadata.resourceVersion, '7');
});

test('a version of another form is converted and encoded once', () => {
  let conversions = 0;
  const v2: ServedVersion = {
    ...v1,
    apiVersion: 'v2',
    isIdentity: false,
    fromStorage: (object) => {
      conversions++;
      return { ...object, apiVersion: 'v2' };
    },
  };
  const entry = CacheEntry.fromObject('a', 1, {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: { name: 'a' },
  });
  assert.equal(entry.in(v2).apiVersion, 'v2');
  assert.equal(entry.json(v2), entry.json(v2));
  assert.equal(entry.in(v1).apiVersion, 'v1');
  assert.equal(conversions, 1);
});
