import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiEndpoint, KubeList, ListOptions } from '#machinery';
import { ask, configMap, CONFIG_MAPS, startTestServer } from '../api-server.fixture.ts';
import { ExpiredContinueError } from '../watch-cache/list-page.ts';

async function list(endpoint: ApiEndpoint, options: ListOptions = {}): Promise<KubeList> {
  return (await endpoint.request({ verb: 'list', ...CONFIG_MAPS, options })).object as KubeList;
}

const names = ({ items }: KubeList): readonly (string | undefined)[] =>
  items.map(({ metadata }) => metadata.name);

async function withConfigMaps(...all: readonly string[]) {
  const server = await startTestServer();
  for (const name of all) {
    const labels = { parity: Number(name.slice(1)) % 2 === 0 ? 'even' : 'odd' };
    await ask(server.endpoint, { verb: 'create', ...CONFIG_MAPS, body: configMap(name, {}, { labels }) });
  }
  return server;
}

test('a list is sorted by name, and its revision is that of the newest write', async () => {
  const { endpoint, server } = await withConfigMaps('c2', 'c1');
  const created = await ask(endpoint, { verb: 'create', ...CONFIG_MAPS, body: configMap('c3') });
  const page = await list(endpoint);
  assert.deepEqual(names(page), ['c1', 'c2', 'c3']);
  assert.equal(page.metadata.resourceVersion, created.metadata.resourceVersion);
  assert.equal(page.kind, 'ConfigMapList');
  await server.close();
});

test('pages of one list show one revision, whatever is written between them', async () => {
  const { endpoint, server } = await withConfigMaps('c1', 'c2', 'c3', 'c4', 'c5');
  const first = await list(endpoint, { limit: 2 });
  assert.equal(first.metadata.remainingItemCount, 3);
  await ask(endpoint, { verb: 'create', ...CONFIG_MAPS, body: configMap('c25') });
  await ask(endpoint, { verb: 'delete', ...CONFIG_MAPS, name: 'c4' });
  const second = await list(endpoint, { limit: 2, continue: first.metadata.continue });
  const third = await list(endpoint, { limit: 2, continue: second.metadata.continue });
  assert.deepEqual([first, second, third].flatMap(names), ['c1', 'c2', 'c3', 'c4', 'c5']);
  assert.equal(third.metadata.continue, undefined);
  assert.deepEqual(new Set([first, second, third].map(({ metadata }) => metadata.resourceVersion)).size, 1);
  await server.close();
});

test('pages of a selection leave out the remaining count and skip what does not match', async () => {
  const { endpoint, server } = await withConfigMaps('c1', 'c2', 'c3', 'c4', 'c5');
  const first = await list(endpoint, { limit: 2, labelSelector: 'parity=odd' });
  assert.deepEqual(names(first), ['c1', 'c3']);
  assert.equal(first.metadata.remainingItemCount, undefined);
  await ask(endpoint, { verb: 'delete', ...CONFIG_MAPS, name: 'c5' });
  const second = await list(endpoint, {
    limit: 2,
    labelSelector: 'parity=odd',
    continue: first.metadata.continue,
  });
  assert.deepEqual(names(second), ['c5']);
  await server.close();
});

test('a page of a compacted revision is 410 with a token that goes on at the newest one', async () => {
  const { endpoint, server, store } = await withConfigMaps('c1', 'c2', 'c3');
  const first = await list(endpoint, { limit: 1 });
  await ask(endpoint, { verb: 'create', ...CONFIG_MAPS, body: configMap('c4') });
  await store.compact(store.revision);
  const error = await list(endpoint, { limit: 1, continue: first.metadata.continue }).catch(
    (e: unknown) => e,
  );
  assert.ok(error instanceof ExpiredContinueError);
  assert.equal(error.code, 410);
  assert.equal(error.reason, 'Expired');
  const rest = await list(endpoint, { continue: error.toStatus().metadata.continue });
  assert.deepEqual(names(rest), ['c2', 'c3', 'c4']);
  await server.close();
});

test('a compacted revision is gone also for kinds in which nothing has changed since', async () => {
  const { endpoint, server, store } = await withConfigMaps('c1', 'c2');
  const first = await list(endpoint, { limit: 1 });
  assert.deepEqual(names(await list(endpoint, { continue: first.metadata.continue })), ['c2']);
  await ask(endpoint, {
    verb: 'create',
    ...CONFIG_MAPS,
    resource: 'secrets',
    body: { metadata: { name: 's' } },
  });
  await store.compact(store.revision);
  await assert.rejects(list(endpoint, { continue: first.metadata.continue }), ExpiredContinueError);
  await server.close();
});

test('resourceVersion: exact shows the past, a future one is 504, a compacted one 410', async () => {
  const { endpoint, server, store } = await withConfigMaps('c1');
  const then = String(store.revision);
  await ask(endpoint, { verb: 'create', ...CONFIG_MAPS, body: configMap('c2') });
  assert.deepEqual(names(await list(endpoint, { resourceVersion: then, resourceVersionMatch: 'Exact' })), [
    'c1',
  ]);
  assert.deepEqual(names(await list(endpoint, { resourceVersion: then })), ['c1', 'c2']);
  assert.deepEqual(names(await list(endpoint, { resourceVersion: '0' })), ['c1', 'c2']);
  await assert.rejects(list(endpoint, { resourceVersion: '99999' }), {
    code: 504,
    reason: 'Timeout',
    message: `Timeout: Too large resource version: 99999, current: ${store.revision}`,
    details: {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  });
  await store.compact(store.revision);
  await assert.rejects(list(endpoint, { resourceVersion: then, resourceVersionMatch: 'Exact' }), {
    code: 410,
    message: 'The resourceVersion for the provided list is too old.',
  });
  await server.close();
});

test('selectors that make no sense are 400 in the words of upstream', async () => {
  const { endpoint, server } = await startTestServer();
  await assert.rejects(list(endpoint, { fieldSelector: 'spec.x=1' }), {
    code: 400,
    message: '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
  });
  const pods = endpoint.request({
    verb: 'list',
    group: '',
    version: 'v1',
    resource: 'pods',
    options: { fieldSelector: 'spec.bogus=1' },
  });
  await assert.rejects(pods, { code: 400, message: 'field label not supported: spec.bogus' });
  await assert.rejects(list(endpoint, { resourceVersionMatch: 'Exact' }), {
    code: 422,
    message:
      'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
  });
  await server.close();
});

test('a field selector by name finds the one object', async () => {
  const { endpoint, server } = await withConfigMaps('c1', 'c2');
  assert.deepEqual(names(await list(endpoint, { fieldSelector: 'metadata.name=c2' })), ['c2']);
  assert.deepEqual(names(await list(endpoint, { fieldSelector: 'metadata.name!=c2' })), ['c1']);
  assert.deepEqual(
    names(await list(endpoint, { fieldSelector: 'metadata.name=c2', labelSelector: 'parity=odd' })),
    [],
  );
  await server.close();
});
