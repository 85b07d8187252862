import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiEndpoint, DeleteOptions, KubeObject, ResourceTarget } from '#machinery';
import { VirtualClock } from '#testing';
import { ask, configMap, CONFIG_MAPS, startTestServer } from '../api-server.fixture.ts';

const PODS = { group: '', version: 'v1', resource: 'pods', namespace: 'default' } as const;

const remove = (endpoint: ApiEndpoint, target: ResourceTarget, name: string, options: DeleteOptions = {}) =>
  endpoint.request({ verb: 'delete', ...target, name, options });

const isGone = (endpoint: ApiEndpoint, target: ResourceTarget, name: string): Promise<void> =>
  assert.rejects(endpoint.request({ verb: 'get', ...target, name }), { code: 404 });

async function createPod(endpoint: ApiEndpoint, spec: object = {}): Promise<KubeObject> {
  const body = {
    metadata: { name: 'p' },
    spec: { nodeName: 'n', containers: [{ name: 'c', image: 'i' }], ...spec },
  };
  return ask(endpoint, { verb: 'create', ...PODS, body });
}

test('what has no finalizers goes at once, and the answer is a Status', async () => {
  const { endpoint, server } = await startTestServer();
  const { metadata } = await ask(endpoint, { verb: 'create', ...CONFIG_MAPS, body: configMap('c') });
  const { code, object } = await remove(endpoint, CONFIG_MAPS, 'c');
  assert.equal(code, 200);
  assert.deepEqual(object, {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name: 'c', kind: 'configmaps', uid: metadata.uid },
  });
  await isGone(endpoint, CONFIG_MAPS, 'c');
  await server.close();
});

test('finalizers hold an object until the last one is taken off', async () => {
  const { endpoint, server } = await startTestServer();
  await ask(endpoint, {
    verb: 'create',
    ...CONFIG_MAPS,
    body: configMap('c', {}, { finalizers: ['a.b/c'] }),
  });
  const marked = (await remove(endpoint, CONFIG_MAPS, 'c')).object as KubeObject;
  assert.equal(marked.metadata.deletionTimestamp, '2026-01-01T00:00:00Z');
  assert.equal(marked.metadata.deletionGracePeriodSeconds, 0);
  const again = (await remove(endpoint, CONFIG_MAPS, 'c')).object as KubeObject;
  assert.equal(again.metadata.resourceVersion, marked.metadata.resourceVersion, 'nothing new to say');
  const patch = (body: object) =>
    ask(endpoint, {
      verb: 'patch',
      ...CONFIG_MAPS,
      name: 'c',
      patchType: 'application/merge-patch+json',
      body,
    });
  await assert.rejects(patch({ metadata: { finalizers: ['a.b/c', 'd.e/f'] } }), (error: Error) => {
    assert.match(
      error.message,
      /no new finalizers can be added if the object is being deleted, found new finalizers \[\]string\{"d.e\/f"\}/,
    );
    return true;
  });
  await patch({ metadata: { finalizers: null } });
  await isGone(endpoint, CONFIG_MAPS, 'c');
  await server.close();
});

test('the propagation policy becomes a finalizer', async () => {
  const { endpoint, server } = await startTestServer();
  const finalizersAfter = async (options: DeleteOptions) => {
    await ask(endpoint, { verb: 'create', ...CONFIG_MAPS, body: configMap('c') });
    const { object } = await remove(endpoint, CONFIG_MAPS, 'c', options);
    const { finalizers } = (object as KubeObject).metadata;
    if (finalizers === undefined) return undefined;
    const patchType = 'application/merge-patch+json';
    await ask(endpoint, {
      verb: 'patch',
      ...CONFIG_MAPS,
      name: 'c',
      patchType,
      body: { metadata: { finalizers: null } },
    });
    return finalizers;
  };
  assert.deepEqual(await finalizersAfter({ propagationPolicy: 'Foreground' }), ['foregroundDeletion']);
  assert.deepEqual(await finalizersAfter({ propagationPolicy: 'Orphan' }), ['orphan']);
  assert.deepEqual(await finalizersAfter({ orphanDependents: true }), ['orphan']);
  assert.equal(await finalizersAfter({ propagationPolicy: 'Background' }), undefined);
  await server.close();
});

test('preconditions name what they miss', async () => {
  const { endpoint, server } = await startTestServer();
  const { metadata } = await ask(endpoint, { verb: 'create', ...CONFIG_MAPS, body: configMap('c') });
  await assert.rejects(remove(endpoint, CONFIG_MAPS, 'c', { preconditions: { uid: 'x' } }), {
    code: 409,
    message: `Operation cannot be fulfilled on ConfigMap "c": the UID in the precondition (x) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`,
  });
  await assert.rejects(remove(endpoint, CONFIG_MAPS, 'c', { preconditions: { resourceVersion: '1' } }), {
    code: 409,
    message: `Operation cannot be fulfilled on ConfigMap "c": the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`,
  });
  await server.close();
});

test('a pod on a node has its grace period, which can only be shortened', async () => {
  const clock = new VirtualClock();
  const { endpoint, server } = await startTestServer({ clock });
  await createPod(endpoint);
  const first = (await remove(endpoint, PODS, 'p')).object as KubeObject;
  assert.equal(first.metadata.deletionGracePeriodSeconds, 30);
  assert.equal(first.metadata.deletionTimestamp, '2026-01-01T00:00:30Z');
  const longer = (await remove(endpoint, PODS, 'p', { gracePeriodSeconds: 60 })).object as KubeObject;
  assert.equal(longer.metadata.resourceVersion, first.metadata.resourceVersion);
  await clock.advance(2000);
  const shorter = (await remove(endpoint, PODS, 'p', { gracePeriodSeconds: 10 })).object as KubeObject;
  assert.equal(shorter.metadata.deletionGracePeriodSeconds, 10);
  assert.equal(shorter.metadata.deletionTimestamp, '2026-01-01T00:00:10Z');
  await remove(endpoint, PODS, 'p', { gracePeriodSeconds: 0 });
  await isGone(endpoint, PODS, 'p');
  await server.close();
});

test('a namespace is Terminating until its own finalizers are gone', async () => {
  const { endpoint, server } = await startTestServer();
  const target = { group: '', version: 'v1', resource: 'namespaces' } as const;
  await ask(endpoint, { verb: 'create', ...target, body: { metadata: { name: 'n' } } });
  const marked = (await remove(endpoint, target, 'n')).object as KubeObject;
  assert.deepEqual(marked.status, { phase: 'Terminating' });
  assert.deepEqual(marked.spec, { finalizers: ['kubernetes'] });
  await ask(endpoint, {
    verb: 'update',
    ...target,
    name: 'n',
    subresource: 'finalize',
    body: { metadata: { name: 'n' }, spec: {} },
  });
  await isGone(endpoint, target, 'n');
  await server.close();
});

test('deletecollection takes what the selector matches', async () => {
  const { endpoint, server } = await startTestServer();
  for (const name of ['c1', 'c2', 'c3']) {
    const labels = name === 'c2' ? {} : { gone: 'yes' };
    await ask(endpoint, { verb: 'create', ...CONFIG_MAPS, body: configMap(name, {}, { labels }) });
  }
  await endpoint.request({ verb: 'deletecollection', ...CONFIG_MAPS, list: { labelSelector: 'gone=yes' } });
  const left = (await endpoint.request({ verb: 'list', ...CONFIG_MAPS })).object as {
    items: readonly KubeObject[];
  };
  assert.deepEqual(
    left.items.map(({ metadata }) => metadata.name),
    ['c2'],
  );
  await server.close();
});

test('an eviction asks the disruption budget', async () => {
  const { endpoint, server } = await startTestServer();
  const labels = { app: 'x' };
  const containers = [{ name: 'c', image: 'i' }];
  await ask(endpoint, {
    verb: 'create',
    ...PODS,
    body: { metadata: { name: 'p', labels }, spec: { nodeName: 'n', containers } },
  });
  const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
  const patchType = 'application/merge-patch+json';
  await ask(endpoint, {
    verb: 'patch',
    ...PODS,
    name: 'p',
    subresource: 'status',
    patchType,
    body: { status },
  });
  const budgets = {
    group: 'policy',
    version: 'v1',
    resource: 'poddisruptionbudgets',
    namespace: 'default',
  } as const;
  await ask(endpoint, {
    verb: 'create',
    ...budgets,
    body: { metadata: { name: 'b' }, spec: { minAvailable: 1, selector: { matchLabels: labels } } },
  });
  const allow = (disruptionsAllowed: number) =>
    ask(endpoint, {
      verb: 'patch',
      ...budgets,
      name: 'b',
      subresource: 'status',
      patchType,
      body: {
        status: {
          observedGeneration: 1,
          disruptionsAllowed,
          currentHealthy: 1,
          desiredHealthy: 1,
          expectedPods: 1,
        },
      },
    });
  const evict = () =>
    endpoint.request({
      verb: 'create',
      ...PODS,
      name: 'p',
      subresource: 'eviction',
      body: { metadata: { name: 'p' } },
    });
  await allow(0);
  await assert.rejects(evict(), {
    code: 429,
    reason: 'TooManyRequests',
    message: "Cannot evict pod as it would violate the pod's disruption budget.",
    details: {
      causes: [
        {
          reason: 'DisruptionBudget',
          message: 'The disruption budget b needs 1 healthy pods and has 1 currently',
        },
      ],
    },
  });
  await allow(1);
  assert.equal((await evict()).code, 201);
  const pod = await ask(endpoint, { verb: 'get', ...PODS, name: 'p' });
  assert.notEqual(pod.metadata.deletionTimestamp, undefined);
  const budget = await ask(endpoint, { verb: 'get', ...budgets, name: 'b' });
  const after = budget.status as { disruptionsAllowed: number; disruptedPods: object };
  assert.deepEqual([after.disruptionsAllowed, Object.keys(after.disruptedPods)], [0, ['p']]);
  await server.close();
});

test('a pod is bound once', async () => {
  const { endpoint, server } = await startTestServer();
  await createPod(endpoint, { nodeName: undefined });
  const bind = (node: string) =>
    endpoint.request({
      verb: 'create',
      ...PODS,
      name: 'p',
      subresource: 'binding',
      body: { metadata: { name: 'p' }, target: { kind: 'Node', name: node } },
    });
  assert.equal((await bind('n1')).code, 201);
  const pod = await ask(endpoint, { verb: 'get', ...PODS, name: 'p' });
  assert.equal((pod.spec as { nodeName: string }).nodeName, 'n1');
  await assert.rejects(bind('n2'), {
    code: 409,
    message: 'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"',
  });
  await server.close();
});
