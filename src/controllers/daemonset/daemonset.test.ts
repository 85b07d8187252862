import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { appsV1, coreV1 } from '#api';
import { resources } from '#client';
import { type ControllersFixture, NAMESPACE, startControllersFixture } from '../frame/controllers.fixture.ts';
import { daemonSetController } from './index.ts';

let fixture: ControllersFixture;

beforeEach(async () => {
  fixture = await startControllersFixture([daemonSetController]);
});
afterEach(() => fixture.stop());

const LABELS = { app: 'd' };
const template = (image = 'i:1', spec: Partial<coreV1.PodSpec> = {}): coreV1.PodTemplateSpec => ({
  metadata: { labels: LABELS },
  spec: { containers: [{ name: 'c', image }], ...spec },
});
const sets = () => fixture.client.resource(resources.daemonSets, NAMESPACE);

async function createSet(spec: Partial<appsV1.DaemonSetSpec> = {}): Promise<void> {
  await sets().create({
    metadata: { name: 'd' },
    spec: { selector: { matchLabels: LABELS }, template: template(), ...spec },
  });
  await fixture.settle();
}

/** A node that takes pods: the taint every new one is given has gone. */
async function addNode(name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> {
  await fixture.createNode(name, { metadata: { labels } });
  await setTaints(name, []);
}

async function setTaints(name: string, taints: readonly coreV1.Taint[]): Promise<void> {
  await fixture.client
    .resource(resources.nodes)
    .patch(name, 'application/merge-patch+json', { spec: { taints: taints.length === 0 ? null : taints } });
  await fixture.settle();
}

function nodeOf({ spec }: coreV1.Pod): string {
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required?.nodeSelectorTerms[0]?.matchFields?.[0]?.values?.[0] ?? '';
}

const placed = async (): Promise<readonly string[]> =>
  (await fixture.pods()).map((pod) => `${nodeOf(pod)} ${pod.spec.containers[0]?.image}`).toSorted();

async function runAll(): Promise<void> {
  for (const pod of await fixture.pods())
    if (pod.status.phase === 'Pending') await fixture.runPod(pod.metadata.name, nodeOf(pod));
  await fixture.settle();
}

/** A kubelet removes what is being deleted. */
async function removeTerminating(): Promise<void> {
  const { items } = await fixture.client.resource(resources.pods, NAMESPACE).list();
  for (const { metadata } of items)
    if (metadata.deletionTimestamp !== undefined) await fixture.removePod(metadata.name);
  await fixture.settle();
}

async function setImage(image: string): Promise<void> {
  await sets().patch('d', 'application/strategic-merge-patch+json', { spec: { template: template(image) } });
  await fixture.settle();
}

test('each node that fits gets one pod, also one that comes later', async () => {
  await addNode('a');
  await addNode('b', { role: 'other' });
  await createSet({ template: template('i:1', { nodeSelector: { role: 'edge' } }) });
  assert.deepEqual(await placed(), []);
  await addNode('c', { role: 'edge' });
  assert.deepEqual(await placed(), ['c i:1']);
  await runAll();
  const { status, metadata } = await sets().get('d');
  assert.deepEqual(status, {
    currentNumberScheduled: 1,
    desiredNumberScheduled: 1,
    numberMisscheduled: 0,
    numberReady: 1,
    numberAvailable: 1,
    observedGeneration: metadata.generation,
    updatedNumberScheduled: 1,
  });
});

test('a pod tolerates what befalls its node and carries its revision', async () => {
  await addNode('a');
  await createSet();
  const [pod] = await fixture.pods();
  assert.deepEqual(
    pod?.spec.tolerations?.map(({ key, effect }) => `${key}:${effect}`),
    [
      'node.kubernetes.io/not-ready:NoExecute',
      'node.kubernetes.io/unreachable:NoExecute',
      'node.kubernetes.io/disk-pressure:NoSchedule',
      'node.kubernetes.io/memory-pressure:NoSchedule',
      'node.kubernetes.io/pid-pressure:NoSchedule',
      'node.kubernetes.io/unschedulable:NoSchedule',
    ],
  );
  const hash = pod?.metadata.labels?.['controller-revision-hash'];
  const revision = await fixture.client.resource(resources.controllerRevisions, NAMESPACE).get(`d-${hash}`);
  assert.equal(revision.revision, 1);
});

test('a taint keeps pods away, and drives them out only when it says so', async () => {
  await addNode('a');
  await addNode('b');
  await createSet();
  await runAll();
  await setTaints('a', [{ key: 'k', effect: 'NoSchedule' }]);
  assert.deepEqual(await placed(), ['a i:1', 'b i:1']);
  await setTaints('b', [{ key: 'k', effect: 'NoExecute' }]);
  assert.deepEqual(await placed(), ['a i:1']);
});

test('a rolling update replaces one pod after the other', async () => {
  await addNode('a');
  await addNode('b');
  await createSet();
  await runAll();
  await setImage('i:2');
  assert.equal((await placed()).length, 1);
  assert.equal((await sets().get('d')).status.updatedNumberScheduled, undefined);
  await removeTerminating();
  assert.equal((await placed()).filter((line) => line.endsWith('i:2')).length, 1);
  await fixture.clock.advance(30_000);
  assert.equal((await placed()).filter((line) => line.endsWith('i:1')).length, 1);
  await runAll();
  await removeTerminating();
  await runAll();
  assert.deepEqual(await placed(), ['a i:2', 'b i:2']);
  assert.equal((await sets().get('d')).status.updatedNumberScheduled, 2);
});

test('with surge the new pod is there before the old one goes', async () => {
  await addNode('a');
  const updateStrategy = {
    type: 'RollingUpdate',
    rollingUpdate: { maxSurge: 1, maxUnavailable: 0 },
  } as const;
  await createSet({ updateStrategy });
  await runAll();
  await setImage('i:2');
  assert.deepEqual(await placed(), ['a i:1', 'a i:2']);
  await runAll();
  assert.deepEqual(await placed(), ['a i:2']);
});

test('a rollback brings the old revision to the top again', async () => {
  await addNode('a');
  await createSet({ updateStrategy: { type: 'OnDelete' } });
  await setImage('i:2');
  await setImage('i:1');
  assert.deepEqual(await placed(), ['a i:1']);
  const { items } = await fixture.client.resource(resources.controllerRevisions, NAMESPACE).list();
  assert.deepEqual(
    items.map(({ revision }) => revision).toSorted((a, b) => a - b),
    [2, 3],
  );
});

test('a failed pod is replaced, one that keeps failing ever later', async () => {
  await addNode('a');
  await createSet();
  const fail = async (): Promise<string> => {
    const [pod] = await fixture.pods();
    const name = pod?.metadata.name ?? '';
    await fixture.setPodStatus(name, { phase: 'Failed' });
    await fixture.clock.settle();
    return name;
  };
  const first = await fail();
  assert.ok((await fixture.pods()).every(({ metadata }) => metadata.name !== first));
  assert.equal(
    (await fixture.eventsOf('d')).find((event) => event.startsWith('FailedDaemonPod')),
    `FailedDaemonPod: Found failed daemon pod default/${first} on node a, will try to kill it`,
  );
  await fixture.settle();
  const second = await fail();
  await fixture.settle();
  const third = await fail();
  assert.notEqual(third, second);
  assert.deepEqual(
    (await fixture.pods()).map(({ metadata }) => metadata.name),
    [third],
  );
  await fixture.clock.advance(4_000);
  assert.notEqual((await fixture.pods())[0]?.metadata.name, third);
});
