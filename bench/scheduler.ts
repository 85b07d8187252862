/**
 * `node bench/scheduler.ts [nodes] [pods]`: how fast the scheduler places pods, in one process with an API server in
 * memory. First the decisions alone, then everything from the first pod without a node to the last binding seen in a
 * watch. Upstream's scheduler_perf figure for the latter: 212–223 pods/s end to end.
 */
import { performance } from 'node:perf_hooks';
import { createApiServer, createSecurity } from '#apiserver';
import type { coreV1 } from '#api';
import { createClient, createEventRecorder, createInformerFactory, resources } from '#client';
import { silentLogger } from '#platform';
import { systemClock as clock, systemRandom as random } from '#platform/node';
import { defaultPlugins, Scheduler } from '#scheduler';
import { createMemoryStore } from '#store';
import { serviceAccountKeyPem } from '../src/testing/service-account-key.ts';
import { SchedulerCache } from '../src/scheduler/cache.ts';
import { viewOf } from '../src/scheduler/cluster-view.ts';
import { Nominations } from '../src/scheduler/nominations.ts';
import { SchedulingCycle } from '../src/scheduler/scheduling-cycle.ts';

const [nodeCount = 1_000, podCount = 5_000] = process.argv.slice(2).map(Number);
const logger = silentLogger;
const ADMIN = { name: 'admin', groups: ['system:masters', 'system:authenticated'] };
const IN_FLIGHT = 64;

const allocatable = { cpu: '16', memory: '64Gi', pods: '110' };
const podDraft = (i: number) => ({
  metadata: { name: `p${i}`, labels: { app: `a${i % 20}` } },
  spec: {
    containers: [{ name: 'c', image: 'web', resources: { requests: { cpu: '100m', memory: '128Mi' } } }],
  },
});

async function inParallel(count: number, work: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
}

// The clock's timers keep no process alive, and here is no socket that would.
const alive = setInterval(() => undefined, 60_000);
const store = createMemoryStore({ clock });
const security = createSecurity({
  clock,
  random,
  logger,
  issuer: 'https://kubernetes.default.svc.cluster.local',
  signingKeyPem: serviceAccountKeyPem(),
  externalAddress: '127.0.0.1:6443',
});
const server = createApiServer({
  store,
  clock,
  random,
  logger,
  authenticator: (reader) => security.authenticator(reader),
  authorizer: (reader) => security.authorizer(reader),
  admission: (reader, dependencies) => security.admission(reader, dependencies),
  virtualResources: (reader) => security.virtualResources(reader),
  bootstrapObjects: security.bootstrapObjects(),
});
await server.ready;
const client = createClient(server.endpointFor(ADMIN));
const informers = createInformerFactory({ client, clock, random, logger });
informers.start();
const pods = client.resource(resources.pods, 'default');
await client
  .resource(resources.namespaces)
  .create({ metadata: { name: 'default' } })
  .catch(() => undefined);
await client.resource(resources.serviceAccounts, 'default').create({ metadata: { name: 'default' } });
await inParallel(nodeCount, async (i) => {
  const nodes = client.resource(resources.nodes);
  const created = await nodes.create({ metadata: { name: `n${i}` }, spec: {} });
  await nodes.updateStatus({ ...created, status: { capacity: allocatable, allocatable } });
  await nodes.patch(`n${i}`, 'application/merge-patch+json', { spec: { taints: null } });
});
await inParallel(podCount, (i) => pods.create(podDraft(i)));

const view = viewOf(informers);
const nodeInformer = informers.for<coreV1.Node>(resources.nodes);
const podInformer = informers.for<coreV1.Pod>(resources.pods);
await Promise.all([
  nodeInformer.synced(),
  podInformer.synced(),
  view.synced({ signal: AbortSignal.timeout(60_000) }),
]);

// The decisions alone.
const cache = new SchedulerCache();
for (const node of nodeInformer.list()) cache.setNode(node);
const cycle = new SchedulingCycle(defaultPlugins({ view, client, clock, random }), random);
const nominations = new Nominations();
const decidingFrom = performance.now();
for (const pod of podInformer.list()) {
  const { node } = cycle.findNode(pod, cache, nominations);
  if (node !== undefined) cache.assume({ ...pod, spec: { ...pod.spec, nodeName: node.name } });
}
const decidingMs = performance.now() - decidingFrom;

// All of it.
let bound = 0;
const allBound = Promise.withResolvers<void>();
podInformer.addHandler({
  onUpdate(pod, old) {
    if (pod.spec.nodeName === undefined || old.spec.nodeName !== undefined) return;
    bound++;
    if (bound === podCount) allBound.resolve();
  },
});
const events = createEventRecorder({ client, component: 'default-scheduler', clock, random, logger });
const scheduler = new Scheduler({ client, informers, events, clock, random, logger });
const startedAt = performance.now();
const cpuBefore = process.cpuUsage();
await scheduler.start();
await allBound.promise;
const totalMs = performance.now() - startedAt;
const { user, system } = process.cpuUsage(cpuBefore);

const perSecond = (ms: number): string => Math.round((podCount * 1000) / ms).toLocaleString('en-US');
console.log(`${nodeCount} nodes, ${podCount} pods`);
console.log(`decisions alone: ${perSecond(decidingMs)} pods/s`);
console.log(
  `decided, bound and seen: ${perSecond(totalMs)} pods/s (${Math.round((user + system) / podCount)} µs of CPU each)`,
);

clearInterval(alive);
scheduler.stop();
events.stop();
await informers.stop();
await server.close();
await store.close();
