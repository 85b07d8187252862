import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { coreV1 } from '#api';
import { resources } from '#client';
import { isNotFound, type OwnerReference } from '#machinery';
import { type ControllersFixture, NAMESPACE, startControllersFixture } from '../frame/controllers.fixture.ts';
import { garbageCollector } from './index.ts';

let fixture: ControllersFixture;
beforeEach(async () => {
  fixture = await startControllersFixture([garbageCollector]);
});
afterEach(() => fixture.stop());

const configMaps = (namespace = NAMESPACE) => fixture.client.resource(resources.configMaps, namespace);

interface MapOptions {
  readonly owners?: readonly (coreV1.ConfigMap | OwnerReference)[];
  readonly blocks?: boolean;
  readonly namespace?: string;
  readonly finalizers?: readonly string[];
}

function referenceTo(owner: coreV1.ConfigMap | OwnerReference, blocks: boolean): OwnerReference {
  if (!('metadata' in owner)) return owner;
  const { name, uid } = owner.metadata;
  return { apiVersion: 'v1', kind: 'ConfigMap', name, uid, blockOwnerDeletion: blocks };
}

async function create(name: string, options: MapOptions = {}): Promise<coreV1.ConfigMap> {
  const { owners = [], blocks = false, namespace = NAMESPACE, finalizers = [] } = options;
  const ownerReferences = owners.map((owner) => referenceTo(owner, blocks));
  const created = await configMaps(namespace).create({ metadata: { name, ownerReferences, finalizers } });
  await fixture.settle();
  return created;
}

async function names(namespace = NAMESPACE): Promise<readonly string[]> {
  return (await configMaps(namespace).list()).items.map(({ metadata }) => metadata.name).sort();
}

test('in the background dependents go after their owner, and theirs after them', async () => {
  const owner = await create('owner');
  const child = await create('child', { owners: [owner] });
  await create('grandchild', { owners: [child] });
  await create('stranger');
  await configMaps().delete('owner', { propagationPolicy: 'Background' });
  await fixture.settle();
  assert.deepEqual(await names(), ['stranger']);
});

test('in the foreground the owner waits for the dependents that block it', async () => {
  const owner = await create('owner');
  await create('child', { owners: [owner], blocks: true, finalizers: ['example.com/hold'] });
  await configMaps().delete('owner', { propagationPolicy: 'Foreground' });
  await fixture.settle();
  assert.deepEqual(await names(), ['child', 'owner']);
  assert.notEqual((await configMaps().get('child')).metadata.deletionTimestamp, undefined);
  await configMaps().patch('child', 'application/merge-patch+json', { metadata: { finalizers: null } });
  await fixture.settle();
  assert.deepEqual(await names(), []);
});

test('in the foreground the owner does not wait for dependents that do not block it', async () => {
  const owner = await create('owner');
  await create('child', { owners: [owner], finalizers: ['example.com/hold'] });
  await configMaps().delete('owner', { propagationPolicy: 'Foreground' });
  await fixture.settle();
  assert.deepEqual(await names(), ['child']);
});

test('orphaned dependents stay and lose their reference', async () => {
  const owner = await create('owner');
  await create('child', { owners: [owner] });
  await configMaps().delete('owner', { propagationPolicy: 'Orphan' });
  await fixture.settle();
  assert.deepEqual(await names(), ['child']);
  assert.equal((await configMaps().get('child')).metadata.ownerReferences, undefined);
});

test('a dependent with another owner left stays and loses only the reference to the one that went', async () => {
  const first = await create('first');
  const second = await create('second');
  await create('child', { owners: [first, second] });
  await configMaps().delete('first', { propagationPolicy: 'Background' });
  await fixture.settle();
  assert.deepEqual(await names(), ['child', 'second']);
});

test('an object whose owner never was is collected', async () => {
  await create('child', {
    owners: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'gone', uid: 'no-such-uid' }],
  });
  assert.deepEqual(await names(), []);
});

test('an owner that was made anew under its name is not the owner', async () => {
  const owner = await create('owner');
  await configMaps().delete('owner', { propagationPolicy: 'Orphan' });
  await fixture.settle();
  await create('owner');
  await create('child', { owners: [owner] });
  assert.deepEqual(await names(), ['owner']);
});

test('an owner in another namespace does not count, and that is said', async () => {
  await fixture.client.resource(resources.namespaces).create({ metadata: { name: 'other' } });
  const owner = await create('owner', { namespace: 'other' });
  await create('child', { owners: [owner] });
  assert.deepEqual(await names(), []);
  assert.deepEqual(await names('other'), ['owner']);
  assert.deepEqual(await fixture.eventsOf('child'), [
    `OwnerRefInvalidNamespace: ownerRef [v1/ConfigMap, namespace: default, name: owner, uid: ${owner.metadata.uid}] does not exist in namespace "default"`,
  ]);
});

test('an object of an unknown kind as owner keeps its dependent', async () => {
  await create('child', { owners: [{ apiVersion: 'example.com/v1', kind: 'Thing', name: 't', uid: 'u' }] });
  await fixture.clock.advance(60_000);
  assert.deepEqual(await names(), ['child']);
});

test('custom resources own and are owned like any other, from the moment their kind is served', async () => {
  const { client, clock } = fixture;
  const things = { group: 'example.com', version: 'v1', resource: 'things', kind: 'Thing', namespaced: true };
  await client.resource(resources.customResourceDefinitions).create({
    metadata: { name: 'things.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
      versions: [
        { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } },
      ],
    },
  });
  await clock.advance(5000);
  const thing = await client
    .resource<coreV1.ConfigMap>(things, NAMESPACE)
    .create({ metadata: { name: 'thing' } });
  const { uid } = thing.metadata;
  await create('child', { owners: [{ apiVersion: 'example.com/v1', kind: 'Thing', name: 'thing', uid }] });
  assert.deepEqual(await names(), ['child']);
  await client.resource(things, NAMESPACE).delete('thing');
  await clock.advance(5000);
  assert.deepEqual(await names(), []);
});

test('what cannot be deleted now is deleted when the API server can again', async () => {
  const owner = await create('owner');
  await create('child', { owners: [owner] });
  const end = fixture.cluster.addFault((request) =>
    request.verb === 'delete' && request.name === 'child' ? new Error('connection refused') : undefined,
  );
  await configMaps().delete('owner', { propagationPolicy: 'Background' });
  await fixture.settle();
  assert.deepEqual(await names(), ['child']);
  end();
  await fixture.clock.advance(60_000);
  await assert.rejects(configMaps().get('child'), isNotFound);
});
