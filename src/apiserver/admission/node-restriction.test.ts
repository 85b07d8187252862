import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#machinery';
import { seededRandom, VirtualClock } from '#testing';
import { AdmissionHarness, type Write } from './admission.fixture.ts';
import { nodeRestriction } from './node-restriction.ts';

const namespace = 'default';
const n1 = { name: 'system:node:n1', groups: ['system:nodes'] };

function world() {
  const h = new AdmissionHarness({ clock: new VirtualClock(), random: seededRandom(1) }, (options) => [
    nodeRestriction(options),
  ]);
  const admit = (write: Write) => h.admit({ user: n1, ...write });
  const refuse = (write: Write, message: string) => assert.rejects(admit(write), { code: 403, message });
  return { h, admit, refuse };
}

const node = (fields: { labels?: object; spec?: object } = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n1', labels: { ...fields.labels } },
  spec: fields.spec ?? {},
});

test('who is no node is not restricted', async () => {
  const { admit } = world();
  assert.ok(await admit({ resource: 'nodes', object: node(), user: { name: 'jane', groups: [] } }));
});

test('a node writes itself, not others', async () => {
  const { admit, refuse } = world();
  assert.ok(await admit({ resource: 'nodes', object: node() }));
  await refuse(
    { resource: 'nodes', operation: 'UPDATE', name: 'n2', object: node(), oldObject: node() },
    'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"',
  );
});

test('a node labels itself with what describes it, not with what draws workloads', async () => {
  const { admit, refuse } = world();
  const labels = {
    'kubernetes.io/hostname': 'n1',
    'topology.kubernetes.io/zone': 'a',
    'x.node.kubernetes.io/y': 'z',
    'example.com/anything': 'goes',
  };
  assert.ok(await admit({ resource: 'nodes', object: node({ labels }) }));
  await refuse(
    {
      resource: 'nodes',
      object: node({ labels: { 'node-restriction.kubernetes.io/pci': 'y', 'kubernetes.io/other': 'x' } }),
    },
    'nodes "n1" is forbidden: node "n1" is not allowed to set the following labels: kubernetes.io/other, node-restriction.kubernetes.io/pci',
  );
  const update = { resource: 'nodes', operation: 'UPDATE', name: 'n1' } as const;
  await refuse(
    { ...update, object: node(), oldObject: node({ labels: { 'node-role.kubernetes.io/x': '' } }) },
    'nodes "n1" is forbidden: is not allowed to modify labels: node-role.kubernetes.io/x',
  );
  await refuse(
    {
      ...update,
      object: node(),
      oldObject: node({ spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } }),
    },
    'nodes "n1" is forbidden: node "n1" is not allowed to modify taints',
  );
});

const pod = (metadata: object = {}, spec: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace, ...metadata },
  spec: { nodeName: 'n1', containers: [], ...spec },
});
const owner = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'n1-uid', controller: true };
const mirror = { annotations: { 'kubernetes.io/config.mirror': 'x' }, ownerReferences: [owner] };

test('a node makes mirror pods of itself that need nothing from the API', async () => {
  const { h, admit, refuse } = world();
  const create = { resource: 'pods', namespace };
  await refuse(
    { ...create, object: pod() },
    'pods "web" is forbidden: pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods',
  );
  await assert.rejects(admit({ ...create, object: pod(mirror) }), { message: 'node "n1" not found' });
  h.put('nodes', 'n1', {}, { uid: 'n1-uid' });
  assert.ok(await admit({ ...create, object: pod(mirror) }));
  await refuse(
    { ...create, object: pod(mirror, { nodeName: 'n2' }) },
    'pods "web" is forbidden: node "n1" can only create pods with spec.nodeName set to itself',
  );
  await refuse(
    { ...create, object: pod({ ...mirror, ownerReferences: [] }) },
    'pods "web" is forbidden: node "n1" can only create pods with an owner reference set to itself',
  );
  await refuse(
    { ...create, object: pod({ ...mirror, ownerReferences: [{ ...owner, uid: 'x' }] }) },
    'pods "web" is forbidden: node n1 UID mismatch: expected x got n1-uid',
  );
  for (const [volume, what] of [
    [{ secret: { secretName: 's' } }, 'secrets'],
    [{ persistentVolumeClaim: { claimName: 'c' } }, 'persistentvolumeclaims'],
    [{ csi: { driver: 'd' } }, 'csidrivers (via CSI volumes)'],
    [
      { projected: { sources: [{ serviceAccountToken: { path: 't' } }] } },
      'serviceaccounts (via projected volumes)',
    ],
  ] as const) {
    await refuse(
      { ...create, object: pod(mirror, { volumes: [{ name: 'v', ...volume }] }) },
      `pods "web" is forbidden: node "n1" can not create pods that reference ${what}`,
    );
  }
  assert.ok(
    await admit({ ...create, object: pod(mirror, { volumes: [{ name: 'v', hostPath: { path: '/' } }] }) }),
  );
});

test('a node deletes, evicts and reports on its own pods', async () => {
  const { h, admit, refuse } = world();
  h.put('pods', 'mine', { spec: { nodeName: 'n1' } }, { namespace });
  h.put('pods', 'other', { spec: { nodeName: 'n2' } }, { namespace });
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: {} };
  await admit({ resource: 'pods', operation: 'DELETE', namespace, name: 'mine' });
  await admit({ resource: 'pods/eviction', namespace, name: 'mine', object: eviction });
  await refuse(
    { resource: 'pods', operation: 'DELETE', namespace, name: 'other' },
    'pods "other" is forbidden: node "n1" can only delete pods with spec.nodeName set to itself',
  );
  await refuse(
    { resource: 'pods/eviction', namespace, name: 'other', object: eviction },
    'pods "other" is forbidden: node n1 can only evict pods with spec.nodeName set to itself',
  );
  const status = { resource: 'pods/status', operation: 'UPDATE', namespace, name: 'web' } as const;
  assert.ok(await admit({ ...status, object: pod(), oldObject: pod() }));
  await refuse(
    { ...status, object: pod(), oldObject: pod({}, { nodeName: 'n2' }) },
    'pods "web" is forbidden: node "n1" can only update pod status for pods with spec.nodeName set to itself',
  );
  await refuse(
    { ...status, object: pod({ labels: { a: 'b' } }), oldObject: pod() },
    'pods "web" is forbidden: node "n1" cannot update labels through pod status',
  );
  await refuse(
    { resource: 'pods', operation: 'UPDATE', namespace, name: 'web', object: pod(), oldObject: pod() },
    'pods "web" is forbidden: unexpected operation "UPDATE", node "n1" can only create and delete mirror pods',
  );
});

test('a node asks for tokens bound to its pods, for audiences those ask for', async () => {
  const { h, admit, refuse } = world();
  const tokens = {
    name: 'vault',
    projected: { sources: [{ serviceAccountToken: { path: 't', audience: 'vault' } }] },
  };
  const standard = { name: 'api', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } };
  h.put(
    'pods',
    'web',
    { spec: { nodeName: 'n1', volumes: [tokens, standard] } },
    { namespace, uid: 'web-uid' },
  );
  h.put('pods', 'far', { spec: { nodeName: 'n2' } }, { namespace, uid: 'far-uid' });
  const request = (spec: object): Write => ({
    resource: 'serviceaccounts/token',
    namespace,
    name: 'ci',
    object: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', metadata: {}, spec },
  });
  const boundTo = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', name, uid: `${name}-uid` });
  assert.ok(await admit(request({ boundObjectRef: boundTo('web') })));
  assert.ok(await admit(request({ boundObjectRef: boundTo('web'), audiences: ['vault'] })));
  await refuse(request({}), 'serviceaccounts "ci" is forbidden: node requested token not bound to a pod');
  await refuse(
    request({ boundObjectRef: boundTo('far') }),
    'serviceaccounts "ci" is forbidden: node requested token bound to a pod scheduled on a different node',
  );
  const other = request({ boundObjectRef: boundTo('web'), audiences: ['other'] });
  await refuse(
    other,
    'serviceaccounts "ci" is forbidden: audience "other" not found in pod spec volume, system:node:n1 is not authorized to request tokens for this audience',
  );
  h.authorizer = {
    authorize: ({ verb, resource }) => ({
      verdict:
        verb === 'request-serviceaccounts-token-audience' && resource === 'other' ? 'allow' : 'no-opinion',
      reason: '',
    }),
  };
  assert.ok(await admit(other));
});

test('a node has its own lease, and reports on claims only how large they are', async () => {
  const { admit, refuse } = world();
  const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'n2' } };
  await refuse(
    { resource: 'leases.coordination.k8s.io', namespace: 'kube-node-lease', object: lease },
    'leases.coordination.k8s.io "n2" is forbidden: can only access node lease with the same name as the requesting node',
  );
  const claim = (status: object, spec: object = {}): KubeObject => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'c', namespace },
    spec,
    status,
  });
  const write = {
    resource: 'persistentvolumeclaims/status',
    operation: 'UPDATE',
    namespace,
    name: 'c',
  } as const;
  assert.ok(
    await admit({
      ...write,
      object: claim({ phase: 'Bound', capacity: { storage: '2Gi' } }),
      oldObject: claim({ phase: 'Bound' }),
    }),
  );
  await assert.rejects(
    admit({ ...write, object: claim({ phase: 'Lost' }), oldObject: claim({ phase: 'Bound' }) }),
    {
      code: 403,
    },
  );
});
