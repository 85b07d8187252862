import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { resources } from '#client';
import { isNotFound } from '#machinery';
import { type ControllersFixture, startControllersFixture } from '../frame/controllers.fixture.ts';
import {
  attributesClassProtectionController,
  claimProtectionController,
  volumeProtectionController,
} from './index.ts';

let fixture: ControllersFixture;
beforeEach(async () => {
  fixture = await startControllersFixture([
    claimProtectionController,
    volumeProtectionController,
    attributesClassProtectionController,
  ]);
});
afterEach(() => fixture.stop());

const claims = () => fixture.client.resource(resources.persistentVolumeClaims, 'default');
const claim = (name: string, more: object = {}) => ({
  metadata: { name },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...more },
});

test('a claim goes when the last pod with a node that uses it has gone', async () => {
  await claims().create(claim('data'));
  const pods = fixture.client.resource(resources.pods, 'default');
  await pods.create({
    metadata: { name: 'user' },
    spec: {
      nodeName: 'n',
      containers: [{ name: 'c', image: 'i' }],
      volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }],
    },
  });
  await fixture.settle();
  await claims().delete('data');
  await fixture.settle();
  assert.deepEqual((await claims().get('data')).metadata.finalizers, ['kubernetes.io/pvc-protection']);
  await pods.delete('user', { gracePeriodSeconds: 0 });
  await fixture.settle();
  await assert.rejects(claims().get('data'), isNotFound);
});

test('a volume that is not bound goes at once', async () => {
  const volumes = fixture.client.resource(resources.persistentVolumes);
  await volumes.create({
    metadata: { name: 'v' },
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/v' } },
  });
  await volumes.delete('v');
  await fixture.settle();
  await assert.rejects(volumes.get('v'), isNotFound);
});

test('an attribute class stays while a claim names it', async () => {
  const classes = fixture.client.resource(resources.volumeAttributesClasses);
  await classes.create({ metadata: { name: 'gold' }, driverName: 'd', parameters: { iops: '1' } });
  await claims().create(claim('data', { volumeAttributesClassName: 'gold' }));
  await fixture.settle();
  await classes.delete('gold');
  await fixture.settle();
  assert.deepEqual((await classes.get('gold')).metadata.finalizers, ['kubernetes.io/vac-protection']);
  await claims().delete('data');
  await fixture.settle();
  await assert.rejects(classes.get('gold'), isNotFound);
});
