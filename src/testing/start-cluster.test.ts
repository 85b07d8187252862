import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { appsV1, Draft } from '#api';
import { resources } from '#client';
import { API_SERVER_ALONE, startCluster, type TestCluster } from './start-cluster.ts';

const deployment = (replicas: number): Draft<appsV1.Deployment> => ({
  metadata: { name: 'web' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'web' }] } },
  },
});

const deployments = ({ client }: TestCluster) => client.resource(resources.deployments, 'default');
const isAvailable = (cluster: TestCluster, replicas: number) => async (): Promise<boolean> =>
  (await deployments(cluster).get('web')).status.availableReplicas === replicas;

test('a Deployment runs on the nodes, through the real controllers, scheduler and kubelets', async () => {
  await using cluster = await startCluster({ nodes: 2 });
  await deployments(cluster).create(deployment(4));
  await cluster.waitFor(isAvailable(cluster, 4));
  const { items } = await cluster.client.resource(resources.pods, 'default').list();
  assert.deepEqual(new Set(items.map(({ spec }) => spec.nodeName)), new Set(['node-1', 'node-2']));
  assert.ok(items.every(({ status }) => status.phase === 'Running' && status.podIP !== undefined));
});

test('pods of a node that lost its power are replaced elsewhere after five minutes', async () => {
  await using cluster = await startCluster({ nodes: 3 });
  await deployments(cluster).create(deployment(3));
  await cluster.waitFor(isAvailable(cluster, 3));
  await cluster.failNode('node-2');
  await cluster.advance(60_000);
  assert.ok(((await deployments(cluster).get('web')).status.availableReplicas ?? 0) < 3);
  const startedAt = cluster.clock.monotonic();
  await cluster.waitFor(isAvailable(cluster, 3));
  const tookMs = cluster.clock.monotonic() - startedAt;
  assert.ok(tookMs > 280_000 && tookMs < 310_000, `${tookMs} ms`);
});

test('the same seed gives the same cluster, to the names of its pods', async () => {
  const run = async (seed: number): Promise<readonly string[]> => {
    await using cluster = await startCluster({ nodes: 2, seed });
    await deployments(cluster).create(deployment(5));
    await cluster.waitFor(isAvailable(cluster, 5));
    const { items } = await cluster.client.resource(resources.pods, 'default').list();
    return items.map(({ metadata, spec }) => `${metadata.name} on ${spec.nodeName}`).sort();
  };
  assert.deepEqual(await run(7), await run(7));
  assert.notDeepEqual(await run(7), await run(8));
});

test('a cluster heals when the requests that failed work again', async () => {
  await using cluster = await startCluster({ nodes: 1 });
  const end = cluster.addFault((request, user) =>
    request.verb !== 'watch' && user.name !== 'kubernetes-admin' && cluster.random.next() < 0.3
      ? new Error('connection reset')
      : undefined,
  );
  await deployments(cluster).create(deployment(3));
  await cluster.advance(20_000);
  end();
  await cluster.waitFor(isAvailable(cluster, 3), { withinMs: 15 * 60_000 });
});

test('nothing is left behind when it is stopped', async () => {
  const cluster = await startCluster({ nodes: 1 });
  await cluster.stop();
  await cluster.stop();
  assert.equal(cluster.clock.pendingTimers, 0);
});

test('an API server alone leaves what it is given as it is', async () => {
  await using cluster = await startCluster(API_SERVER_ALONE);
  await cluster.client.resource(resources.namespaces).create({ metadata: { name: 'a' }, spec: {} });
  await cluster.client.resource(resources.deployments, 'a').create(deployment(1));
  await cluster.advance(60_000);
  const { items: pods } = await cluster.client.resource(resources.pods).list();
  const { items: accounts } = await cluster.client.resource(resources.serviceAccounts, 'a').list();
  assert.deepEqual([pods, accounts], [[], []]);
});
