import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { coreV1, discoveryV1 } from '#api';
import { resources } from '#client';
import { type ControllersFixture, NAMESPACE, startControllersFixture } from '../frame/controllers.fixture.ts';
import { endpointSliceMirroringController } from './index.ts';

let fixture: ControllersFixture;

beforeEach(async () => {
  fixture = await startControllersFixture([endpointSliceMirroringController]);
});
afterEach(() => fixture.stop());

const endpoints = () => fixture.client.resource(resources.endpoints, NAMESPACE);

async function createService(selector?: Readonly<Record<string, string>>): Promise<void> {
  await fixture.client.resource(resources.services, NAMESPACE).create({
    metadata: { name: 's' },
    spec: { ports: [{ port: 80 }], ...(selector === undefined ? {} : { selector }) },
  });
}

async function createEndpoints(
  subsets: readonly coreV1.EndpointSubset[],
  metadata: Partial<coreV1.Endpoints['metadata']> = {},
): Promise<void> {
  await endpoints().create({ metadata: { name: 's', ...metadata }, subsets });
  await fixture.settle();
}

async function slices(): Promise<readonly discoveryV1.EndpointSlice[]> {
  const { items } = await fixture.client.resource(resources.endpointSlices, NAMESPACE).list();
  return items
    .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === 's')
    .toSorted((a, b) => (a.addressType < b.addressType ? -1 : 1));
}
const addresses = async (): Promise<readonly string[]> =>
  (await slices()).map(({ addressType, endpoints: list }) =>
    [addressType, ...(list ?? []).map((each) => `${each.addresses[0]} ${each.conditions?.ready}`)].join(' '),
  );

const PORTS = [{ name: 'http', port: 8080 }];

test('hand-written Endpoints become a slice per address family', async () => {
  await createService();
  await createEndpoints(
    [
      {
        addresses: [{ ip: '10.1.2.3' }, { ip: 'fd00:0::1' }],
        notReadyAddresses: [{ ip: '10.1.2.4' }],
        ports: PORTS,
      },
    ],
    { labels: { mine: 'yes' }, annotations: { note: 'n' } },
  );
  assert.deepEqual(await addresses(), ['IPv4 10.1.2.3 true 10.1.2.4 false', 'IPv6 fd00::1 true']);
  const [slice] = await slices();
  assert.deepEqual(slice?.ports, [{ name: 'http', port: 8080, protocol: 'TCP' }]);
  assert.deepEqual(slice?.metadata.labels, {
    'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
    'kubernetes.io/service-name': 's',
    mine: 'yes',
  });
  assert.deepEqual(slice?.metadata.annotations, { note: 'n' });
  assert.equal(slice?.metadata.ownerReferences?.[0]?.kind, 'Endpoints');
});

test('the slice follows its Endpoints, and keeps its name', async () => {
  await createService();
  await createEndpoints([{ addresses: [{ ip: '10.1.2.3' }], ports: PORTS }]);
  const name = (await slices())[0]?.metadata.name;
  const current = await endpoints().get('s');
  const ports = [{ name: 'http', port: 9090 }];
  await endpoints().update({ ...current, subsets: [{ addresses: [{ ip: '10.9.9.9' }], ports }] });
  await fixture.settle();
  assert.deepEqual(await addresses(), ['IPv4 10.9.9.9 true']);
  assert.equal((await slices())[0]?.metadata.name, name);
  await endpoints().delete('s');
  await fixture.settle();
  assert.deepEqual(await addresses(), []);
});

test('a Service with selector is not mirrored, nor is what asks not to be', async () => {
  await createService({ app: 'x' });
  await createEndpoints([{ addresses: [{ ip: '10.1.2.3' }], ports: PORTS }]);
  assert.deepEqual(await addresses(), []);
  const services = fixture.client.resource(resources.services, NAMESPACE);
  await services.patch('s', 'application/merge-patch+json', { spec: { selector: null } });
  await fixture.settle();
  assert.equal((await addresses()).length, 1);
  const labels = { 'endpointslice.kubernetes.io/skip-mirror': 'true' };
  await endpoints().patch('s', 'application/merge-patch+json', { metadata: { labels } });
  await fixture.settle();
  assert.deepEqual(await addresses(), []);
});
