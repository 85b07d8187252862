import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '#platform';
import { createMemoryStore } from '#store';
import { VirtualClock } from '#testing';
import { encodeForStore } from './cache-entry.ts';
import { CacheHub } from './cache-hub.ts';
import { type OpenedWatch, openWatch, type WatchStart } from './open-watch.ts';
import { ResourceCache } from './resource-cache.ts';
import { metadataFields, Selection } from './selection.ts';

async function setUp() {
  const clock = new VirtualClock();
  const store = createMemoryStore({ clock });
  const hub = new CacheHub({ store, clock, logger: silentLogger });
  const cache = new ResourceCache({ hub, prefix: '/registry/core/configmaps/', fieldsOf: metadataFields });
  await hub.start();
  const put = async (key: string): Promise<void> => {
    const [namespace = '', name = ''] = key.split('/');
    const { stored } = encodeForStore({
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { name, namespace, uid: name },
    });
    await store.transact({
      compare: [],
      writes: [{ type: 'put', key: `${cache.prefix}${key}`, value: stored }],
    });
  };
  const open = async (
    namespace?: string,
    start: WatchStart = { resourceVersion: '0' },
  ): Promise<OpenedWatch> => {
    const opened: OpenedWatch[] = [];
    await openWatch(cache, new Selection({ namespace }), start, (one) => opened.push(one));
    const [only] = opened;
    assert.ok(only);
    return only;
  };
  return { put, open, stop: () => store.close() };
}

const keys = ({ state }: OpenedWatch): readonly string[] => state.map(({ key }) => key);

test('watches that start from the same state share one list of it', async () => {
  const { put, open, stop } = await setUp();
  await put('a/x');
  await put('b/y');
  const first = await open();
  assert.deepEqual(keys(first), ['a/x', 'b/y']);
  assert.equal((await open()).state, first.state);
  assert.equal((await open(undefined, { sendInitialEvents: true })).state, first.state);
  await stop();
});

test('another selection, or a state that has changed since, is listed anew', async () => {
  const { put, open, stop } = await setUp();
  await put('a/x');
  await put('b/y');
  const first = await open();
  assert.deepEqual(keys(await open('b')), ['b/y']);
  await put('a/z');
  assert.deepEqual(keys(await open()), ['a/x', 'a/z', 'b/y']);
  assert.deepEqual(keys(first), ['a/x', 'b/y'], 'what a watch is still being shown stays as it was');
  await stop();
});
