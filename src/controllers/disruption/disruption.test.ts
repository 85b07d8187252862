import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { policyV1 } from '#api';
import { resources } from '#client';
import { type ControllersFixture, NAMESPACE, startControllersFixture } from '../frame/controllers.fixture.ts';
import { replicaSetController } from '../replicaset/index.ts';
import { disruptionController } from './index.ts';

let fixture: ControllersFixture;

beforeEach(async () => {
  fixture = await startControllersFixture([disruptionController, replicaSetController]);
});
afterEach(() => fixture.stop());

const LABELS = { app: 'w' };
const budgets = () => fixture.client.resource(resources.podDisruptionBudgets, NAMESPACE);

async function createBudget(spec: Partial<policyV1.PodDisruptionBudgetSpec>): Promise<void> {
  await budgets().create({ metadata: { name: 'b' }, spec: { selector: { matchLabels: LABELS }, ...spec } });
  await fixture.settle();
}

async function createReplicaSet(replicas: number): Promise<void> {
  const template = { metadata: { labels: LABELS }, spec: { containers: [{ name: 'c', image: 'i' }] } };
  await fixture.client
    .resource(resources.replicaSets, NAMESPACE)
    .create({ metadata: { name: 'w' }, spec: { replicas, selector: { matchLabels: LABELS }, template } });
  await fixture.settle();
}

async function counts(): Promise<readonly number[]> {
  const { expectedPods, currentHealthy, desiredHealthy, disruptionsAllowed } = (await budgets().get('b'))
    .status;
  return [expectedPods, currentHealthy, desiredHealthy, disruptionsAllowed];
}
const condition = async (): Promise<string> => {
  const [first] = (await budgets().get('b')).status.conditions ?? [];
  return `${first?.status} ${first?.reason} ${first?.message}`;
};

test('a percentage is one of what the controllers of the pods want', async () => {
  await createReplicaSet(4);
  await createBudget({ maxUnavailable: '25%' });
  assert.deepEqual(await counts(), [4, 0, 3, 0]);
  assert.equal(await condition(), 'False InsufficientPods ');
  await fixture.runAllPods();
  assert.deepEqual(await counts(), [4, 4, 3, 1]);
  assert.equal(await condition(), 'True SufficientPods ');
  const [pod] = await fixture.pods();
  await fixture.setPodStatus(pod?.metadata.name ?? '', {
    conditions: [{ type: 'Ready', status: 'False' }],
  });
  await fixture.settle();
  assert.deepEqual(await counts(), [4, 3, 3, 0]);
});

test('a number of pods needs no controller', async () => {
  const pods = fixture.client.resource(resources.pods, NAMESPACE);
  await pods.create({
    metadata: { name: 'p', labels: LABELS },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  });
  await createBudget({ minAvailable: 1 });
  await fixture.runAllPods();
  assert.deepEqual(await counts(), [1, 1, 1, 0]);
});

test('nothing is allowed while a controller of the pods does not say how many it wants', async () => {
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name: 'j', uid: 'u', controller: true };
  await fixture.client.resource(resources.pods, NAMESPACE).create({
    metadata: { name: 'p', labels: LABELS, ownerReferences: [owner] },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  });
  await createBudget({ minAvailable: '50%' });
  assert.equal(await condition(), 'False SyncFailed jobs.batch does not implement the scale subresource');
});

test('an eviction uses up the allowance until the pod is deleted, or two minutes have passed', async () => {
  await createReplicaSet(2);
  await createBudget({ minAvailable: 1 });
  await fixture.runAllPods();
  const [pod] = await fixture.pods();
  const name = pod?.metadata.name ?? '';
  const budget = await budgets().get('b');
  const at = new Date(fixture.clock.now()).toISOString();
  await budgets().updateStatus({ ...budget, status: { ...budget.status, disruptedPods: { [name]: at } } });
  await fixture.settle();
  assert.deepEqual(await counts(), [2, 1, 1, 0]);
  await fixture.clock.advance(121_000);
  assert.deepEqual(await counts(), [2, 2, 1, 1]);
  assert.deepEqual((await budgets().get('b')).status.disruptedPods, undefined);
});

test('an announced disruption that does not come is called off', async () => {
  await createReplicaSet(1);
  await fixture.runAllPods();
  const [pod] = await fixture.pods();
  const name = pod?.metadata.name ?? '';
  await fixture.setPodStatus(name, {
    conditions: [
      {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'EvictionByEvictionAPI',
        lastTransitionTime: new Date(fixture.clock.now()).toISOString(),
      },
    ],
  });
  const status = async (): Promise<string | undefined> =>
    (await fixture.client.resource(resources.pods, NAMESPACE).get(name)).status.conditions?.find(
      ({ type }) => type === 'DisruptionTarget',
    )?.status;
  await fixture.clock.advance(110_000);
  assert.equal(await status(), 'True');
  await fixture.clock.advance(11_000);
  assert.equal(await status(), 'False');
});
