import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { coreV1 } from '#api';
import { resources } from '#client';
import { isNotFound } from '#machinery';
import { type ControllersFixture, NAMESPACE, startControllersFixture } from '../frame/controllers.fixture.ts';
import { podGarbageCollector } from './index.ts';

let fixture: ControllersFixture;

beforeEach(async () => {
  fixture = await startControllersFixture([podGarbageCollector({ endedPodThreshold: 2 })]);
});
afterEach(() => fixture.stop());

const pods = () => fixture.client.resource(resources.pods, NAMESPACE);

async function createPod(name: string, finalizers?: readonly string[]): Promise<void> {
  await pods().create({
    metadata: { name, ...(finalizers === undefined ? {} : { finalizers }) },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  });
}

async function find(name: string): Promise<coreV1.Pod | undefined> {
  try {
    return await pods().get(name);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

test('pods of a node that is gone fail and go, but only after it had time to come back', async () => {
  await fixture.createNode('n');
  await createPod('p', ['example.com/hold']);
  await fixture.runPod('p', 'n');
  await fixture.client.resource(resources.nodes).delete('n');
  await fixture.clock.advance(39_000);
  assert.equal((await find('p'))?.metadata.deletionTimestamp, undefined);
  await fixture.clock.advance(2_000);
  const pod = await find('p');
  assert.notEqual(pod?.metadata.deletionTimestamp, undefined);
  assert.equal(pod?.status.phase, 'Failed');
  const condition = pod.status.conditions?.find(({ type }) => type === 'DisruptionTarget');
  assert.equal(condition?.reason, 'DeletionByPodGC');
  assert.equal(condition.message, 'PodGC: node no longer exists');
});

test('a deleted pod that waits on a node out of service is taken away', async () => {
  await fixture.createNode('n', {
    spec: { taints: [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }] },
  });
  await createPod('p');
  await fixture.runPod('p', 'n');
  await pods().delete('p');
  await fixture.settle();
  assert.equal(await find('p'), undefined);
});

test('on a node in service a deleted pod has its grace', async () => {
  await fixture.createNode('n');
  await createPod('p');
  await fixture.runPod('p', 'n');
  await pods().delete('p');
  await fixture.settle();
  assert.notEqual(await find('p'), undefined);
});

test('of ended pods only as many are kept as the threshold says, the evicted go first', async () => {
  await fixture.createNode('n');
  for (const name of ['a', 'b', 'c']) await createPod(name);
  await fixture.setPodStatus('a', { phase: 'Succeeded' });
  await fixture.setPodStatus('b', { phase: 'Failed', reason: 'Evicted' });
  await fixture.settle();
  assert.equal((await fixture.pods()).length, 3);
  await fixture.setPodStatus('c', { phase: 'Failed' });
  await fixture.settle();
  assert.deepEqual(
    (await fixture.pods()).map(({ metadata }) => metadata.name),
    ['a', 'c'],
  );
});
