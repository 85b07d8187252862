import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiEndpoint, KubeObject, PatchType } from '#machinery';
import { ask, configMap, CONFIG_MAPS, startTestServer } from '../api-server.fixture.ts';

const create = (endpoint: ApiEndpoint, body: unknown, options = {}): Promise<KubeObject> =>
  ask(endpoint, { verb: 'create', ...CONFIG_MAPS, body, options });
const update = (endpoint: ApiEndpoint, name: string, body: unknown): Promise<KubeObject> =>
  ask(endpoint, { verb: 'update', ...CONFIG_MAPS, name, body });
const patch = (endpoint: ApiEndpoint, name: string, patchType: PatchType, body: unknown, options = {}) =>
  ask(endpoint, { verb: 'patch', ...CONFIG_MAPS, name, patchType, body, options });
const get = (endpoint: ApiEndpoint, name: string): Promise<KubeObject> =>
  ask(endpoint, { verb: 'get', ...CONFIG_MAPS, name });

test('create fills in what the server owns and refuses a name that is taken', async () => {
  const { endpoint, server, store } = await startTestServer();
  const made = await create(
    endpoint,
    configMap('c1', { a: 'b' }, { uid: 'mine', creationTimestamp: '2000-01-01T00:00:00Z' }),
  );
  assert.match(made.metadata.uid ?? '', /^[0-9a-f-]{36}$/);
  assert.equal(made.metadata.namespace, 'default');
  assert.equal(made.metadata.creationTimestamp, '2026-01-01T00:00:00Z');
  assert.equal(made.metadata.resourceVersion, String(store.revision));
  assert.deepEqual(
    made.metadata.managedFields?.map(({ manager, operation }) => [manager, operation]),
    [['admin', 'Update']],
  );
  await assert.rejects(create(endpoint, configMap('c1')), {
    code: 409,
    reason: 'AlreadyExists',
    message: 'configmaps "c1" already exists',
  });
  await server.close();
});

test('a generated name gets five characters, and another five when the first are taken', async () => {
  const { endpoint, server } = await startTestServer();
  const made = await create(endpoint, { metadata: { generateName: 'c-' } });
  assert.match(made.metadata.name ?? '', /^c-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  assert.equal(made.metadata.generateName, 'c-');
  const long = await create(endpoint, { metadata: { generateName: 'x'.repeat(70) } });
  assert.equal(long.metadata.name?.length, 63);
  await server.close();
});

test('objects that break the rules of metadata are 422 with the causes of upstream', async () => {
  const { endpoint, server } = await startTestServer();
  await assert.rejects(create(endpoint, configMap('Bad_Name')), {
    code: 422,
    message:
      "ConfigMap \"Bad_Name\" is invalid: metadata.name: Invalid value: \"Bad_Name\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
  });
  await assert.rejects(create(endpoint, { metadata: {} }), {
    code: 422,
    message: 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
  });
  await assert.rejects(create(endpoint, configMap('x', {}, { namespace: 'other' })), {
    code: 400,
    message: 'the namespace of the provided object does not match the namespace sent on the request',
  });
  await assert.rejects(create(endpoint, configMap('x', {}, { resourceVersion: '5' })), {
    code: 500,
    message: 'resourceVersion should not be set on objects to be created',
  });
  await server.close();
});

test('an update needs the newest revision or none, and one without change writes nothing', async () => {
  const { endpoint, server } = await startTestServer();
  const first = await create(endpoint, configMap('c1', { a: '1' }));
  const second = await update(endpoint, 'c1', { ...first, data: { a: '2' } });
  await assert.rejects(update(endpoint, 'c1', { ...first, data: { a: '3' } }), {
    code: 409,
    reason: 'Conflict',
    message:
      'Operation cannot be fulfilled on configmaps "c1": the object has been modified; please apply your changes to the latest version and try again',
  });
  const same = await update(endpoint, 'c1', second);
  assert.equal(same.metadata.resourceVersion, second.metadata.resourceVersion);
  const forced = await update(endpoint, 'c1', configMap('c1', { a: '4' }));
  assert.deepEqual(forced.data, { a: '4' });
  assert.equal(forced.metadata.uid, first.metadata.uid);
  await assert.rejects(update(endpoint, 'none', configMap('none')), {
    code: 404,
    message: 'configmaps "none" not found',
  });
  await assert.rejects(update(endpoint, 'c1', configMap('c2')), {
    code: 400,
    message: 'the name of the object (c2) does not match the name on the URL (c1)',
  });
  await server.close();
});

test('writers that race for one object each get their change in', async () => {
  const { endpoint, server } = await startTestServer();
  await create(endpoint, configMap('c1'));
  const racers = Array.from({ length: 20 }, (_, i) =>
    patch(endpoint, 'c1', 'application/merge-patch+json', { data: { [`k${i}`]: 'v' } }),
  );
  await Promise.all(racers);
  assert.equal(Object.keys((await get(endpoint, 'c1')).data as object).length, 20);
  await server.close();
});

test('all four kinds of patch', async () => {
  const { endpoint, server } = await startTestServer();
  await create(endpoint, configMap('c1', { a: '1', b: '2' }));
  await patch(endpoint, 'c1', 'application/merge-patch+json', { data: { a: null } });
  await patch(endpoint, 'c1', 'application/json-patch+json', [{ op: 'add', path: '/data/c', value: '3' }]);
  await patch(endpoint, 'c1', 'application/strategic-merge-patch+json', { data: { d: '4' } });
  const applied = await patch(
    endpoint,
    'c1',
    'application/apply-patch+yaml',
    { apiVersion: 'v1', kind: 'ConfigMap', data: { e: '5' } },
    { fieldManager: 'me' },
  );
  assert.deepEqual(applied.data, { b: '2', c: '3', d: '4', e: '5' });
  await assert.rejects(
    patch(
      endpoint,
      'c1',
      'application/apply-patch+yaml',
      { apiVersion: 'v1', kind: 'ConfigMap', data: { b: 'x' } },
      { fieldManager: 'me' },
    ),
    {
      code: 409,
      reason: 'Conflict',
      message: 'Apply failed with 1 conflict: conflict with "admin" using v1: .data.b',
    },
  );
  await assert.rejects(patch(endpoint, 'c1', 'application/merge-patch+json', { metadata: { name: 'z' } }), {
    code: 400,
    message: 'the name of the object (z) does not match the name on the URL (c1)',
  });
  await assert.rejects(patch(endpoint, 'none', 'application/merge-patch+json', {}), { code: 404 });
  await server.close();
});

test('applying to nothing creates', async () => {
  const { endpoint, server } = await startTestServer();
  const request = {
    verb: 'patch',
    ...CONFIG_MAPS,
    name: 'new',
    patchType: 'application/apply-patch+yaml',
    body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'new' }, data: { a: 'b' } },
    options: { fieldManager: 'me' },
  } as const;
  const made = await endpoint.request(request);
  assert.equal(made.code, 201);
  assert.equal((await endpoint.request(request)).code, 200);
  const { managedFields } = (made.object as KubeObject).metadata;
  assert.deepEqual(
    managedFields?.map(({ manager, operation }) => [manager, operation]),
    [['me', 'Apply']],
  );
  await server.close();
});

test('a dry run answers as if it had happened, and nothing has', async () => {
  const { endpoint, server, store } = await startTestServer();
  await create(endpoint, configMap('c1', { a: '1' }));
  const before = store.revision;
  const made = await create(endpoint, configMap('c2'), { dryRun: true });
  assert.equal(made.metadata.name, 'c2');
  const changed = await patch(
    endpoint,
    'c1',
    'application/merge-patch+json',
    { data: { a: '2' } },
    { dryRun: true },
  );
  assert.deepEqual(changed.data, { a: '2' });
  await ask(endpoint, { verb: 'delete', ...CONFIG_MAPS, name: 'c1', options: { dryRun: true } });
  assert.equal(store.revision, before);
  await server.close();
});

test('status and spec are written apart, and only a change of the spec moves the generation', async () => {
  const { endpoint, server } = await startTestServer();
  const target = { group: 'apps', version: 'v1', resource: 'deployments', namespace: 'default' } as const;
  const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
  const body = {
    metadata: { name: 'd' },
    spec: { replicas: 1, selector: { matchLabels: { a: 'b' } }, template },
    status: { replicas: 9 },
  };
  const made = await ask(endpoint, { verb: 'create', ...target, body });
  assert.equal(made.metadata.generation, 1);
  assert.deepEqual(made.status, {});
  const withStatus = await ask(endpoint, {
    verb: 'update',
    ...target,
    name: 'd',
    subresource: 'status',
    body: { ...made, spec: { ...(made.spec as object), replicas: 5 }, status: { replicas: 3 } },
  });
  assert.equal((withStatus.spec as { replicas: number }).replicas, 1);
  assert.equal((withStatus.status as { replicas: number }).replicas, 3);
  assert.equal(withStatus.metadata.generation, 1);
  const scaled = await ask(endpoint, {
    verb: 'patch',
    ...target,
    name: 'd',
    subresource: 'scale',
    patchType: 'application/merge-patch+json',
    body: { spec: { replicas: 4 } },
  });
  assert.deepEqual(
    [scaled.kind, scaled.spec, scaled.status],
    ['Scale', { replicas: 4 }, { replicas: 3, selector: 'a=b' }],
  );
  const after = await ask(endpoint, { verb: 'get', ...target, name: 'd' });
  assert.equal(after.metadata.generation, 2);
  assert.equal((after.status as { replicas: number }).replicas, 3);
  await server.close();
});

test('what is not served is 404 and what is not allowed 405', async () => {
  const { endpoint, server } = await startTestServer();
  const unknown = { verb: 'get', group: 'nope', version: 'v1', resource: 'things', name: 'x' } as const;
  await assert.rejects(endpoint.request(unknown), {
    code: 404,
    message: 'the server could not find the requested resource',
  });
  const deleteAll = { verb: 'deletecollection', group: '', version: 'v1', resource: 'namespaces' } as const;
  await assert.rejects(endpoint.request(deleteAll), {
    code: 405,
    message: 'the server does not allow this method on the requested resource',
  });
  await server.close();
});

test('one event is served in two groups', async () => {
  const { endpoint, server } = await startTestServer();
  const core = { group: '', version: 'v1', resource: 'events', namespace: 'default' } as const;
  const body = {
    metadata: { name: 'e' },
    involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
    reason: 'Started',
    message: 'it started',
    type: 'Normal',
  };
  await ask(endpoint, { verb: 'create', ...core, body });
  const other = await ask(endpoint, { verb: 'get', ...core, group: 'events.k8s.io', name: 'e' });
  assert.deepEqual(
    [other.apiVersion, other.note, other.regarding],
    ['events.k8s.io/v1', 'it started', body.involvedObject],
  );
  await server.close();
});
