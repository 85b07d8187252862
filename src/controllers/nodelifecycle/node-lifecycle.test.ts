import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { coreV1 } from '#api';
import { resources } from '#client';
import { type ControllersFixture, NAMESPACE, startControllersFixture } from '../frame/controllers.fixture.ts';
import { taintEvictionController } from '../tainteviction/index.ts';
import { nodeLifecycleController } from './index.ts';

let fixture: ControllersFixture;

beforeEach(async () => {
  fixture = await startControllersFixture([nodeLifecycleController(), taintEvictionController]);
});
afterEach(() => fixture.stop());

type Conditions = Readonly<Record<string, string>>;

function conditionsOf(statuses: Conditions): readonly coreV1.NodeCondition[] {
  const now = new Date(fixture.clock.now()).toISOString();
  return Object.entries(statuses).map(([type, status]) => ({
    type,
    status,
    lastHeartbeatTime: now,
    lastTransitionTime: now,
    reason: 'Kubelet',
    message: 'as reported',
  }));
}

async function report(name: string, statuses: Conditions): Promise<void> {
  const conditions = conditionsOf(statuses);
  await fixture.client
    .resource(resources.nodes)
    .patch(
      name,
      'application/strategic-merge-patch+json',
      { status: { conditions } },
      { subresource: 'status' },
    );
  await fixture.settle();
}

const READY = { Ready: 'True', MemoryPressure: 'False', DiskPressure: 'False', PIDPressure: 'False' };

const node = (name: string): Promise<coreV1.Node> => fixture.client.resource(resources.nodes).get(name);
const taintsOf = async (name: string): Promise<readonly string[]> =>
  ((await node(name)).spec.taints ?? []).map(({ key, effect }) => `${key}:${effect}`).toSorted();

async function keepReporting(name: string, forMs: number): Promise<void> {
  for (let passed = 0; passed < forMs; passed += 20_000) {
    await report(name, READY);
    await fixture.clock.advance(19_000);
  }
}

test('the taint a new node is born with goes when it becomes ready', async () => {
  await fixture.createNode('a', { status: { conditions: conditionsOf({ Ready: 'False' }) } });
  await fixture.settle();
  assert.deepEqual(await taintsOf('a'), ['node.kubernetes.io/not-ready:NoSchedule']);
  await report('a', READY);
  assert.deepEqual(await taintsOf('a'), []);
  assert.deepEqual(await fixture.eventsOf('a'), [
    'RegisteredNode: Node a event: Registered Node a in Controller',
  ]);
});

test('conditions and cordoning become taints that keep pods away, and go with their cause', async () => {
  await fixture.createNode('a', { spec: { unschedulable: true } });
  await report('a', { ...READY, MemoryPressure: 'True', PIDPressure: 'True' });
  assert.deepEqual(await taintsOf('a'), [
    'node.kubernetes.io/memory-pressure:NoSchedule',
    'node.kubernetes.io/pid-pressure:NoSchedule',
    'node.kubernetes.io/unschedulable:NoSchedule',
  ]);
  const nodes = fixture.client.resource(resources.nodes);
  await nodes.patch('a', 'application/merge-patch+json', { spec: { unschedulable: null } });
  await report('a', READY);
  assert.deepEqual(await taintsOf('a'), []);
});

test('a silent node becomes unknown after 50 s, its pods not ready, and one without toleration is evicted', async () => {
  await fixture.createNode('a');
  await fixture.createNode('b');
  await report('b', READY);
  await report('a', READY);
  const pods = fixture.client.resource(resources.pods, NAMESPACE);
  const containers = [{ name: 'c', image: 'i' }];
  const tolerations = [
    { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 60 },
    { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 60 },
  ] as const;
  await pods.create({ metadata: { name: 'p' }, spec: { containers, tolerations } });
  await fixture.runPod('p', 'a');
  await keepReporting('b', 60_000);
  const { conditions } = (await node('a')).status;
  assert.deepEqual(
    conditions?.map(({ type, status, reason, message }) => [type, status, reason, message]),
    ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'].map((type) => [
      type,
      'Unknown',
      'NodeStatusUnknown',
      'Kubelet stopped posting node status.',
    ]),
  );
  assert.deepEqual(await taintsOf('a'), [
    'node.kubernetes.io/unreachable:NoExecute',
    'node.kubernetes.io/unreachable:NoSchedule',
  ]);
  assert.deepEqual(await taintsOf('b'), []);
  const marked = await pods.get('p');
  assert.equal(marked.status.conditions?.find(({ type }) => type === 'Ready')?.status, 'False');
  assert.equal(marked.metadata.deletionTimestamp, undefined);
  await keepReporting('b', 60_000);
  const evicted = await pods.get('p');
  assert.notEqual(evicted.metadata.deletionTimestamp, undefined);
  const target = evicted.status.conditions?.find(({ type }) => type === 'DisruptionTarget');
  assert.equal(target?.reason, 'DeletionByTaintManager');
  assert.equal(target?.message, 'Taint manager: deleting due to NoExecute taint');
  assert.deepEqual(await fixture.eventsOf('p'), [
    'NodeNotReady: Node is not ready',
    'TaintManagerEviction: Marking for deletion Pod default/p',
  ]);
});

test('a renewed lease is a sign of life', async () => {
  await fixture.client
    .resource(resources.namespaces)
    .create({ metadata: { name: 'kube-node-lease' }, spec: {} })
    .catch(() => undefined);
  await fixture.createNode('a');
  await report('a', READY);
  const leases = fixture.client.resource(resources.leases, 'kube-node-lease');
  const spec = (): { holderIdentity: string; renewTime: string } => ({
    holderIdentity: 'a',
    renewTime: new Date(fixture.clock.now()).toISOString().replace('Z', '000Z'),
  });
  let lease = await leases.create({ metadata: { name: 'a' }, spec: spec() });
  for (let i = 0; i < 6; i++) {
    await fixture.clock.advance(30_000);
    lease = await leases.update({ ...lease, spec: spec() });
    await fixture.settle();
  }
  assert.deepEqual(await taintsOf('a'), []);
});

test('nothing is evicted while not one node is ready, and the silent ones are once another is back', async () => {
  for (const name of ['a', 'b']) {
    await fixture.createNode(name);
    await report(name, READY);
  }
  await fixture.clock.advance(120_000);
  for (const name of ['a', 'b'])
    assert.deepEqual(await taintsOf(name), ['node.kubernetes.io/unreachable:NoSchedule']);
  await report('a', READY);
  await fixture.clock.advance(10_000);
  assert.deepEqual(await taintsOf('a'), []);
  assert.deepEqual(await taintsOf('b'), [
    'node.kubernetes.io/unreachable:NoExecute',
    'node.kubernetes.io/unreachable:NoSchedule',
  ]);
});

test('a kubelet that insists its pod is ready while its node is unknown is not written against for ever', async () => {
  for (const name of ['a', 'b']) {
    await fixture.createNode(name);
    await report(name, READY);
  }
  await fixture.client
    .resource(resources.pods, NAMESPACE)
    .create({ metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }] } });
  await fixture.runPod('p', 'a');
  const readiness = async (): Promise<string | undefined> => {
    const { status } = await fixture.client.resource(resources.pods, NAMESPACE).get('p');
    return status.conditions?.find(({ type }) => type === 'Ready')?.status;
  };
  await keepReporting('b', 60_000);
  assert.equal(await readiness(), 'False');
  await fixture.runPod('p', 'a');
  await fixture.settle();
  assert.equal(await readiness(), 'True');
  // It speaks, and falls silent again: a new silence, told anew.
  await report('a', READY);
  await keepReporting('b', 60_000);
  assert.equal(await readiness(), 'False');
});
