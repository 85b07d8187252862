import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiEndpoint, KubeObject, Status, WatchEvent, WatchOptions } from '#machinery';
import { VirtualClock } from '#testing';
import { ask, configMap, CONFIG_MAPS, startTestServer } from '../api-server.fixture.ts';
import { MAX_QUEUED_EVENTS } from './watch-queue.ts';

const watch = (endpoint: ApiEndpoint, options: WatchOptions = {}, signal?: AbortSignal) =>
  endpoint.watch({ verb: 'watch', ...CONFIG_MAPS, options }, signal === undefined ? {} : { signal });

/** `ADDED c1`, `BOOKMARK end`. */
function line(event: WatchEvent): string {
  const object = event.object as KubeObject;
  const isEnd = object.metadata.annotations?.['k8s.io/initial-events-end'] === 'true';
  return `${event.type} ${object.metadata.name ?? (isEnd ? 'end' : '-')}`;
}

async function take(events: AsyncIterable<WatchEvent>, count: number): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const event of events) {
    lines.push(line(event));
    if (lines.length === count) break;
  }
  return lines;
}

const create = (endpoint: ApiEndpoint, name: string, labels: object = {}): Promise<KubeObject> =>
  ask(endpoint, { verb: 'create', ...CONFIG_MAPS, body: configMap(name, {}, { labels }) });

const relabel = (endpoint: ApiEndpoint, name: string, labels: object): Promise<KubeObject> =>
  ask(endpoint, {
    verb: 'patch',
    ...CONFIG_MAPS,
    name,
    patchType: 'application/merge-patch+json',
    body: { metadata: { labels } },
  });

test('a watch from a revision shows every change after it, in order', async () => {
  const { endpoint, server } = await startTestServer();
  const first = await create(endpoint, 'c1');
  await create(endpoint, 'c2');
  await relabel(endpoint, 'c1', { a: 'b' });
  const events = await watch(endpoint, { resourceVersion: first.metadata.resourceVersion });
  await ask(endpoint, { verb: 'delete', ...CONFIG_MAPS, name: 'c2' });
  assert.deepEqual(await take(events, 3), ['ADDED c2', 'MODIFIED c1', 'DELETED c2']);
  await server.close();
});

test('without a revision the state comes first; a WatchList ends it with a bookmark', async () => {
  const { endpoint, server } = await startTestServer();
  await create(endpoint, 'c1');
  const plain = await watch(endpoint);
  const watchList = await watch(endpoint, {
    sendInitialEvents: true,
    resourceVersionMatch: 'NotOlderThan',
    allowWatchBookmarks: true,
  });
  await create(endpoint, 'c2');
  assert.deepEqual(await take(plain, 2), ['ADDED c1', 'ADDED c2']);
  assert.deepEqual(await take(watchList, 3), ['ADDED c1', 'BOOKMARK end', 'ADDED c2']);
  await server.close();
});

test('an object that starts or stops matching a selector is ADDED or DELETED to its watchers', async () => {
  const { endpoint, server } = await startTestServer();
  const events = await watch(endpoint, { labelSelector: 'color=red', resourceVersion: '1' });
  await create(endpoint, 'c1', { color: 'blue' });
  await relabel(endpoint, 'c1', { color: 'red' });
  await relabel(endpoint, 'c1', { size: 'big' });
  const last = await relabel(endpoint, 'c1', { color: 'blue' });
  const shown: WatchEvent[] = [];
  for await (const event of events) {
    shown.push(event);
    if (shown.length === 3) break;
  }
  assert.deepEqual(shown.map(line), ['ADDED c1', 'MODIFIED c1', 'DELETED c1']);
  const gone = shown[2]?.object as KubeObject;
  assert.equal(gone.metadata.labels?.color, 'red', 'the last state that matched');
  assert.equal(gone.metadata.resourceVersion, last.metadata.resourceVersion, 'at the revision of the change');
  await server.close();
});

test('watches by a field value hear of their objects only', async () => {
  const { endpoint, server } = await startTestServer();
  const pods = { group: '', version: 'v1', resource: 'pods' } as const;
  const watchNode = (node: string) =>
    endpoint.watch({
      verb: 'watch',
      ...pods,
      options: { fieldSelector: `spec.nodeName=${node}`, resourceVersion: '1' },
    });
  const [one, two] = await Promise.all([watchNode('n1'), watchNode('n2')]);
  for (const [name, nodeName] of [
    ['p1', 'n1'],
    ['p2', 'n2'],
    ['p3', 'n1'],
  ] as const) {
    const body = { metadata: { name }, spec: { nodeName, containers: [{ name: 'c', image: 'i' }] } };
    await ask(endpoint, { verb: 'create', ...pods, namespace: 'default', body });
  }
  assert.deepEqual(await take(one, 2), ['ADDED p1', 'ADDED p3']);
  assert.deepEqual(await take(two, 1), ['ADDED p2']);
  await server.close();
});

test('a revision older than the ring is served from the history of the store, a compacted one is 410', async () => {
  const { endpoint, server, store, clock } = await startTestServer();
  const first = await create(endpoint, 'c1');
  await create(endpoint, 'c2');
  await server.close();
  // A new server on the same store has loaded its caches after these changes.
  const second = await startTestServer({ store, clock });
  const events = await watch(second.endpoint, { resourceVersion: first.metadata.resourceVersion });
  await create(second.endpoint, 'c3');
  assert.deepEqual(await take(events, 2), ['ADDED c2', 'ADDED c3']);
  await store.compact(store.revision);
  await assert.rejects(watch(second.endpoint, { resourceVersion: '1' }), (error: Status) => {
    assert.equal(error.code, 410);
    assert.equal(error.reason, 'Expired');
    assert.match(error.message ?? '', /^too old resource version: 1 \(\d+\)$/);
    return true;
  });
  await second.server.close();
});

test('bookmarks come once a minute to those who allow them, when something has changed', async () => {
  const clock = new VirtualClock();
  const { endpoint, server } = await startTestServer({ clock });
  const events = await watch(endpoint, {
    allowWatchBookmarks: true,
    resourceVersion: '1',
    labelSelector: 'none=1',
  });
  await create(endpoint, 'c1');
  await clock.advance(61_000);
  assert.deepEqual(await take(events, 1), ['BOOKMARK -']);
  await server.close();
});

test('a watch ends after timeoutSeconds, when its signal is aborted, and when the server closes', async () => {
  const clock = new VirtualClock();
  const { endpoint, server } = await startTestServer({ clock });
  const abort = new AbortController();
  const timed = await watch(endpoint, { timeoutSeconds: 5, resourceVersion: '1' });
  const aborted = await watch(endpoint, { resourceVersion: '1' }, abort.signal);
  const closed = await watch(endpoint, { resourceVersion: '1' });
  await clock.advance(5_000);
  assert.deepEqual(await take(timed, 1), []);
  abort.abort();
  assert.deepEqual(await take(aborted, 1), []);
  await server.close();
  assert.deepEqual(await take(closed, 1), []);
});

test('a reader that falls too far behind is ended, after what it has in hand', async () => {
  const { endpoint, server } = await startTestServer();
  const events = await watch(endpoint, { resourceVersion: '1' });
  await create(endpoint, 'c1');
  for (let i = 0; i <= MAX_QUEUED_EVENTS; i++) await relabel(endpoint, 'c1', { i: String(i) });
  let seen = 0;
  for await (const _ of events) seen++;
  assert.equal(seen, MAX_QUEUED_EVENTS + 1);
  await server.close();
});

test('what a watch begins with does not count as being behind, however much it is', async () => {
  const { endpoint, server } = await startTestServer();
  const objects = MAX_QUEUED_EVENTS + 10;
  for (let i = 0; i < objects; i++) await create(endpoint, `c${i}`);
  const events = await watch(endpoint, { resourceVersion: '0' });
  await create(endpoint, 'last');
  await create(endpoint, 'very-last');
  const lines = await take(events, objects + 2);
  assert.deepEqual(lines.slice(-2), ['ADDED last', 'ADDED very-last']);
  await server.close();
});
