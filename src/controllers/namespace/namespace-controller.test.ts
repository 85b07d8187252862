import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { coreV1 } from '#api';
import { resources } from '#client';
import { isNotFound } from '#machinery';
import { type ControllersFixture, startControllersFixture } from '../frame/controllers.fixture.ts';
import { rootCaPublisher } from '../rootca/index.ts';
import { serviceAccountController } from '../serviceaccount/index.ts';
import { namespaceController } from './index.ts';

let fixture: ControllersFixture;
beforeEach(async () => {
  fixture = await startControllersFixture([
    namespaceController,
    serviceAccountController,
    rootCaPublisher('the CA'),
  ]);
  await fixture.client.resource(resources.namespaces).create({ metadata: { name: 'team' } });
  await fixture.settle();
});
afterEach(() => fixture.stop());

const namespaces = () => fixture.client.resource(resources.namespaces);
const configMaps = () => fixture.client.resource(resources.configMaps, 'team');
const pods = () => fixture.client.resource(resources.pods, 'team');

async function condition(type: string): Promise<coreV1.NamespaceCondition | undefined> {
  return (await namespaces().get('team')).status?.conditions?.find((found) => found.type === type);
}

test('every namespace has a default service account and the cluster CA, also after someone deleted them', async () => {
  const accounts = fixture.client.resource(resources.serviceAccounts, 'team');
  assert.equal((await accounts.get('default')).metadata.name, 'default');
  assert.deepEqual((await configMaps().get('kube-root-ca.crt')).data, { 'ca.crt': 'the CA' });
  await accounts.delete('default');
  await configMaps().delete('kube-root-ca.crt');
  await fixture.settle();
  assert.equal((await accounts.get('default')).metadata.name, 'default');
  assert.deepEqual((await configMaps().get('kube-root-ca.crt')).data, { 'ca.crt': 'the CA' });
});

test('a changed CA is put right again', async () => {
  await configMaps().patch('kube-root-ca.crt', 'application/merge-patch+json', {
    data: { 'ca.crt': 'mine', more: 'x' },
  });
  await fixture.settle();
  assert.deepEqual((await configMaps().get('kube-root-ca.crt')).data, { 'ca.crt': 'the CA' });
});

test('a namespace goes with everything in it', async () => {
  await configMaps().create({ metadata: { name: 'settings' } });
  await fixture.client.resource(resources.secrets, 'team').create({ metadata: { name: 'key' } });
  await namespaces().delete('team');
  await fixture.settle();
  await assert.rejects(namespaces().get('team'), isNotFound);
  assert.deepEqual((await configMaps().list()).items, []);
  assert.deepEqual((await fixture.client.resource(resources.secrets, 'team').list()).items, []);
});

test('pods go first; the rest stays until the last of them has ended', async () => {
  await pods().create({ metadata: { name: 'web' }, spec: { containers: [{ name: 'c', image: 'web' }] } });
  await configMaps().create({ metadata: { name: 'settings' } });
  await pods().createSubresource('web', 'binding', {
    metadata: { name: 'web' },
    target: { kind: 'Node', name: 'n' },
  });
  await namespaces().delete('team');
  await fixture.settle();
  const remaining = await condition('NamespaceContentRemaining');
  assert.equal(remaining?.status, 'True');
  assert.equal(remaining.reason, 'SomeResourcesRemain');
  assert.equal(remaining.message, 'Some resources are remaining: pods. has 1 resource instances');
  assert.equal((await configMaps().get('settings')).metadata.deletionTimestamp, undefined);
  await pods().delete('web', { gracePeriodSeconds: 0 });
  await fixture.settle();
  await assert.rejects(namespaces().get('team'), isNotFound);
});

test('what holds a namespace back is said in its conditions, and it goes when that is gone', async () => {
  await configMaps().create({ metadata: { name: 'held', finalizers: ['example.com/hold'] } });
  await namespaces().delete('team');
  await fixture.clock.advance(30_000);
  const { status } = await namespaces().get('team');
  assert.equal(status?.phase, 'Terminating');
  assert.deepEqual(
    status.conditions?.map(({ type, status: value, reason, message }) => [type, value, reason, message]),
    [
      [
        'NamespaceDeletionDiscoveryFailure',
        'False',
        'ResourcesDiscovered',
        'All resources successfully discovered',
      ],
      [
        'NamespaceDeletionGroupVersionParsingFailure',
        'False',
        'ParsedGroupVersions',
        'All legacy kube types successfully parsed',
      ],
      [
        'NamespaceDeletionContentFailure',
        'False',
        'ContentDeleted',
        'All content successfully deleted, may be waiting on finalization',
      ],
      [
        'NamespaceContentRemaining',
        'True',
        'SomeResourcesRemain',
        'Some resources are remaining: configmaps. has 1 resource instances',
      ],
      [
        'NamespaceFinalizersRemaining',
        'True',
        'SomeFinalizersRemain',
        'Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
      ],
    ],
  );
  await configMaps().patch('held', 'application/merge-patch+json', { metadata: { finalizers: null } });
  await fixture.clock.advance(10_000);
  await assert.rejects(namespaces().get('team'), isNotFound);
});

test('a kind that cannot be deleted now does not keep the others from going', async () => {
  await configMaps().create({ metadata: { name: 'settings' } });
  const end = fixture.cluster.addFault((request) =>
    request.verb === 'deletecollection' && request.resource === 'configmaps' ? new Error('no') : undefined,
  );
  await fixture.client.resource(resources.secrets, 'team').create({ metadata: { name: 'key' } });
  await namespaces().delete('team');
  await fixture.settle();
  assert.deepEqual((await fixture.client.resource(resources.secrets, 'team').list()).items, []);
  const failure = await condition('NamespaceDeletionContentFailure');
  assert.equal(failure?.message, 'Failed to delete all resource types, 1 remaining: no');
  end();
  await fixture.clock.advance(60_000);
  await assert.rejects(namespaces().get('team'), isNotFound);
});
