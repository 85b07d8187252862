import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ObjectTable } from '../object-table.fixture.ts';
import { AuthorizerChain, superuserAuthorizer } from './authorizer-chain.ts';
import type { AuthorizationAttributes } from './authorizer.ts';
import { RbacAuthorizer } from './rbac-authorizer.ts';
import { RbacIndex } from './rbac-index.ts';

const GROUP = 'rbac.authorization.k8s.io';
const of = (resource: string) => ({ group: GROUP, resource });
const readPods = { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] };

class Cluster {
  readonly table = new ObjectTable();

  role(kind: 'Role' | 'ClusterRole', name: string, fields: object, namespace?: string): void {
    const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
    const object = { apiVersion: `${GROUP}/v1`, kind, metadata, rules: [], ...fields };
    this.table.put(of(kind === 'Role' ? 'roles' : 'clusterroles'), object);
  }

  bind(
    role: string,
    subject: object,
    options: { namespace?: string; kind?: string; name?: string } = {},
  ): void {
    const { namespace, kind = 'ClusterRole', name = 'binding' } = options;
    this.table.put(of(namespace === undefined ? 'clusterrolebindings' : 'rolebindings'), {
      apiVersion: `${GROUP}/v1`,
      kind: namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding',
      metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
      subjects: [subject],
      roleRef: { apiGroup: GROUP, kind, name: role },
    });
  }

  authorizer(): RbacAuthorizer {
    return new RbacAuthorizer({ index: new RbacIndex(this.table) });
  }
}

const jane = { name: 'jane', groups: ['dev', 'system:authenticated'] };
const listPods = (fields: Partial<AuthorizationAttributes> = {}): AuthorizationAttributes => ({
  user: jane,
  verb: 'list',
  group: '',
  resource: 'pods',
  namespace: 'default',
  ...fields,
});

test('the reason names the binding, the role and the subject that allowed the request', () => {
  const cluster = new Cluster();
  cluster.role('ClusterRole', 'reader', { rules: [readPods] });
  cluster.bind('reader', { kind: 'Group', name: 'dev' });
  assert.deepEqual(cluster.authorizer().authorize(listPods()), {
    verdict: 'allow',
    reason: 'RBAC: allowed by ClusterRoleBinding "binding" of ClusterRole "reader" to Group "dev"',
  });
});

test('a role binding grants in its own namespace only', () => {
  const cluster = new Cluster();
  cluster.role('Role', 'reader', { rules: [readPods] }, 'default');
  cluster.bind('reader', { kind: 'User', name: 'jane' }, { namespace: 'default', kind: 'Role' });
  const authorizer = cluster.authorizer();
  assert.deepEqual(authorizer.authorize(listPods()), {
    verdict: 'allow',
    reason: 'RBAC: allowed by RoleBinding "binding/default" of Role "reader" to User "jane"',
  });
  assert.equal(authorizer.authorize(listPods({ namespace: 'other' })).verdict, 'no-opinion');
  assert.equal(authorizer.authorize(listPods({ namespace: undefined })).verdict, 'no-opinion');
});

test('a service account is the user of its name; its namespace defaults to the binding', () => {
  const cluster = new Cluster();
  cluster.role('ClusterRole', 'reader', { rules: [readPods] });
  cluster.bind('reader', { kind: 'ServiceAccount', name: 'ci' }, { namespace: 'default' });
  const user = { name: 'system:serviceaccount:default:ci', groups: [] };
  assert.deepEqual(cluster.authorizer().authorize(listPods({ user })), {
    verdict: 'allow',
    reason:
      'RBAC: allowed by RoleBinding "binding/default" of ClusterRole "reader" to ServiceAccount "ci/default"',
  });
});

test('changes of bindings and roles count at once', () => {
  const cluster = new Cluster();
  const authorizer = cluster.authorizer();
  const verdict = (): string => authorizer.authorize(listPods()).verdict;
  assert.equal(verdict(), 'no-opinion');
  cluster.bind('reader', { kind: 'User', name: 'jane' });
  cluster.role('ClusterRole', 'reader', { rules: [readPods] });
  assert.equal(verdict(), 'allow');
  cluster.role('ClusterRole', 'reader', { rules: [] });
  assert.equal(verdict(), 'no-opinion');
  cluster.role('ClusterRole', 'reader', { rules: [readPods] });
  cluster.bind('reader', { kind: 'User', name: 'john' });
  assert.equal(verdict(), 'no-opinion');
  cluster.bind('reader', { kind: 'User', name: 'jane' });
  cluster.table.delete(of('clusterrolebindings'), '', 'binding');
  assert.equal(verdict(), 'no-opinion');
});

test('a binding to a role that is not there is told with the refusal', () => {
  const cluster = new Cluster();
  cluster.bind('ghost', { kind: 'User', name: 'jane' });
  assert.deepEqual(cluster.authorizer().authorize(listPods()), {
    verdict: 'no-opinion',
    reason: 'RBAC: clusterrole.rbac.authorization.k8s.io "ghost" not found',
  });
});

test('an aggregated role has the rules of all it selects, through several steps and without end', () => {
  const cluster = new Cluster();
  const aggregation = (label: string) => ({
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [label]: 'true' } }] },
  });
  const labelled = (name: string, label: string, fields: object): void => {
    cluster.table.put(of('clusterroles'), {
      apiVersion: `${GROUP}/v1`,
      kind: 'ClusterRole',
      metadata: { name, labels: { [label]: 'true' } },
      rules: [],
      ...fields,
    });
  };
  cluster.role('ClusterRole', 'admin', aggregation('to-admin'));
  labelled('view', 'to-admin', aggregation('to-view'));
  labelled('part', 'to-view', { rules: [readPods] });
  cluster.bind('admin', { kind: 'User', name: 'jane' });
  const authorizer = cluster.authorizer();
  assert.equal(authorizer.authorize(listPods()).verdict, 'allow');
  labelled('part', 'to-view', { rules: [], ...aggregation('to-admin') });
  assert.equal(authorizer.authorize(listPods()).verdict, 'no-opinion');
});

test('rules of a user are those of cluster and namespace, in the order of bindings', () => {
  const cluster = new Cluster();
  cluster.role('ClusterRole', 'a', { rules: [readPods] });
  cluster.role(
    'Role',
    'b',
    { rules: [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'] }] },
    'default',
  );
  cluster.bind('a', { kind: 'User', name: 'jane' });
  cluster.bind('b', { kind: 'User', name: 'jane' }, { namespace: 'default', kind: 'Role' });
  const { rules, incomplete, problem } = cluster.authorizer().rulesFor(jane, 'default');
  assert.deepEqual(
    rules.map((rule) => rule.resources),
    [['pods'], ['secrets']],
  );
  assert.deepEqual([incomplete, problem], [false, undefined]);
});

test('system:masters may do everything, without a reason', () => {
  const chain = new AuthorizerChain([superuserAuthorizer, new Cluster().authorizer()]);
  const user = { name: 'admin', groups: ['system:masters'] };
  assert.deepEqual(chain.authorize(listPods({ user, verb: 'delete' })), { verdict: 'allow', reason: '' });
  assert.equal(chain.authorize(listPods()).verdict, 'no-opinion');
});
