import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { resources } from '#client';
import { type ControllersFixture, NAMESPACE, startControllersFixture } from '../frame/controllers.fixture.ts';
import { resourceQuotaController } from './index.ts';

let fixture: ControllersFixture;

beforeEach(async () => {
  fixture = await startControllersFixture([resourceQuotaController]);
});
afterEach(() => fixture.stop());

const quotas = () => fixture.client.resource(resources.resourceQuotas, NAMESPACE);
const pods = () => fixture.client.resource(resources.pods, NAMESPACE);
const used = async (name: string): Promise<unknown> => (await quotas().get(name)).status?.used;

async function createQuota(name: string, hard: Readonly<Record<string, string>>, scopes: string[] = []) {
  await quotas().create({ metadata: { name }, spec: { hard, ...(scopes.length === 0 ? {} : { scopes }) } });
  await fixture.settle();
}

async function createPod(name: string, cpu?: string): Promise<void> {
  const requirements = cpu === undefined ? {} : { resources: { requests: { cpu } } };
  await pods().create({
    metadata: { name },
    spec: { containers: [{ name: 'c', image: 'i', ...requirements }] },
  });
  await fixture.settle();
}

test('a new quota shows its limits and what is used already', async () => {
  await createPod('a', '100m');
  await fixture.client.resource(resources.configMaps, NAMESPACE).create({ metadata: { name: 'm' } });
  const hard = { pods: '5', 'requests.cpu': '1', 'count/configmaps': '3', replicationcontrollers: '2' };
  await createQuota('q', hard);
  const { status } = await quotas().get('q');
  assert.deepEqual(status?.hard, hard);
  assert.deepEqual(status?.used, {
    pods: '1',
    'requests.cpu': '100m',
    'count/configmaps': '1',
    replicationcontrollers: '0',
  });
});

test('what is deleted or has ended is given back', async () => {
  await createQuota('q', { pods: '5', 'requests.cpu': '1' });
  await createPod('a', '300m');
  await createPod('b', '200m');
  assert.deepEqual(await used('q'), { pods: '2', 'requests.cpu': '500m' });
  await fixture.setPodStatus('a', { phase: 'Succeeded' });
  await fixture.settle();
  assert.deepEqual(await used('q'), { pods: '1', 'requests.cpu': '200m' });
  await fixture.removePod('b');
  await fixture.settle();
  assert.deepEqual(await used('q'), { pods: '0', 'requests.cpu': '0' });
});

test('a quota with scopes counts only what is in them', async () => {
  await createQuota('best-effort', { pods: '5' }, ['BestEffort']);
  await createQuota('other', { pods: '5' }, ['NotBestEffort']);
  await createPod('a');
  await createPod('b', '100m');
  assert.deepEqual([await used('best-effort'), await used('other')], [{ pods: '1' }, { pods: '1' }]);
});

test('new limits take the place of the old ones', async () => {
  await createQuota('q', { pods: '5' });
  await quotas().patch('q', 'application/merge-patch+json', { spec: { hard: { pods: null, secrets: '4' } } });
  await fixture.settle();
  const { status } = await quotas().get('q');
  assert.deepEqual(status, { hard: { secrets: '4' }, used: { secrets: '0' } });
});
