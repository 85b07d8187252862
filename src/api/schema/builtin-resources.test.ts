import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResourceInfo } from '../resource-info.ts';
import { builtinResources } from './builtin-resources.ts';

function find(group: string, version: string, resource: string): ResourceInfo {
  const found = builtinResources.find(
    (info) => info.group === group && info.version === version && info.resource === resource,
  );
  assert.ok(found, `${resource} ${group}/${version}`);
  return found;
}

test('a row says what discovery says', () => {
  const { schema: _, ...deployments } = { ...find('apps', 'v1', 'deployments'), schema: undefined };
  assert.deepEqual(deployments, {
    group: 'apps',
    version: 'v1',
    resource: 'deployments',
    kind: 'Deployment',
    listKind: 'DeploymentList',
    singular: 'deployment',
    shortNames: ['deploy'],
    categories: ['all'],
    namespaced: true,
    servedByDefault: true,
    verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
    subresources: [
      {
        name: 'scale',
        verbs: ['get', 'patch', 'update'],
        gvk: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
      },
      {
        name: 'status',
        verbs: ['get', 'patch', 'update'],
        gvk: { group: 'apps', version: 'v1', kind: 'Deployment' },
      },
    ],
    storage: { group: 'apps', version: 'v1', resource: 'deployments', kind: 'Deployment' },
  });
});

test('connecting subresources have the verbs of their methods', () => {
  const verbs = Object.fromEntries(
    find('', 'v1', 'pods').subresources.map(({ name, verbs: allowed }) => [name, allowed.join()]),
  );
  assert.deepEqual(verbs, {
    attach: 'create,get',
    binding: 'create',
    ephemeralcontainers: 'get,patch,update',
    eviction: 'create',
    exec: 'create,get',
    log: 'get',
    portforward: 'create,get',
    proxy: 'create,delete,get,patch,update',
    resize: 'get,patch,update',
    status: 'get,patch,update',
  });
});

test('what is not stored is not watched', () => {
  assert.deepEqual(find('', 'v1', 'componentstatuses').verbs, ['get', 'list']);
  assert.deepEqual(find('authorization.k8s.io', 'v1', 'subjectaccessreviews').verbs, ['create']);
});

test('versions of one resource share a stored form', () => {
  assert.deepEqual(find('events.k8s.io', 'v1', 'events').storage, find('', 'v1', 'events').storage);
  assert.equal(find('autoscaling', 'v1', 'horizontalpodautoscalers').storage.version, 'v2');
  for (const { storage, kind } of builtinResources) {
    assert.equal(find(storage.group, storage.version, storage.resource).kind, kind);
  }
});

test('only stable versions are served by default', () => {
  const versions = new Set(
    builtinResources.filter((info) => info.servedByDefault).map((info) => info.version),
  );
  assert.deepEqual([...versions].sort(), ['v1', 'v2']);
});

test('every row has a schema, and lists have one too where there are lists', () => {
  for (const info of builtinResources) assert.ok(info.schema.byName.has('metadata'), info.resource);
});
