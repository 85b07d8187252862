import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ObjectTable } from '../object-table.fixture.ts';
import { RbacAuthorizer } from '../authorization/rbac-authorizer.ts';
import { RbacIndex } from '../authorization/rbac-index.ts';
import { bootstrapObjects, reconcileBootstrapObject } from './index.ts';
import { parseRule } from './rule-notation.ts';
import type { KubeObject } from '#machinery';

const find = (kind: string, name: string, namespace?: string): KubeObject => {
  const object = bootstrapObjects().find(
    ({ kind: own, metadata }) => own === kind && metadata.name === name && metadata.namespace === namespace,
  );
  assert.ok(object, `${kind} ${name}`);
  return object;
};

test('a fresh cluster has as many default objects as upstream 1.36', () => {
  const counts: Record<string, number> = {};
  for (const { kind } of bootstrapObjects()) counts[kind] = (counts[kind] ?? 0) + 1;
  assert.deepEqual(counts, {
    ClusterRole: 69,
    ClusterRoleBinding: 50,
    Role: 7,
    RoleBinding: 7,
    PriorityClass: 2,
    PriorityLevelConfiguration: 8,
    FlowSchema: 11,
  });
});

test('no object comes twice', () => {
  const ids = bootstrapObjects().map(
    ({ kind, metadata }) => `${kind}/${metadata.namespace}/${metadata.name}`,
  );
  assert.equal(new Set(ids).size, ids.length);
});

test('every binding binds a role that is there', () => {
  for (const { kind, metadata, roleRef } of bootstrapObjects()) {
    if (!kind.endsWith('Binding')) continue;
    const ref = roleRef as { kind: string; name: string };
    find(ref.kind, ref.name, ref.kind === 'Role' ? metadata.namespace : undefined);
  }
});

test('rules are read from their notation', () => {
  assert.deepEqual(parseRule('read update on core,apps: pods deployments/scale named a b'), {
    verbs: ['get', 'list', 'update', 'watch'],
    apiGroups: ['', 'apps'],
    resources: ['pods', 'deployments/scale'],
    resourceNames: ['a', 'b'],
  });
  assert.deepEqual(parseRule('get on paths: /healthz /livez'), {
    verbs: ['get'],
    nonResourceURLs: ['/healthz', '/livez'],
  });
  assert.deepEqual(parseRule('* on *: */scale'), { verbs: ['*'], apiGroups: ['*'], resources: ['*/scale'] });
  assert.throws(() => parseRule('get pods'), { message: 'not an RBAC rule: get pods' });
});

test('the default policy lets each identity do its work and no more', () => {
  const table = new ObjectTable();
  const resources: Record<string, string> = {
    ClusterRole: 'clusterroles',
    ClusterRoleBinding: 'clusterrolebindings',
    Role: 'roles',
    RoleBinding: 'rolebindings',
  };
  for (const object of bootstrapObjects()) {
    const resource = resources[object.kind];
    if (resource !== undefined) table.put({ group: 'rbac.authorization.k8s.io', resource }, object);
  }
  const authorizer = new RbacAuthorizer({ index: new RbacIndex(table) });
  const may = (name: string, request: string, groups: string[] = []): boolean => {
    const [verb = '', group = '', resource = '', namespace] = request.split(' ');
    const user = { name, groups };
    return (
      authorizer.authorize({ user, verb, group: group === 'core' ? '' : group, resource, namespace })
        .verdict === 'allow'
    );
  };
  assert.ok(may('system:kube-scheduler', 'list core pods'));
  assert.ok(!may('system:kube-scheduler', 'get core secrets kube-system'));
  assert.ok(may('system:serviceaccount:kube-system:replicaset-controller', 'create core pods default'));
  assert.ok(
    !may('system:serviceaccount:kube-system:replicaset-controller', 'create apps deployments default'),
  );
  assert.ok(may('anyone', 'create authorization.k8s.io selfsubjectaccessreviews', ['system:authenticated']));
  assert.ok(!may('anyone', 'list core pods', ['system:authenticated']));
  assert.ok(may('system:kube-controller-manager', 'create coordination.k8s.io leases kube-system'));
  // Users bound to the user-facing roles have them by aggregation, without any controller.
  table.put(
    { group: 'rbac.authorization.k8s.io', resource: 'rolebindings' },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'b', namespace: 'default' },
      subjects: [{ kind: 'User', name: 'jane' }],
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'admin' },
    },
  );
  assert.ok(may('jane', 'get core pods default'));
  assert.ok(may('jane', 'create apps deployments default'));
  assert.ok(may('jane', 'create rbac.authorization.k8s.io roles default'));
  assert.ok(!may('jane', 'get core pods other'));
});

test('a missing object is created', () => {
  const wanted = find('ClusterRole', 'cluster-admin');
  assert.deepEqual(reconcileBootstrapObject(wanted, undefined), { action: 'create', object: wanted });
});

test('an object as it should be is left alone, and so is what an administrator added', () => {
  const wanted = find('ClusterRole', 'system:kube-dns');
  const rules = [...(wanted['rules'] as object[]), parseRule('get on core: nodes')];
  const existing = {
    ...wanted,
    metadata: { ...wanted.metadata, labels: { ...wanted.metadata.labels, a: 'b' } },
  };
  assert.deepEqual(reconcileBootstrapObject(wanted, existing), { action: 'none' });
  assert.deepEqual(reconcileBootstrapObject(wanted, { ...existing, rules }), { action: 'none' });
});

test('rules that are missing are added in their smallest parts', () => {
  const wanted = find('ClusterRole', 'system:kube-dns');
  const existing = { ...wanted, rules: [parseRule('list on core: endpoints services')] };
  const result = reconcileBootstrapObject(wanted, existing);
  assert.equal(result.action, 'update');
  assert.deepEqual(result.action === 'update' && result.object['rules'], [
    parseRule('list on core: endpoints services'),
    parseRule('watch on core: endpoints'),
    parseRule('watch on core: services'),
  ]);
});

test('subjects that are missing are added; a binding to another role is made anew', () => {
  const wanted = find('ClusterRoleBinding', 'cluster-admin');
  const jane = { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'jane' };
  const result = reconcileBootstrapObject(wanted, { ...wanted, subjects: [jane] });
  assert.deepEqual(result.action === 'update' && result.object['subjects'], [
    jane,
    ...(wanted['subjects'] as object[]),
  ]);
  const elsewhere = { ...wanted, roleRef: { ...(wanted['roleRef'] as object), name: 'view' } };
  assert.deepEqual(reconcileBootstrapObject(wanted, elsewhere), { action: 'recreate', object: wanted });
});

test('autoupdate "false" means hands off', () => {
  const wanted = find('ClusterRole', 'system:kube-dns');
  const annotations = { 'rbac.authorization.kubernetes.io/autoupdate': 'false' };
  const existing = { ...wanted, metadata: { ...wanted.metadata, annotations }, rules: [] };
  assert.deepEqual(reconcileBootstrapObject(wanted, existing), { action: 'none' });
});
