import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiEndpoint, KubeObject } from '#machinery';
import { ask, startTestServer } from '../api-server.fixture.ts';

const DEFINITIONS = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  resource: 'customresourcedefinitions',
} as const;
const CRONTABS = { group: 'example.com', version: 'v1', resource: 'crontabs', namespace: 'default' } as const;

const version = (name: string, storage: boolean, properties: object): object => ({
  name,
  served: true,
  storage,
  subresources: {
    status: {},
    scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
  },
  selectableFields: [{ jsonPath: '.spec.image' }],
  schema: {
    openAPIV3Schema: {
      type: 'object',
      properties: {
        spec: { type: 'object', properties },
        status: { type: 'object', properties: { replicas: { type: 'integer' } } },
      },
    },
  },
});

const fields = {
  replicas: { type: 'integer', minimum: 1, maximum: 10 },
  image: { type: 'string', default: 'busybox' },
};

function definition(versions: readonly object[], plural = 'crontabs'): object {
  return {
    metadata: { name: `${plural}.example.com` },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural, singular: plural.slice(0, -1), kind: 'CronTab', listKind: 'CronTabList' },
      versions,
    },
  };
}

/** Creates the definition and waits until the server has established it. */
async function define(endpoint: ApiEndpoint, body: object): Promise<KubeObject> {
  const made = await ask(endpoint, { verb: 'create', ...DEFINITIONS, body });
  const fieldSelector = `metadata.name=${made.metadata.name ?? ''}`;
  const events = await endpoint.watch({ verb: 'watch', ...DEFINITIONS, options: { fieldSelector } });
  for await (const { object } of events) {
    const { conditions = [] } = (object as KubeObject).status as { conditions?: readonly { type: string }[] };
    if (conditions.length > 0) return object as KubeObject;
  }
  throw new Error('the watch ended');
}

const tab = (name: string, spec: object): object => ({
  apiVersion: 'example.com/v1',
  kind: 'CronTab',
  metadata: { name },
  spec,
});

test('a definition is established and its resources are served with its schema', async () => {
  const { endpoint, server } = await startTestServer();
  const established = await define(endpoint, definition([version('v1', true, fields)]));
  const status = established.status as { conditions: readonly object[]; storedVersions: readonly string[] };
  assert.deepEqual(
    status.conditions.map((c) => Object.values(c)),
    [
      ['NamesAccepted', 'True', '2026-01-01T00:00:00Z', 'NoConflicts', 'no conflicts found'],
      [
        'Established',
        'True',
        '2026-01-01T00:00:00Z',
        'InitialNamesAccepted',
        'the initial names have been accepted',
      ],
    ],
  );
  assert.deepEqual(status.storedVersions, ['v1']);
  const made = await endpoint.request({
    verb: 'create',
    ...CRONTABS,
    body: { ...tab('a', { replicas: 3, odd: 1 }), status: { replicas: 9 } },
  });
  const object = made.object as KubeObject;
  assert.deepEqual(object.spec, { replicas: 3, image: 'busybox' }, 'pruned and defaulted');
  assert.equal(object.status, undefined);
  assert.equal(object.metadata.generation, 1);
  assert.deepEqual(made.warnings, ['unknown field "spec.odd"']);
  await assert.rejects(ask(endpoint, { verb: 'create', ...CRONTABS, body: tab('b', { replicas: 50 }) }), {
    code: 422,
    message:
      'CronTab.example.com "b" is invalid: spec.replicas: Invalid value: 50: spec.replicas in body should be less than or equal to 10',
  });
  await server.close();
});

test('status, scale and selectable fields of a custom resource', async () => {
  const { endpoint, server } = await startTestServer();
  await define(endpoint, definition([version('v1', true, fields)]));
  const made = await ask(endpoint, { verb: 'create', ...CRONTABS, body: tab('a', { replicas: 3 }) });
  await ask(endpoint, {
    verb: 'update',
    ...CRONTABS,
    name: 'a',
    subresource: 'status',
    body: { ...made, spec: { replicas: 9 }, status: { replicas: 2 } },
  });
  const scale = await ask(endpoint, { verb: 'get', ...CRONTABS, name: 'a', subresource: 'scale' });
  assert.deepEqual([scale.spec, scale.status], [{ replicas: 3 }, { replicas: 2 }]);
  await ask(endpoint, {
    verb: 'update',
    ...CRONTABS,
    name: 'a',
    subresource: 'scale',
    body: { metadata: { name: 'a' }, spec: { replicas: 5 } },
  });
  const after = await ask(endpoint, { verb: 'get', ...CRONTABS, name: 'a' });
  assert.deepEqual(
    [after.spec, after.status, after.metadata.generation],
    [{ replicas: 5, image: 'busybox' }, { replicas: 2 }, 2],
  );
  const select = (fieldSelector: string) =>
    ask(endpoint, { verb: 'list', ...CRONTABS, options: { fieldSelector } });
  assert.equal(((await select('spec.image=busybox')).items as readonly unknown[]).length, 1);
  assert.equal(((await select('spec.image=other')).items as readonly unknown[]).length, 0);
  await server.close();
});

test('every served version shows the same objects under its own schema', async () => {
  const { endpoint, server } = await startTestServer();
  // Fields that all versions have alike may only be selected under a schema they have alike.
  const v2 = {
    ...version('v2', false, { ...fields, extra: { type: 'string', default: 'new' } }),
    selectableFields: [{ jsonPath: '.spec.extra' }],
  };
  await define(endpoint, definition([version('v1', true, fields), v2]));
  await ask(endpoint, { verb: 'create', ...CRONTABS, body: tab('a', { replicas: 3 }) });
  const second = await ask(endpoint, { verb: 'get', ...CRONTABS, version: 'v2', name: 'a' });
  assert.deepEqual(
    [second.apiVersion, second.spec],
    ['example.com/v2', { replicas: 3, image: 'busybox', extra: 'new' }],
  );
  const first = await ask(endpoint, { verb: 'get', ...CRONTABS, name: 'a' });
  assert.deepEqual([first.apiVersion, first.spec], ['example.com/v1', { replicas: 3, image: 'busybox' }]);
  await server.close();
});

test('a change of the definition is served at once, also to objects that are there', async () => {
  const { endpoint, server } = await startTestServer();
  const established = await define(endpoint, definition([version('v1', true, fields)]));
  await ask(endpoint, { verb: 'create', ...CRONTABS, body: tab('a', {}) });
  const changed = definition([version('v1', true, { ...fields, color: { type: 'string', default: 'red' } })]);
  await ask(endpoint, {
    verb: 'update',
    ...DEFINITIONS,
    name: 'crontabs.example.com',
    body: { ...changed, metadata: established.metadata },
  });
  const object = await ask(endpoint, { verb: 'get', ...CRONTABS, name: 'a' });
  assert.deepEqual(object.spec, { image: 'busybox', color: 'red' });
  await server.close();
});

test('names that another definition has are not accepted', async () => {
  const { endpoint, server } = await startTestServer();
  await define(endpoint, definition([version('v1', true, fields)]));
  const second = await define(endpoint, definition([version('v1', true, fields)], 'others'));
  const { conditions } = second.status as {
    conditions: readonly { type: string; status: string; reason: string; message: string }[];
  };
  assert.deepEqual(
    conditions.map(({ type, status, reason, message }) => [type, status, reason, message]),
    [
      ['NamesAccepted', 'False', 'KindConflict', '"CronTab" is already in use'],
      ['Established', 'False', 'NotAccepted', 'not all names are accepted'],
    ],
  );
  await server.close();
});

test('a deleted definition takes its objects along, and waits for their finalizers', async () => {
  const { endpoint, server } = await startTestServer();
  await define(endpoint, definition([version('v1', true, fields)]));
  await ask(endpoint, { verb: 'create', ...CRONTABS, body: tab('a', {}) });
  await ask(endpoint, {
    verb: 'create',
    ...CRONTABS,
    body: { ...tab('b', {}), metadata: { name: 'b', finalizers: ['a.b/c'] } },
  });
  const events = await endpoint.watch({ verb: 'watch', ...CRONTABS });
  const definitions = await endpoint.watch({ verb: 'watch', ...DEFINITIONS });
  await endpoint.request({ verb: 'delete', ...DEFINITIONS, name: 'crontabs.example.com' });
  const seen: string[] = [];
  for await (const { type, object } of events) {
    const { name } = (object as KubeObject).metadata;
    seen.push(`${type} ${name}`);
    if (type !== 'MODIFIED' || name !== 'b') continue;
    const patchType = 'application/merge-patch+json';
    await ask(endpoint, {
      verb: 'patch',
      ...CRONTABS,
      name,
      patchType,
      body: { metadata: { finalizers: null } },
    });
  }
  assert.deepEqual(seen.sort(), ['ADDED a', 'ADDED b', 'DELETED a', 'DELETED b', 'MODIFIED b']);
  for await (const { type } of definitions) if (type === 'DELETED') break;
  await assert.rejects(ask(endpoint, { verb: 'list', ...CRONTABS }), { code: 404 });
  await server.close();
});
