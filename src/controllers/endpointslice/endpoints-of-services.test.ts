import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { coreV1, discoveryV1 } from '#api';
import { resources } from '#client';
import { endpointsController } from '../endpoints/index.ts';
import { type ControllersFixture, NAMESPACE, startControllersFixture } from '../frame/controllers.fixture.ts';
import { garbageCollector } from '../garbagecollector/index.ts';
import { endpointSliceController } from './index.ts';

let fixture: ControllersFixture;
beforeEach(async () => {
  fixture = await startControllersFixture([endpointSliceController, endpointsController, garbageCollector]);
});
afterEach(() => fixture.stop());

const services = () => fixture.client.resource(resources.services, NAMESPACE);
const pods = () => fixture.client.resource(resources.pods, NAMESPACE);

const PORT: coreV1.ServicePort = { name: 'http', port: 80, targetPort: 'web' };

async function createService(
  spec: Partial<coreV1.ServiceSpec> = {},
  labels?: Record<string, string>,
): Promise<void> {
  await services().create({
    metadata: { name: 'web', ...(labels === undefined ? {} : { labels }) },
    spec: { selector: { app: 'web' }, ports: [PORT], ...spec },
  });
  await fixture.settle();
}

async function createPod(
  name: string,
  ip: string,
  options: { ready?: boolean; port?: number; node?: string } = {},
): Promise<void> {
  const { ready = true, port = 8080, node = 'node-1' } = options;
  await pods().create({
    metadata: { name, labels: { app: 'web' } },
    spec: { containers: [{ name: 'c', image: 'web', ports: [{ name: 'web', containerPort: port }] }] },
  });
  await pods().createSubresource(name, 'binding', {
    metadata: { name },
    target: { kind: 'Node', name: node },
  });
  const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False' }];
  await fixture.setPodStatus(name, { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions });
  await fixture.settle();
}

async function slices(): Promise<readonly discoveryV1.EndpointSlice[]> {
  return (await fixture.client.resource(resources.endpointSlices, NAMESPACE).list()).items.filter(
    ({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === 'web',
  );
}

/** `address ready/serving/terminating`. */
async function addresses(): Promise<readonly string[]> {
  const held = (await slices()).flatMap((slice) => slice.endpoints ?? []);
  return held
    .map(({ addresses: [address], conditions }) =>
      [address, conditions?.ready, conditions?.serving, conditions?.terminating].join(' '),
    )
    .sort();
}

const endpoints = () => fixture.client.resource(resources.endpoints, NAMESPACE).get('web');

test('a Service without pods has one empty slice and empty Endpoints', async () => {
  await createService({}, { team: 'a' });
  const [slice] = await slices();
  assert.deepEqual(slice?.metadata.labels, {
    team: 'a',
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    'kubernetes.io/service-name': 'web',
  });
  assert.equal(slice.metadata.ownerReferences?.[0]?.kind, 'Service');
  assert.deepEqual(await addresses(), []);
  assert.equal((await endpoints()).subsets, undefined);
  assert.equal(
    (await endpoints()).metadata.labels?.['endpoints.kubernetes.io/managed-by'],
    'endpoint-controller',
  );
});

test('pods appear with the port behind the name, and with what can be said of them', async () => {
  await createService();
  await createPod('a', '10.0.0.1');
  await createPod('b', '10.0.0.2', { ready: false });
  assert.deepEqual(await addresses(), ['10.0.0.1 true true false', '10.0.0.2 false false false']);
  const [slice] = await slices();
  assert.deepEqual(slice?.ports, [{ name: 'http', port: 8080, protocol: 'TCP' }]);
  const { subsets } = await endpoints();
  assert.deepEqual(
    subsets?.map(({ addresses: ready, notReadyAddresses, ports }) => [
      ready?.map(({ ip, nodeName, targetRef }) => [ip, nodeName, targetRef?.name]),
      notReadyAddresses?.map(({ ip }) => ip),
      ports,
    ]),
    [[[['10.0.0.1', 'node-1', 'a']], ['10.0.0.2'], [{ name: 'http', port: 8080, protocol: 'TCP' }]]],
  );
});

test('a pod that ends its life serves until it is gone, but is not ready', async () => {
  await createService();
  await createPod('a', '10.0.0.1');
  await pods().delete('a');
  await fixture.settle();
  assert.deepEqual(await addresses(), ['10.0.0.1 false true true']);
  assert.equal((await endpoints()).subsets, undefined);
  await fixture.removePod('a');
  await fixture.settle();
  assert.deepEqual(await addresses(), []);
});

test('publishNotReadyAddresses calls every pod ready', async () => {
  await createService({ publishNotReadyAddresses: true });
  await createPod('a', '10.0.0.1', { ready: false });
  assert.deepEqual(await addresses(), ['10.0.0.1 true false false']);
  assert.equal((await endpoints()).subsets?.[0]?.addresses?.[0]?.ip, '10.0.0.1');
});

test('pods that name their port differently are in different slices', async () => {
  await createService();
  await createPod('a', '10.0.0.1', { port: 8080 });
  await createPod('b', '10.0.0.2', { port: 9090 });
  const ports = (await slices()).map((slice) => slice.ports?.[0]?.port ?? 0).toSorted((a, b) => a - b);
  assert.deepEqual(ports, [8080, 9090]);
  assert.equal((await endpoints()).subsets?.length, 2);
});

test('a headless Service without ports lists its pods all the same, and says that it is headless', async () => {
  await createService({ clusterIP: 'None', ports: [] });
  await createPod('a', '10.0.0.1');
  assert.deepEqual(await addresses(), ['10.0.0.1 true true false']);
  assert.equal((await slices())[0]?.metadata.labels?.['service.kubernetes.io/headless'], '');
  assert.equal((await endpoints()).metadata.labels?.['service.kubernetes.io/headless'], '');
});

test('the zone of a node goes with its endpoints, and hints when the Service asks for short ways', async () => {
  await fixture.createNode('node-1', { metadata: { labels: { 'topology.kubernetes.io/zone': 'east' } } });
  await createService({ trafficDistribution: 'PreferSameZone' });
  await createPod('a', '10.0.0.1');
  const [held] = (await slices())[0]?.endpoints ?? [];
  assert.equal(held?.zone, 'east');
  assert.equal(held.nodeName, 'node-1');
  assert.deepEqual(held.hints, { forZones: [{ name: 'east' }] });
});

test('more than a hundred endpoints take a second slice', async () => {
  await createService();
  for (let i = 0; i < 101; i++) {
    const name = `p${i}`;
    await pods().create({
      metadata: { name, labels: { app: 'web' } },
      spec: { containers: [{ name: 'c', image: 'web', ports: [{ name: 'web', containerPort: 8080 }] }] },
    });
    await fixture.setPodStatus(name, {
      phase: 'Running',
      podIP: `10.0.1.${i}`,
      podIPs: [{ ip: `10.0.1.${i}` }],
    });
  }
  await fixture.settle();
  const counts = (await slices()).map((slice) => slice.endpoints?.length ?? 0).toSorted((a, b) => a - b);
  assert.equal(
    counts.reduce((total, count) => total + count, 0),
    101,
  );
  assert.ok(counts.length === 2 && (counts.at(-1) ?? 0) <= 100, counts.join(', '));
});

test('changed labels of the Service are on its slices', async () => {
  await createService();
  await services().patch('web', 'application/merge-patch+json', { metadata: { labels: { team: 'b' } } });
  await fixture.settle();
  assert.equal((await slices())[0]?.metadata.labels?.['team'], 'b');
  assert.equal((await endpoints()).metadata.labels?.['team'], 'b');
});

test('the slices and Endpoints of a deleted Service go with it', async () => {
  await createService();
  await createPod('a', '10.0.0.1');
  await services().delete('web');
  await fixture.clock.advance(5000);
  assert.deepEqual(await slices(), []);
  const left = await fixture.client.resource(resources.endpoints, NAMESPACE).list();
  assert.deepEqual(
    left.items.filter(({ metadata }) => metadata.name === 'web'),
    [],
  );
});

test('a Service without a selector is left to whoever makes its endpoints', async () => {
  await createService({ selector: undefined });
  assert.deepEqual(await slices(), []);
});
