import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '#platform';
import { createMemoryStore } from '#store';
import { VirtualClock } from '#testing';
import { encodeForStore } from './cache-entry.ts';
import { CacheHub } from './cache-hub.ts';
import { type OpenedWatch, openWatch, type WatchStart } from './open-watch.ts';
import { ResourceCache } from './resource-cache.ts';
import { MAX_RING_EVENTS } from './event-ring.ts';
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
  return { put, open, cache, store, clock, stop: () => store.close() };
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

test('more history than a ring holds is 410: a list is the shorter way', async () => {
  const { put, open, cache, stop } = await setUp();
  await put('a/first');
  await open();
  const before = cache.revision;
  for (let i = 0; i <= MAX_RING_EVENTS; i++) await put(`a/${i}`);
  assert.equal((await open(undefined, { resourceVersion: `${before + 1}` })).changes.length, MAX_RING_EVENTS);
  const floor = cache.revision;
  for (let i = 0; i <= MAX_RING_EVENTS; i++) await put(`b/${i}`);
  await assert.rejects(open(undefined, { resourceVersion: `${before}` }), {
    code: 410,
    message: `too old resource version: ${before} (${floor + 1})`,
  });
  await stop();
});

test('a store that tells its history too slowly is 410 as well, and its watch is closed', async () => {
  const { put, open, cache, store, clock, stop } = await setUp();
  await put('a/first');
  await open();
  const before = cache.revision;
  for (let i = 0; i <= MAX_RING_EVENTS; i++) await put(`a/${i}`);
  let isClosed = false;
  store.watch = () => ({ close: () => (isClosed = true) });
  const opening = open(undefined, { resourceVersion: `${before - 1}` });
  const refused = assert.rejects(opening, { code: 410, message: /^too old resource version: / });
  await clock.advance(10_000);
  await refused;
  assert.ok(isClosed);
  await stop();
});
