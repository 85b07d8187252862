import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ObjectTable } from '../object-table.fixture.ts';
import type { AuthorizationAttributes, Decision } from './authorizer.ts';
import { NodeAuthorizer } from './node-authorizer.ts';
import { NodeGraph } from './node-graph.ts';

const PODS = { group: '', resource: 'pods' };
const VOLUMES = { group: '', resource: 'persistentvolumes' };
const node = (name: string) => ({ name: `system:node:${name}`, groups: ['system:nodes'] });
const rules = [{ verbs: ['get', 'list', 'watch'], apiGroups: [''], resources: ['services'] }];

class Cluster {
  readonly table = new ObjectTable();
  readonly authorizer = new NodeAuthorizer({ graph: new NodeGraph(this.table), rules });

  pod(
    name: string,
    spec: object,
    fields: { annotations?: Record<string, string>; status?: object } = {},
  ): void {
    this.table.put(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default', uid: name, annotations: fields.annotations },
      spec: { containers: [], ...spec },
      status: fields.status,
    });
  }

  ask(nodeName: string, attributes: Partial<AuthorizationAttributes>): Decision {
    return this.authorizer.authorize({
      user: node(nodeName),
      verb: 'get',
      group: '',
      namespace: 'default',
      ...attributes,
    });
  }

  allows(nodeName: string, attributes: Partial<AuthorizationAttributes>): boolean {
    return this.ask(nodeName, attributes).verdict === 'allow';
  }
}

const secret = { resource: 'secrets', name: 'tls' };

test('a secret opens to the nodes whose pods use it, and closes when the last one is gone', () => {
  const cluster = new Cluster();
  const spec = { nodeName: 'n1', volumes: [{ name: 'v', secret: { secretName: 'tls' } }] };
  assert.deepEqual(cluster.ask('n1', secret), {
    verdict: 'no-opinion',
    reason: "no relationship found between node 'n1' and this object",
  });
  cluster.pod('a', spec);
  cluster.pod('b', spec);
  assert.equal(cluster.allows('n1', secret), true);
  assert.equal(cluster.allows('n1', { ...secret, verb: 'watch' }), true);
  assert.equal(cluster.allows('n2', secret), false);
  cluster.table.delete(PODS, 'default', 'a');
  assert.equal(cluster.allows('n1', secret), true);
  cluster.table.delete(PODS, 'default', 'b');
  assert.equal(cluster.allows('n1', secret), false);
});

test('every way in which a pod names an object counts', () => {
  const cluster = new Cluster();
  cluster.pod('a', {
    nodeName: 'n1',
    serviceAccountName: 'ci',
    imagePullSecrets: [{ name: 'pull' }],
    initContainers: [
      { name: 'i', env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'key', key: 'k' } } }] },
    ],
    containers: [{ name: 'c', envFrom: [{ configMapRef: { name: 'env' } }, { secretRef: { name: 'env' } }] }],
    volumes: [
      { name: 'p', projected: { sources: [{ configMap: { name: 'projected' } }] } },
      { name: 'claim', persistentVolumeClaim: { claimName: 'data' } },
      { name: 'scratch', ephemeral: {} },
    ],
  });
  for (const [resource, names] of [
    ['secrets', ['pull', 'key', 'env']],
    ['configmaps', ['env', 'projected']],
    ['persistentvolumeclaims', ['data', 'a-scratch']],
    ['serviceaccounts', ['ci']],
    ['pods', ['a']],
  ] as const) {
    for (const name of names)
      assert.equal(cluster.allows('n1', { resource, name }), true, `${resource} ${name}`);
  }
});

test('a volume and its secrets open through the claim that a pod uses', () => {
  const cluster = new Cluster();
  const volume = { resource: 'persistentvolumes', name: 'pv', namespace: undefined };
  cluster.table.put(VOLUMES, {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'pv' },
    spec: {
      claimRef: { namespace: 'default', name: 'data' },
      csi: {
        driver: 'd',
        volumeHandle: 'h',
        nodeStageSecretRef: { name: 'stage', namespace: 'vault' },
        controllerPublishSecretRef: { name: 'publish', namespace: 'vault' },
      },
    },
  });
  const stage = { resource: 'secrets', name: 'stage', namespace: 'vault' };
  assert.equal(cluster.allows('n1', volume), false);
  cluster.pod('a', {
    nodeName: 'n1',
    volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }],
  });
  assert.equal(cluster.allows('n1', volume), true);
  assert.equal(cluster.allows('n1', stage), true);
  assert.equal(cluster.allows('n1', { ...stage, name: 'publish' }), false);
  assert.equal(cluster.allows('n2', stage), false);
  cluster.table.delete(VOLUMES, '', 'pv');
  assert.equal(cluster.allows('n1', stage), false);
});

test('a mirror pod, which the node makes itself, opens nothing but itself', () => {
  const cluster = new Cluster();
  const spec = { nodeName: 'n1', volumes: [{ name: 'v', secret: { secretName: 'tls' } }] };
  cluster.pod('a', spec, { annotations: { 'kubernetes.io/config.mirror': 'x' } });
  assert.equal(cluster.allows('n1', secret), false);
  assert.equal(cluster.allows('n1', { resource: 'pods', name: 'a' }), true);
});

test('ephemeral containers and claims made for a running pod open what they name', () => {
  const cluster = new Cluster();
  const spec = { nodeName: 'n1', resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 't' }] };
  cluster.pod('a', spec);
  const claim = { group: 'resource.k8s.io', resource: 'resourceclaims', name: 'a-gpu-1' };
  assert.equal(cluster.allows('n1', claim), false);
  const status = { resourceClaimStatuses: [{ name: 'gpu', resourceClaimName: 'a-gpu-1' }] };
  cluster.pod('a', spec, { status });
  assert.equal(cluster.allows('n1', claim), true);
  const debug = { name: 'debug', envFrom: [{ secretRef: { name: 'tls' } }] };
  cluster.pod('a', { ...spec, ephemeralContainers: [debug] }, { status });
  assert.equal(cluster.allows('n1', secret), true);
});

test('a node reads pods by its own name, or one that is bound to it', () => {
  const cluster = new Cluster();
  const list = { verb: 'list', resource: 'pods', namespace: undefined };
  assert.deepEqual(cluster.ask('n1', list), {
    verdict: 'no-opinion',
    reason: 'can only list/watch pods with spec.nodeName field selector',
  });
  assert.equal(cluster.allows('n1', { ...list, fieldSelector: 'spec.nodeName=n1' }), true);
  assert.equal(
    cluster.allows('n1', { ...list, fieldSelector: 'status.phase=Running,spec.nodeName==n1' }),
    true,
  );
  assert.equal(cluster.allows('n1', { ...list, fieldSelector: 'spec.nodeName=n2' }), false);
  assert.equal(cluster.allows('n1', { ...list, fieldSelector: 'spec.nodeName!=n1' }), false);
  assert.equal(cluster.allows('n1', { resource: 'pods', name: 'x' }), false);
  assert.equal(cluster.allows('n1', { verb: 'update', resource: 'pods', name: 'x' }), false);
  assert.equal(
    cluster.allows('n1', { verb: 'update', resource: 'pods', subresource: 'status', name: 'x' }),
    true,
  );
});

test('a node reads itself alone', () => {
  const cluster = new Cluster();
  const nodes = { resource: 'nodes', namespace: undefined };
  assert.equal(cluster.allows('n1', { ...nodes, name: 'n1' }), true);
  assert.deepEqual(cluster.ask('n1', { ...nodes, name: 'n2' }), {
    verdict: 'no-opinion',
    reason: "node 'n1' cannot read 'n2', only its own Node object",
  });
  assert.deepEqual(cluster.ask('n1', { ...nodes, verb: 'list' }), {
    verdict: 'no-opinion',
    reason: "node 'n1' cannot read all nodes, only its own Node object",
  });
  assert.equal(cluster.allows('n1', { ...nodes, verb: 'delete', name: 'n1' }), false);
});

test('a node has its own lease and CSINode', () => {
  const cluster = new Cluster();
  const lease = { group: 'coordination.k8s.io', resource: 'leases', namespace: 'kube-node-lease' };
  assert.equal(cluster.allows('n1', { ...lease, verb: 'update', name: 'n1' }), true);
  assert.equal(cluster.allows('n1', { ...lease, verb: 'create' }), true);
  assert.equal(cluster.allows('n1', { ...lease, verb: 'update', name: 'n2' }), false);
  assert.equal(
    cluster.ask('n1', { ...lease, namespace: 'default', name: 'n1' }).reason,
    'can only access leases in the "kube-node-lease" system namespace',
  );
  const csi = { group: 'storage.k8s.io', resource: 'csinodes', namespace: undefined };
  assert.equal(cluster.allows('n1', { ...csi, verb: 'patch', name: 'n1' }), true);
  assert.equal(cluster.allows('n1', { ...csi, verb: 'patch', name: 'n2' }), false);
});

test('tokens are made for the service accounts of the node’s pods only', () => {
  const cluster = new Cluster();
  cluster.pod('a', { nodeName: 'n1', serviceAccountName: 'ci' });
  const token = { verb: 'create', resource: 'serviceaccounts', subresource: 'token' };
  assert.equal(cluster.allows('n1', { ...token, name: 'ci' }), true);
  assert.equal(cluster.allows('n1', { ...token, name: 'root' }), false);
  assert.equal(cluster.allows('n2', { ...token, name: 'ci' }), false);
});

test('what is the same for all nodes follows the rules of system:node, and users that are no nodes are not judged', () => {
  const cluster = new Cluster();
  assert.equal(cluster.allows('n1', { resource: 'services', name: 'x' }), true);
  assert.equal(cluster.allows('n1', { verb: 'delete', resource: 'services', name: 'x' }), false);
  const stranger = { name: 'system:node:n1', groups: [] };
  assert.deepEqual(cluster.ask('n1', { user: stranger, resource: 'services' }), {
    verdict: 'no-opinion',
    reason: '',
  });
  assert.equal(cluster.ask('', { resource: 'services' }).reason, 'unknown node for user "system:node:"');
});
