import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { appsV1, coreV1 } from '#api';
import { resources } from '#client';
import { type ControllersFixture, NAMESPACE, startControllersFixture } from '../frame/controllers.fixture.ts';
import { statefulSetController } from './index.ts';

let fixture: ControllersFixture;

beforeEach(async () => {
  fixture = await startControllersFixture([statefulSetController]);
});
afterEach(() => fixture.stop());

const LABELS = { app: 's' };
const template = (image = 'i:1'): coreV1.PodTemplateSpec => ({
  metadata: { labels: LABELS },
  spec: { containers: [{ name: 'c', image }] },
});
const sets = () => fixture.client.resource(resources.statefulSets, NAMESPACE);
const pods = () => fixture.client.resource(resources.pods, NAMESPACE);
const claims = () => fixture.client.resource(resources.persistentVolumeClaims, NAMESPACE);

const claimTemplate: coreV1.PersistentVolumeClaim = {
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  // A template is written without what the server fills in.
  metadata: { name: 'data' } as coreV1.PersistentVolumeClaim['metadata'],
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  status: {},
};

async function createSet(spec: Partial<appsV1.StatefulSetSpec> = {}): Promise<void> {
  await sets().create({
    metadata: { name: 's' },
    spec: { selector: { matchLabels: LABELS }, serviceName: 'svc', template: template(), ...spec },
  });
  await fixture.settle();
}

async function patchSpec(spec: object): Promise<void> {
  await sets().patch('s', 'application/strategic-merge-patch+json', { spec });
  await fixture.settle();
}

const running = async (): Promise<readonly string[]> =>
  (await fixture.pods()).map(({ metadata, spec }) => `${metadata.name} ${spec.containers[0]?.image}`);

/** Lets a kubelet start everything that can be, one after the other. */
async function runEverything(): Promise<void> {
  for (let i = 0; i < 6; i++) {
    const { items } = await pods().list();
    for (const { metadata } of items)
      if (metadata.deletionTimestamp !== undefined) await fixture.removePod(metadata.name);
    await fixture.settle();
    await fixture.runAllPods();
  }
}

test('pods are created one by one, each when the one before it is ready', async () => {
  await createSet({ replicas: 3 });
  assert.deepEqual(await running(), ['s-0 i:1']);
  await fixture.runAllPods();
  assert.deepEqual(await running(), ['s-0 i:1', 's-1 i:1']);
  await runEverything();
  assert.deepEqual(await running(), ['s-0 i:1', 's-1 i:1', 's-2 i:1']);
  const { status } = await sets().get('s');
  assert.equal(status.readyReplicas, 3);
  assert.equal(status.availableReplicas, 3);
  assert.equal(status.currentReplicas, 3);
  assert.equal(status.updatedReplicas, 3);
  assert.equal(status.currentRevision, status.updateRevision);
  assert.equal(status.collisionCount, 0);
  assert.deepEqual(await fixture.eventsOf('s'), [
    'SuccessfulCreate: Create Pod s-0 in StatefulSet s successful',
    'SuccessfulCreate: Create Pod s-1 in StatefulSet s successful',
    'SuccessfulCreate: Create Pod s-2 in StatefulSet s successful',
  ]);
});

test('a pod carries its name, number and revision, and the network name of its service', async () => {
  await createSet({ replicas: 1, ordinals: { start: 5 } });
  const pod = await pods().get('s-5');
  const { updateRevision } = (await sets().get('s')).status;
  assert.equal(pod.spec.hostname, 's-5');
  assert.equal(pod.spec.subdomain, 'svc');
  assert.deepEqual(pod.metadata.labels, {
    app: 's',
    'apps.kubernetes.io/pod-index': '5',
    'controller-revision-hash': updateRevision,
    'statefulset.kubernetes.io/pod-name': 's-5',
  });
});

test('scaling down deletes the highest first and waits for it to be gone', async () => {
  await createSet({ replicas: 3 });
  await runEverything();
  await patchSpec({ replicas: 1 });
  assert.deepEqual(await running(), ['s-0 i:1', 's-1 i:1']);
  await fixture.removePod('s-2');
  await fixture.settle();
  assert.deepEqual(await running(), ['s-0 i:1']);
});

test('with the Parallel policy nothing waits', async () => {
  await createSet({ replicas: 3, podManagementPolicy: 'Parallel' });
  assert.equal((await running()).length, 3);
  await patchSpec({ replicas: 0 });
  assert.deepEqual(await running(), []);
});

test('a rolling update replaces pods from the last to the first, down to the partition', async () => {
  await createSet({
    replicas: 3,
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } },
  });
  await runEverything();
  await patchSpec({ template: template('i:2') });
  assert.deepEqual(await running(), ['s-0 i:1', 's-1 i:1']);
  await runEverything();
  assert.deepEqual(await running(), ['s-0 i:1', 's-1 i:2', 's-2 i:2']);
  const before = (await sets().get('s')).status;
  assert.equal(before.updatedReplicas, 2);
  assert.equal(before.currentReplicas, 1);
  assert.notEqual(before.currentRevision, before.updateRevision);
  await fixture.removePod('s-0');
  await runEverything();
  assert.deepEqual((await running())[0], 's-0 i:1');
  await patchSpec({ updateStrategy: { rollingUpdate: { partition: 0 } } });
  await runEverything();
  assert.deepEqual(await running(), ['s-0 i:2', 's-1 i:2', 's-2 i:2']);
  const { status } = await sets().get('s');
  assert.equal(status.currentRevision, before.updateRevision);
  assert.equal(status.currentReplicas, 3);
});

test('with OnDelete only deleted pods come back new', async () => {
  await createSet({ replicas: 2, updateStrategy: { type: 'OnDelete' } });
  await runEverything();
  await patchSpec({ template: template('i:2') });
  await runEverything();
  assert.deepEqual(await running(), ['s-0 i:1', 's-1 i:1']);
  await fixture.removePod('s-0');
  await runEverything();
  assert.deepEqual(await running(), ['s-0 i:2', 's-1 i:1']);
});

test('a pod that ended is made anew under its name', async () => {
  await createSet({ replicas: 1 });
  await fixture.runAllPods();
  const { uid } = (await pods().get('s-0')).metadata;
  await fixture.setPodStatus('s-0', { phase: 'Failed' });
  await fixture.settle();
  await runEverything();
  assert.notEqual((await pods().get('s-0')).metadata.uid, uid);
});

test('each pod has its own claims, which outlive it', async () => {
  await createSet({ replicas: 2, volumeClaimTemplates: [claimTemplate], podManagementPolicy: 'Parallel' });
  const names = async (): Promise<readonly string[]> =>
    (await claims().list()).items.map(({ metadata }) => metadata.name).toSorted((a, b) => (a < b ? -1 : 1));
  assert.deepEqual(await names(), ['data-s-0', 'data-s-1']);
  assert.deepEqual((await pods().get('s-1')).spec.volumes?.[0], {
    name: 'data',
    persistentVolumeClaim: { claimName: 'data-s-1' },
  });
  assert.ok(
    (await fixture.eventsOf('s')).includes(
      'SuccessfulCreate: Create Claim data-s-0 Pod s-0 in StatefulSet s success',
    ),
  );
  await patchSpec({ replicas: 0 });
  await runEverything();
  assert.deepEqual(await names(), ['data-s-0', 'data-s-1']);
  assert.equal((await claims().get('data-s-0')).metadata.ownerReferences, undefined);
});

test('the retention policy decides who owns the claims', async () => {
  const policy = { whenDeleted: 'Delete', whenScaled: 'Delete' };
  await createSet({
    replicas: 2,
    volumeClaimTemplates: [claimTemplate],
    persistentVolumeClaimRetentionPolicy: policy,
  });
  await runEverything();
  const ownerOf = async (name: string): Promise<string | undefined> =>
    (await claims().get(name)).metadata.ownerReferences?.map((owner) => `${owner.kind} ${owner.name}`).join();
  assert.equal(await ownerOf('data-s-1'), 'StatefulSet s');
  await patchSpec({ replicas: 1 });
  assert.equal(await ownerOf('data-s-1'), 'Pod s-1');
  assert.equal(await ownerOf('data-s-0'), 'StatefulSet s');
});

test('only as many revisions are kept as the limit says', async () => {
  await createSet({ replicas: 0, revisionHistoryLimit: 1 });
  for (const image of ['i:2', 'i:3', 'i:4']) await patchSpec({ template: template(image) });
  const { items } = await fixture.client.resource(resources.controllerRevisions, NAMESPACE).list();
  assert.deepEqual(
    items.map(({ revision }) => revision).toSorted((a, b) => a - b),
    [3, 4],
  );
});
