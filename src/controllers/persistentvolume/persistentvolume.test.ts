import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { coreV1 } from '#api';
import { resources } from '#client';
import { type ControllersFixture, NAMESPACE, startControllersFixture } from '../frame/controllers.fixture.ts';
import { persistentVolumeController } from './index.ts';

let fixture: ControllersFixture;

beforeEach(async () => {
  fixture = await startControllersFixture([persistentVolumeController]);
});
afterEach(() => fixture.stop());

const volumes = () => fixture.client.resource(resources.persistentVolumes);
const claims = () => fixture.client.resource(resources.persistentVolumeClaims, NAMESPACE);

async function createVolume(
  name: string,
  storage: string,
  spec: Partial<coreV1.PersistentVolumeSpec> = {},
): Promise<void> {
  await volumes().create({
    metadata: { name },
    spec: { capacity: { storage }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/d' }, ...spec },
  });
  await fixture.settle();
}

async function createClaim(
  name: string,
  storage: string,
  spec: Partial<coreV1.PersistentVolumeClaimSpec> = {},
): Promise<void> {
  await claims().create({
    metadata: { name },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } }, ...spec },
  });
  await fixture.settle();
}

const phase = async (name: string): Promise<string | undefined> => (await volumes().get(name)).status.phase;
async function bound(name: string): Promise<string> {
  const { spec, status } = await claims().get(name);
  return `${status.phase} ${spec.volumeName ?? ''}`.trim();
}

test('a claim gets the smallest volume that is large enough', async () => {
  await createVolume('large', '10Gi');
  await createVolume('small', '1Gi');
  await createVolume('right', '5Gi');
  assert.equal(await phase('right'), 'Available');
  await createClaim('c', '2Gi');
  assert.equal(await bound('c'), 'Bound right');
  const claim = await claims().get('c');
  assert.deepEqual(claim.status, {
    phase: 'Bound',
    accessModes: ['ReadWriteOnce'],
    capacity: { storage: '5Gi' },
  });
  assert.deepEqual(claim.metadata.annotations, {
    'pv.kubernetes.io/bind-completed': 'yes',
    'pv.kubernetes.io/bound-by-controller': 'yes',
  });
  const volume = await volumes().get('right');
  assert.equal(volume.status.phase, 'Bound');
  assert.equal(volume.spec.claimRef?.uid, claim.metadata.uid);
  assert.equal(await phase('large'), 'Available');
});

test('a claim waits for a volume of its class, and gets it when it comes', async () => {
  await createVolume('other', '1Gi', { storageClassName: 'slow' });
  await createClaim('c', '1Gi', { storageClassName: 'fast' });
  assert.equal(await bound('c'), 'Pending');
  await createVolume('v', '1Gi', { storageClassName: 'fast' });
  assert.equal(await bound('c'), 'Bound v');
});

test('a volume can be reserved for a claim, and a claim can ask for a volume', async () => {
  await createVolume('reserved', '9Gi', { claimRef: { namespace: NAMESPACE, name: 'a' } });
  await createVolume('free', '1Gi');
  await createClaim('b', '1Gi', { volumeName: 'reserved' });
  await createClaim('a', '1Gi');
  assert.equal(await bound('a'), 'Bound reserved');
  assert.equal(await bound('b'), 'Pending reserved');
  await createClaim('c', '2Gi', { volumeName: 'free' });
  assert.equal(await bound('c'), 'Pending free');
  assert.ok(
    (await fixture.eventsOf('c')).includes(
      'VolumeMismatch: Cannot bind to requested volume "free": requested PV is too small',
    ),
  );
});

test('when the claim is gone, a volume is kept with Retain and fails with Delete if nobody can delete it', async () => {
  await createVolume('kept', '1Gi', { persistentVolumeReclaimPolicy: 'Retain' });
  await createClaim('a', '1Gi');
  await createVolume('deleted', '1Gi', { persistentVolumeReclaimPolicy: 'Delete' });
  await createClaim('b', '1Gi');
  for (const name of ['a', 'b']) await claims().delete(name);
  await fixture.settle();
  for (const name of ['a', 'b'])
    await claims()
      .patch(name, 'application/merge-patch+json', { metadata: { finalizers: null } })
      .catch(() => undefined);
  await fixture.settle();
  assert.equal(await phase('kept'), 'Released');
  assert.equal(await phase('deleted'), 'Failed');
  await createClaim('a', '1Gi');
  assert.equal(await bound('a'), 'Pending');
});

test('a claim whose volume is deleted is lost', async () => {
  await createVolume('v', '1Gi');
  await createClaim('c', '1Gi');
  await volumes().delete('v');
  await volumes()
    .patch('v', 'application/merge-patch+json', { metadata: { finalizers: null } })
    .catch(() => undefined);
  await fixture.settle();
  assert.equal(await bound('c'), 'Lost v');
  assert.ok(
    (await fixture.eventsOf('c')).includes(
      'ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!',
    ),
  );
});

test('a class without volumes is handed to its provisioner, now or when a pod is placed', async () => {
  const classes = fixture.client.resource(resources.storageClasses);
  await classes.create({ metadata: { name: 'now' }, provisioner: 'example.com/p' });
  await classes.create({
    metadata: { name: 'later' },
    provisioner: 'example.com/p',
    volumeBindingMode: 'WaitForFirstConsumer',
  });
  const provisioner = async (name: string): Promise<string | undefined> =>
    (await claims().get(name)).metadata.annotations?.['volume.kubernetes.io/storage-provisioner'];
  await createClaim('a', '1Gi', { storageClassName: 'now' });
  await createClaim('b', '1Gi', { storageClassName: 'later' });
  assert.equal(await provisioner('a'), 'example.com/p');
  assert.equal(await provisioner('b'), undefined);
  assert.deepEqual(await fixture.eventsOf('b'), [
    'WaitForFirstConsumer: waiting for first consumer to be created before binding',
  ]);
  const annotations = { 'volume.kubernetes.io/selected-node': 'n' };
  await claims().patch('b', 'application/merge-patch+json', { metadata: { annotations } });
  await fixture.settle();
  assert.equal(await provisioner('b'), 'example.com/p');
});
