/** The kubelet against the API server with its real admission and authorization, as the node's own identity. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Client, createClient, createEventRecorder, createInformerFactory, resources } from '#client';
import type { ResourceRequest, UserInfo } from '#machinery';
import { silentLogger } from '#platform';
import { API_SERVER_ALONE, startCluster, type TestCluster } from '#testing';
import { createKubelet } from './kubelet.ts';
import {
  createMemoryFiles,
  createSimulatedRuntime,
  SCRIPT_ANNOTATION,
  simulatedProbes,
  simulatedProcesses,
} from './simulated/index.ts';

const NODE = 'node-1';
const user: UserInfo = { name: `system:node:${NODE}`, groups: ['system:nodes', 'system:authenticated'] };
const unreachable = (): Promise<never> => Promise.reject(new Error('no network in this test'));

interface Cluster {
  readonly api: TestCluster;
  readonly admin: Client;
  /** What the kubelet has asked of the API so far. */
  readonly requests: readonly ResourceRequest[];
  stop(): Promise<void>;
}

async function startNode(): Promise<Cluster> {
  const api = await startCluster(API_SERVER_ALONE);
  const { clock, random, client: admin } = api;
  const endpoint = api.apiServer.endpointFor(user);
  const requests: ResourceRequest[] = [];
  let underWay = 0;
  clock.addBusyProbe(() => underWay > 0);
  const client = createClient({
    async request(request, options) {
      requests.push(request);
      underWay++;
      return endpoint.request(request, options).finally(() => underWay--);
    },
    watch: (request, options) => endpoint.watch(request, options),
  });
  const files = createMemoryFiles(clock);
  const runtime = createSimulatedRuntime({ clock, random, files });
  const informers = createInformerFactory({ client, clock, random, logger: silentLogger });
  const events = createEventRecorder({
    client,
    component: 'kubelet',
    host: NODE,
    clock,
    random,
    logger: silentLogger,
  });
  const kubelet = createKubelet({
    nodeName: NODE,
    client,
    informers,
    events,
    runtime,
    images: runtime,
    clock,
    random,
    logger: silentLogger,
    files,
    processes: simulatedProcesses,
    sockets: { connectTcp: unreachable, listenTcp: unreachable, bindUdp: unreachable },
    probes: simulatedProbes,
    machine: {
      capacity: { cpu: '4', memory: '8Gi', 'ephemeral-storage': '100Gi' },
      memoryBytes: 8 * 2 ** 30,
      systemInfo: {
        architecture: 'amd64',
        bootID: 'b',
        kernelVersion: '6',
        machineID: 'm',
        osImage: 'T',
        systemUUID: 'u',
      },
    },
    nodeIps: ['192.168.1.10'],
    clusterDns: ['10.96.0.10'],
    clusterDomain: 'cluster.local',
  });
  await kubelet.start();
  await admin.resource(resources.serviceAccounts, 'default').create({ metadata: { name: 'default' } });
  await admin
    .resource(resources.configMaps, 'default')
    .create({ metadata: { name: 'kube-root-ca.crt' }, data: { 'ca.crt': 'x' } });
  await clock.settle();
  return {
    api,
    admin,
    requests,
    async stop() {
      await kubelet.stop();
      events.stop();
      await informers.stop();
      await api.stop();
    },
  };
}

async function bound(
  { admin, api }: Cluster,
  name: string,
  annotations: Record<string, string> = {},
): Promise<void> {
  await admin.resource(resources.pods, 'default').create({
    metadata: { name, annotations },
    spec: { nodeName: NODE, containers: [{ name: 'app', image: 'app:1' }] },
  });
  await api.clock.advance(1000);
}

test('A pod runs with its service account token and is reported by the node itself', async () => {
  const cluster = await startNode();
  await bound(cluster, 'web');
  const { status, spec } = await cluster.admin.resource(resources.pods, 'default').get('web');
  assert.equal(status.phase, 'Running');
  assert.equal(status.containerStatuses?.[0]?.ready, true);
  assert.equal(status.qosClass, 'BestEffort');
  assert.ok(spec.volumes?.some(({ projected }) => projected !== undefined));
  await cluster.stop();
});

test('A pod that runs is not written again for the echo of its own status', async () => {
  const cluster = await startNode();
  await bound(cluster, 'web');
  const asked = cluster.requests.length;
  await cluster.admin
    .resource(resources.pods, 'default')
    .patch('web', 'application/merge-patch+json', { metadata: { labels: { a: 'b' } } });
  await cluster.api.clock.settle();
  assert.deepEqual(
    cluster.requests.slice(asked).filter(({ resource }) => resource === 'pods'),
    [],
  );
  await cluster.stop();
});

test('A deleted pod is gone when its container has ended', async () => {
  const cluster = await startNode();
  await bound(cluster, 'web', { [SCRIPT_ANNOTATION]: '{"app":{"stopAfterMs":5000}}' });
  const pods = cluster.admin.resource(resources.pods, 'default');
  await pods.delete('web');
  await cluster.api.clock.advance(4000);
  assert.notEqual((await pods.get('web')).metadata.deletionTimestamp, undefined);
  await cluster.api.clock.advance(3000);
  assert.deepEqual((await pods.list()).items, []);
  await cluster.stop();
});

test('A crashing container is reported with its last state, and the story is told in events', async () => {
  const cluster = await startNode();
  await bound(cluster, 'web', { [SCRIPT_ANNOTATION]: '{"app":{"exitAfterMs":1000,"exitCode":3}}' });
  await cluster.api.clock.advance(20_000);
  const { status } = await cluster.admin.resource(resources.pods, 'default').get('web');
  assert.equal(status.containerStatuses?.[0]?.lastState?.terminated?.exitCode, 3);
  const events = await cluster.admin.resource(resources.events, 'default').list();
  const reasons = new Set(
    events.items.filter(({ involvedObject }) => involvedObject.kind === 'Pod').map(({ reason }) => reason),
  );
  assert.deepEqual(
    [...reasons].toSorted((a, b) => ((a ?? '') < (b ?? '') ? -1 : 1)),
    ['BackOff', 'Created', 'Pulled', 'Pulling', 'Started'],
  );
  await cluster.stop();
});

test('The node reports itself and renews its lease', async () => {
  const cluster = await startNode();
  await cluster.api.clock.advance(30_000);
  const node = await cluster.admin.resource(resources.nodes).get(NODE);
  assert.equal(node.status.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
  const lease = await cluster.admin.resource(resources.leases, 'kube-node-lease').get(NODE);
  assert.equal(lease.spec?.holderIdentity, NODE);
  await cluster.stop();
});
