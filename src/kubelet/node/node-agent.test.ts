import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resources } from '#client';
import { NODE_IP, NODE_NAME, startKubelet } from '../kubelet.fixture.ts';

test('The node registers with its labels, addresses, capacity and health', async () => {
  const harness = await startKubelet({ labels: { disk: 'ssd' }, reserved: { cpu: '500m', memory: '1Gi' } });
  const { metadata, status } = await harness.client.resource(resources.nodes).get(NODE_NAME);
  assert.equal(metadata.labels?.['kubernetes.io/hostname'], NODE_NAME);
  assert.equal(metadata.labels?.['kubernetes.io/arch'], 'amd64');
  assert.equal(metadata.labels?.['disk'], 'ssd');
  assert.deepEqual(status?.addresses, [
    { type: 'InternalIP', address: NODE_IP },
    { type: 'Hostname', address: NODE_NAME },
  ]);
  assert.deepEqual(status?.capacity, { cpu: '4', memory: '8Gi', 'ephemeral-storage': '100Gi', pods: '110' });
  assert.deepEqual(status?.allocatable, {
    cpu: '3500m',
    memory: '7Gi',
    'ephemeral-storage': '100Gi',
    pods: '110',
  });
  assert.equal(status?.nodeInfo?.kubeletVersion, 'v1.36.3+k8ts');
  assert.equal(status?.nodeInfo?.containerRuntimeVersion, 'simulated://1.0.0');
  assert.deepEqual(
    status?.conditions?.map(({ type, status: value, reason }) => [type, value, reason]),
    [
      ['MemoryPressure', 'False', 'KubeletHasSufficientMemory'],
      ['DiskPressure', 'False', 'KubeletHasNoDiskPressure'],
      ['PIDPressure', 'False', 'KubeletHasSufficientPID'],
      ['Ready', 'True', 'KubeletReady'],
    ],
  );
  await harness.stop();
});

test('The lease is renewed every ten seconds and owned by the node', async () => {
  const harness = await startKubelet();
  const lease = async () => harness.client.resource(resources.leases, 'kube-node-lease').get(NODE_NAME);
  const first = await lease();
  assert.equal(first.spec?.holderIdentity, NODE_NAME);
  assert.equal(first.spec?.leaseDurationSeconds, 40);
  assert.equal(first.metadata.ownerReferences?.[0]?.kind, 'Node');
  await harness.clock.advance(35_000);
  const later = await lease();
  const renewedMs = Date.parse(later.spec?.renewTime ?? '') - Date.parse(first.spec?.renewTime ?? '');
  assert.ok(renewedMs >= 30_000 && renewedMs <= 35_000, String(renewedMs));
  await harness.stop();
});

test('A renewal that fails is tried again at once, five times in all, and then with the next heartbeat', async () => {
  const harness = await startKubelet();
  const attemptsMs: number[] = [];
  harness.onRequest(({ resource, verb }) => {
    if (resource !== 'leases' || verb !== 'update') return;
    attemptsMs.push(harness.clock.monotonic());
    if (attemptsMs.length <= 7) throw new Error('nobody answers');
  });
  await harness.clock.advance(30_000);
  const since = (first: number, at: number): number => Math.round(at - (attemptsMs[first] ?? 0));
  assert.deepEqual(
    attemptsMs.slice(0, 5).map((at) => since(0, at)),
    [0, 200, 600, 1400, 3000],
  );
  assert.deepEqual(
    attemptsMs.slice(5).map((at) => since(5, at)),
    [0, 200, 600],
  );
  await harness.stop();
});

test('The status is written when it changed, and every five minutes', async () => {
  const harness = await startKubelet();
  const version = async () =>
    (await harness.client.resource(resources.nodes).get(NODE_NAME)).metadata.resourceVersion;
  const first = await version();
  await harness.clock.advance(60_000);
  assert.equal(await version(), first);
  await harness.runtime.pullImage('new:1');
  await harness.clock.advance(11_000);
  const second = await version();
  assert.notEqual(second, first);
  await harness.clock.advance(310_000);
  assert.notEqual(await version(), second);
  await harness.stop();
});

test('A runtime that is down makes the node not ready, and it says why', async () => {
  const harness = await startKubelet();
  const up = harness.runtime.status.bind(harness.runtime);
  harness.runtime.status = () => Promise.reject(new Error('gone'));
  await harness.clock.advance(11_000);
  const ready = async () =>
    (await harness.client.resource(resources.nodes).get(NODE_NAME)).status?.conditions?.find(
      ({ type }) => type === 'Ready',
    );
  assert.deepEqual(
    [(await ready())?.status, (await ready())?.reason, (await ready())?.message],
    ['False', 'KubeletNotReady', 'container runtime is down: gone'],
  );
  assert.ok(harness.events.some(({ reason }) => reason === 'NodeNotReady'));
  harness.runtime.status = up;
  await harness.clock.advance(11_000);
  assert.equal((await ready())?.status, 'True');
  assert.ok(harness.events.some(({ message }) => message === 'Node node-1 status is now: NodeReady'));
  await harness.stop();
});

test('A kubelet that comes back takes its node over and keeps what others decided', async () => {
  const harness = await startKubelet();
  const nodes = harness.client.resource(resources.nodes);
  const node = await nodes.get(NODE_NAME);
  await nodes.update({ ...node, spec: { ...node.spec, unschedulable: true } });
  await harness.restart();
  assert.equal((await nodes.get(NODE_NAME)).spec?.unschedulable, true);
  await harness.stop();
});

test('A node that somebody deleted is registered again', async () => {
  const harness = await startKubelet();
  const nodes = harness.client.resource(resources.nodes);
  await nodes.delete(NODE_NAME);
  await harness.clock.advance(11_000);
  assert.equal((await nodes.get(NODE_NAME)).metadata.name, NODE_NAME);
  await harness.stop();
});
