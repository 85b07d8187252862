import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { coreV1, Draft, storageV1 } from '#api';
import { createInformerFactory, type InformerFactory, resources } from '#client';
import { silentLogger } from '#platform';
import { API_SERVER_ALONE, startCluster, type TestCluster } from '#testing';
import { viewOf } from '../cluster-view.ts';
import type { SchedulerPlugin } from '../framework.ts';
import { cacheOf, node, pod, rejections } from '../objects.fixture.ts';
import { volumeBinding } from './volume-binding.ts';

let api: TestCluster;
let informers: InformerFactory;
let plugin: SchedulerPlugin;

beforeEach(async () => {
  api = await startCluster(API_SERVER_ALONE);
  await api.client
    .resource(resources.namespaces)
    .create({ metadata: { name: 'default' } })
    .catch(() => undefined);
  const { client, clock, random } = api;
  informers = createInformerFactory({ client, clock, random, logger: silentLogger });
  informers.start();
  const view = viewOf(informers);
  plugin = volumeBinding({ view, client, claims: view.claims });
  await view.synced({ signal: new AbortController().signal });
});
afterEach(async () => {
  await informers.stop();
  await api.stop();
});

const NODES = [node('a', { labels: { zone: 'x' } }), node('b', { labels: { zone: 'y' } })];
const using = (claimName: string): coreV1.Pod =>
  pod('p', { spec: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }] } });
const claims = () => api.client.resource(resources.persistentVolumeClaims, 'default');
const volumes = () => api.client.resource(resources.persistentVolumes);

async function createClass(name: string, more: Partial<Draft<storageV1.StorageClass>> = {}): Promise<void> {
  await api.client.resource(resources.storageClasses).create({
    metadata: { name },
    provisioner: 'example.com/disk',
    volumeBindingMode: 'WaitForFirstConsumer',
    ...more,
  });
}

async function createClaim(name: string, storageClassName: string, bound?: string): Promise<void> {
  await claims().create({
    metadata: {
      name,
      ...(bound === undefined ? {} : { annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } }),
    },
    spec: {
      accessModes: ['ReadWriteOnce'],
      storageClassName,
      resources: { requests: { storage: '1Gi' } },
      ...(bound === undefined ? {} : { volumeName: bound }),
    },
  });
  await api.clock.settle();
}

async function createVolume(
  name: string,
  zone: string,
  storageClassName: string,
  size = '1Gi',
): Promise<void> {
  const created = await volumes().create({
    metadata: { name },
    spec: {
      capacity: { storage: size },
      accessModes: ['ReadWriteOnce'],
      storageClassName,
      hostPath: { path: '/data' },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: [zone] }] }],
        },
      },
    },
  });
  await volumes().updateStatus({ ...created, status: { phase: 'Available' } });
  await api.clock.settle();
}

const rejectionOf = (incoming: coreV1.Pod): unknown => plugin.filterFor?.(incoming, cacheOf(NODES));

describe('pods that cannot go anywhere yet', () => {
  test('their claim does not exist', () => {
    assert.deepEqual(rejectionOf(using('data')), { podRejected: 'persistentvolumeclaim "data" not found' });
  });

  test('their claim should be bound already and is not', async () => {
    await createClass('fast', { volumeBindingMode: 'Immediate' });
    await createClaim('data', 'fast');
    assert.deepEqual(rejectionOf(using('data')), {
      podRejected: 'pod has unbound immediate PersistentVolumeClaims',
    });
  });

  test('the claim of their ephemeral volume is not made yet, or is somebody else’s', async () => {
    const claim = { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } };
    const incoming = pod('p', {
      spec: { volumes: [{ name: 'data', ephemeral: { volumeClaimTemplate: claim } }] },
    });
    assert.deepEqual(rejectionOf(incoming), {
      podRejected: 'waiting for ephemeral volume controller to create the persistentvolumeclaim "p-data"',
    });
    await createClaim('p-data', 'fast');
    assert.deepEqual(rejectionOf(incoming), {
      podRejected: 'PVC default/p-data was not created for pod default/p (pod is not owner)',
    });
  });
});

test('a pod without claims does not care', () => assert.equal(rejectionOf(pod('p')), undefined));

test('a bound claim ties the pod to where the volume is', async () => {
  await createVolume('disk', 'x', 'fast');
  await createClaim('data', 'fast', 'disk');
  assert.deepEqual(rejections(plugin, using('data'), cacheOf(NODES)), {
    b: "node(s) didn't match PersistentVolume's node affinity",
  });
});

test('a claim bound to a volume that is gone fits nowhere', async () => {
  await createClaim('data', 'fast', 'gone');
  const reason = 'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)';
  assert.deepEqual(rejections(plugin, using('data'), cacheOf(NODES)), { a: reason, b: reason });
});

test('without a provisioner there must be a volume the node can reach', async () => {
  await createClass('local', { provisioner: 'kubernetes.io/no-provisioner' });
  await createClaim('data', 'local');
  await createVolume('disk', 'y', 'local');
  await createVolume('other-class', 'x', 'slow');
  await createVolume('too-small', 'x', 'local', '1Mi');
  assert.deepEqual(rejections(plugin, using('data'), cacheOf(NODES)), {
    a: "node(s) didn't find available persistent volumes to bind",
  });
});

test('a volume is claimed for the pod, the smallest that fits, and nobody else gets it meanwhile', async () => {
  await createClass('local', { provisioner: 'kubernetes.io/no-provisioner' });
  await createClaim('data', 'local');
  await createVolume('large', 'y', 'local', '100Gi');
  await createVolume('small', 'y', 'local', '2Gi');
  const snapshot = cacheOf(NODES);
  const b = snapshot.get('b');
  assert.ok(b !== undefined);
  const release = plugin.reserve?.(using('data'), b);
  assert.ok(release !== undefined);
  const preparing = plugin.preBind?.(using('data'), 'b', { signal: new AbortController().signal });
  await api.clock.settle();
  const claimed = await volumes().get('small');
  assert.equal(claimed.spec.claimRef?.name, 'data');
  assert.equal((await volumes().get('large')).spec.claimRef, undefined);
  // What the volume controller does then.
  await claims().patch('data', 'application/merge-patch+json', {
    metadata: { annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } },
    spec: { volumeName: 'small' },
  });
  await api.clock.settle();
  await preparing;
  release();
});

test('a provisioner is told the node and waited for; a deleted claim ends the wait', async () => {
  await createClass('fast');
  await createClaim('data', 'fast');
  const snapshot = cacheOf(NODES);
  const a = snapshot.get('a');
  assert.ok(a !== undefined);
  assert.deepEqual(rejections(plugin, using('data'), snapshot), {});
  plugin.reserve?.(using('data'), a);
  const preparing = plugin.preBind?.(using('data'), 'a', { signal: new AbortController().signal });
  const outcome = assert.rejects(preparing ?? Promise.resolve(), {
    message: 'persistentvolumeclaim "default/data" was deleted while it was being bound',
  });
  await api.clock.settle();
  const { annotations } = (await claims().get('data')).metadata;
  assert.equal(annotations?.['volume.kubernetes.io/selected-node'], 'a');
  assert.deepEqual(Object.keys(rejections(plugin, using('data'), snapshot)), ['b']);
  await claims().patch('data', 'application/merge-patch+json', { metadata: { finalizers: null } });
  await claims().delete('data');
  await api.clock.settle();
  await outcome;
});
