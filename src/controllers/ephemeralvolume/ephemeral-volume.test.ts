import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { resources } from '#client';
import { type ControllersFixture, NAMESPACE, startControllersFixture } from '../frame/controllers.fixture.ts';
import { ephemeralVolumeController } from './index.ts';

let fixture: ControllersFixture;

beforeEach(async () => {
  fixture = await startControllersFixture([ephemeralVolumeController]);
});
afterEach(() => fixture.stop());

const claims = () => fixture.client.resource(resources.persistentVolumeClaims, NAMESPACE);
const spec = {
  accessModes: ['ReadWriteOnce'],
  resources: { requests: { storage: '1Gi' } },
} as const;

async function createPod(): Promise<void> {
  const volumeClaimTemplate = { metadata: { labels: { scratch: 'yes' } }, spec };
  await fixture.client.resource(resources.pods, NAMESPACE).create({
    metadata: { name: 'p' },
    spec: {
      containers: [{ name: 'c', image: 'i' }],
      volumes: [{ name: 'v', ephemeral: { volumeClaimTemplate } }],
    },
  });
  await fixture.settle();
}

test('a pod is given its claim, owned by it, and given it again when it was deleted', async () => {
  await createPod();
  const claim = await claims().get('p-v');
  assert.deepEqual(claim.metadata.labels, { scratch: 'yes' });
  assert.equal(claim.metadata.ownerReferences?.[0]?.name, 'p');
  await claims().patch('p-v', 'application/merge-patch+json', { metadata: { finalizers: null } });
  await claims().delete('p-v');
  await fixture.settle();
  assert.notEqual((await claims().get('p-v')).metadata.uid, claim.metadata.uid);
});

test('a claim of that name that is not its own is left alone, and told', async () => {
  await claims().create({ metadata: { name: 'p-v' }, spec });
  await createPod();
  assert.equal((await claims().get('p-v')).metadata.ownerReferences, undefined);
  assert.deepEqual(await fixture.eventsOf('p'), [
    'FailedBinding: ephemeral volume v: PVC default/p-v was not created for pod default/p (pod is not owner)',
  ]);
});
