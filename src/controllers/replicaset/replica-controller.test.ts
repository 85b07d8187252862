import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { appsV1, Draft } from '#api';
import { resources } from '#client';
import { type ControllersFixture, NAMESPACE, startControllersFixture } from '../frame/controllers.fixture.ts';
import { replicaSetController, replicationController } from './index.ts';

let fixture: ControllersFixture;
beforeEach(async () => {
  fixture = await startControllersFixture([replicaSetController, replicationController]);
});
afterEach(() => fixture.stop());

const replicaSets = () => fixture.client.resource(resources.replicaSets, NAMESPACE);
const pods = () => fixture.client.resource(resources.pods, NAMESPACE);

async function createSet(spec: Partial<appsV1.ReplicaSetSpec> = {}): Promise<void> {
  const draft: Draft<appsV1.ReplicaSet> = {
    metadata: { name: 'web' },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web', tier: 'front' } },
        spec: { containers: [{ name: 'c', image: 'web' }] },
      },
      ...spec,
    },
  };
  await replicaSets().create(draft);
  await fixture.settle();
}

const scale = async (replicas: number): Promise<void> => {
  await replicaSets().patch('web', 'application/merge-patch+json', { spec: { replicas } });
  await fixture.settle();
};

test('pods are made from the template and owned by the set', async () => {
  await createSet();
  const created = await fixture.pods();
  assert.equal(created.length, 2);
  const set = await replicaSets().get('web');
  for (const { metadata } of created) {
    assert.match(metadata.name, /^web-[a-z0-9]{5}$/);
    assert.deepEqual(metadata.ownerReferences, [
      {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        name: 'web',
        uid: set.metadata.uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ]);
  }
  assert.deepEqual(set.status, {
    replicas: 2,
    fullyLabeledReplicas: 2,
    terminatingReplicas: 0,
    observedGeneration: 1,
  });
  const events = await fixture.eventsOf('web');
  assert.deepEqual(
    events.toSorted(),
    created.map(({ metadata }) => `SuccessfulCreate: Created pod: ${metadata.name}`).toSorted(),
  );
});

test('exactly as many pods are made as asked for, however large the set and however often it is looked at', async () => {
  await createSet({ replicas: 120 });
  await scale(130);
  assert.equal((await pods().list()).items.length, 130);
});

test('a pod that is being deleted is replaced at once and counted as terminating', async () => {
  await createSet();
  await fixture.runAllPods();
  const [victim] = await fixture.pods();
  await pods().delete(victim?.metadata.name ?? '');
  await fixture.settle();
  assert.equal((await fixture.pods()).length, 2);
  const { status } = await replicaSets().get('web');
  assert.equal(status.replicas, 2);
  assert.equal(status.terminatingReplicas, 1);
});

test('scaling down deletes the pods that are not ready first', async () => {
  await createSet({ replicas: 3 });
  const [first] = await fixture.pods();
  await fixture.runPod(first?.metadata.name ?? '');
  await fixture.settle();
  await scale(1);
  assert.deepEqual(
    (await fixture.pods()).map(({ metadata }) => metadata.name),
    [first?.metadata.name],
  );
});

test('a matching pod without an owner is adopted, one that no longer matches is released and replaced', async () => {
  await pods().create({
    metadata: { name: 'stray', labels: { app: 'web' } },
    spec: { containers: [{ name: 'c', image: 'web' }] },
  });
  await createSet();
  const adopted = await pods().get('stray');
  assert.equal(adopted.metadata.ownerReferences?.[0]?.name, 'web');
  assert.equal((await fixture.pods()).length, 2);
  await pods().patch('stray', 'application/merge-patch+json', { metadata: { labels: { app: 'other' } } });
  await fixture.settle();
  assert.equal((await pods().get('stray')).metadata.ownerReferences, undefined);
  assert.equal((await fixture.pods()).length, 3);
});

test('a finished pod does not count', async () => {
  await createSet();
  const [first] = await fixture.pods();
  await fixture.setPodStatus(first?.metadata.name ?? '', { phase: 'Failed' });
  await fixture.settle();
  assert.equal((await fixture.pods()).length, 3);
  assert.equal((await replicaSets().get('web')).status.replicas, 2);
});

test('a ready pod is available after minReadySeconds, without any event', async () => {
  await createSet({ minReadySeconds: 20 });
  await fixture.runAllPods();
  assert.equal((await replicaSets().get('web')).status.readyReplicas, 2);
  assert.equal((await replicaSets().get('web')).status.availableReplicas, undefined);
  await fixture.clock.advance(20_000);
  assert.equal((await replicaSets().get('web')).status.availableReplicas, 2);
});

test('the work goes on where it was when the API server comes back', async () => {
  const end = fixture.cluster.addFault((request) =>
    request.verb === 'create' && request.resource === 'pods' ? new Error('connection refused') : undefined,
  );
  await createSet();
  assert.equal((await fixture.pods()).length, 0);
  end();
  await fixture.clock.advance(60_000);
  assert.equal((await fixture.pods()).length, 2);
});

test('a ReplicationController does the same by its plain selector', async () => {
  await fixture.client.resource(resources.replicationControllers, NAMESPACE).create({
    metadata: { name: 'old' },
    spec: {
      replicas: 2,
      selector: { app: 'old' },
      template: { metadata: { labels: { app: 'old' } }, spec: { containers: [{ name: 'c', image: 'web' }] } },
    },
  });
  await fixture.settle();
  await fixture.runAllPods();
  const { status } = await fixture.client.resource(resources.replicationControllers, NAMESPACE).get('old');
  assert.deepEqual(status, {
    replicas: 2,
    fullyLabeledReplicas: 2,
    readyReplicas: 2,
    availableReplicas: 2,
    observedGeneration: 1,
  });
});
