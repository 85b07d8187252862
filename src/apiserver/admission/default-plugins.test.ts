import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { coreV1 } from '#api';
import type { KubeObject } from '#machinery';
import { seededRandom, VirtualClock } from '#testing';
import type { AdmissionPlugin } from './admission.ts';
import { AdmissionHarness } from './admission.fixture.ts';
import { defaultIngressClass, defaultStorageClass } from './default-classes.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { type AdmissionOptions, admissionPlugins } from './index.ts';
import { limitRanger } from './limit-ranger.ts';
import { serviceAccountPlugin } from './service-account.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { persistentVolumeClaimResize } from './persistent-volume-claim-resize.ts';
import { podTopologyLabels } from './pod-topology-labels.ts';
import { priority } from './priority.ts';
import { runtimeClass } from './runtime-class.ts';
import { storageObjectInUseProtection } from './storage-object-in-use-protection.ts';
import { taintNodesByCondition } from './taint-nodes-by-condition.ts';

const harness = (...plugins: readonly ((options: AdmissionOptions) => AdmissionPlugin)[]) =>
  new AdmissionHarness({ clock: new VirtualClock(), random: seededRandom(1) }, (options) =>
    plugins.map((plugin) => plugin(options)),
  );
const pod = (spec: object = {}, metadata: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default', ...metadata },
  spec: { containers: [{ name: 'c' }], ...spec },
});
const create = { resource: 'pods', namespace: 'default' };

test('plugins run in upstream’s order', () => {
  const { plugins } = new AdmissionHarness(
    { clock: new VirtualClock(), random: seededRandom(1) },
    admissionPlugins,
  );
  const names = plugins.map(({ name }) => name);
  assert.deepEqual(names, [
    'NamespaceLifecycle',
    'LimitRanger',
    'ServiceAccount',
    'NodeRestriction',
    'TaintNodesByCondition',
    'PodSecurity',
    'Priority',
    'DefaultTolerationSeconds',
    'DefaultStorageClass',
    'StorageObjectInUseProtection',
    'PersistentVolumeClaimResize',
    'RuntimeClass',
    'CertificateApproval',
    'CertificateSigning',
    'CertificateSubjectRestriction',
    'DefaultIngressClass',
    'PodTopologyLabels',
    'PodResizeValidator',
    'RBACEscalation',
    'ResourceQuota',
  ]);
});

test('a pod without containers passes the mutating plugins, for validation to refuse it', async () => {
  const h = harness(limitRanger, serviceAccountPlugin);
  h.put('serviceaccounts', 'default', {}, { namespace: 'default' });
  const limits = [{ type: 'Container', default: { cpu: '1' } }];
  h.put('limitranges', 'l', { spec: { limits } }, { namespace: 'default' });
  const object = pod({ containers: null });
  for (const plugin of h.plugins) {
    assert.ok(
      await plugin.mutate?.({
        operation: 'CREATE',
        target: { group: '', version: 'v1', resource: 'pods', namespace: 'default' },
        kind: 'Pod',
        user: { name: 'jane', groups: [] },
        object,
        oldObject: undefined,
        dryRun: false,
        warn: () => undefined,
        signal: new AbortController().signal,
      }),
    );
  }
});

test('nothing is made in a namespace that is not there, not even looked at past the cache', async () => {
  const h = harness(namespaceLifecycle);
  await assert.rejects(h.admit({ ...create, object: pod() }), {
    code: 404,
    message: 'namespaces "default" not found',
  });
  h.endpoint = {
    ...h.endpoint,
    request: async () => ({
      code: 200,
      warnings: [],
      object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } },
    }),
  };
  assert.ok(await h.admit({ ...create, object: pod() }));
});

test('a namespace that is being deleted takes no new objects, but its old ones may change', async () => {
  const h = harness(namespaceLifecycle);
  h.put('namespaces', 'default', { status: { phase: 'Terminating' } });
  await assert.rejects(h.admit({ ...create, object: pod() }), {
    code: 403,
    message:
      'pods "web" is forbidden: unable to create new content in namespace default because it is being terminated',
    details: {
      name: 'web',
      kind: 'pods',
      causes: [
        {
          reason: 'NamespaceTerminating',
          message: 'namespace default is being terminated',
          field: 'metadata.namespace',
        },
      ],
    },
  });
  assert.ok(await h.admit({ ...create, operation: 'UPDATE', object: pod(), oldObject: pod() }));
  const review = { resource: 'localsubjectaccessreviews.authorization.k8s.io', namespace: 'none' };
  assert.ok(await h.admit({ ...review, object: pod() }));
});

test('default, kube-system and kube-public are there for ever', async () => {
  const h = harness(namespaceLifecycle);
  for (const name of ['default', 'kube-system', 'kube-public']) {
    await assert.rejects(h.admit({ resource: 'namespaces', operation: 'DELETE', name }), {
      code: 403,
      message: `namespaces "${name}" is forbidden: this namespace may not be deleted`,
    });
  }
  await h.admit({ resource: 'namespaces', operation: 'DELETE', name: 'mine' });
});

test('a pod gets the priority of its class, of the default class, or none', async () => {
  const h = harness(priority);
  const spec = async (fields: object) => (await h.admit({ ...create, object: pod(fields) }))?.['spec'];
  const containers = [{ name: 'c' }];
  assert.deepEqual(await spec({}), { containers, priority: 0, preemptionPolicy: 'PreemptLowerPriority' });
  h.put('priorityclasses.scheduling.k8s.io', 'high', { value: 1000, preemptionPolicy: 'Never' });
  assert.deepEqual(await spec({ priorityClassName: 'high' }), {
    containers,
    priorityClassName: 'high',
    priority: 1000,
    preemptionPolicy: 'Never',
  });
  h.put('priorityclasses.scheduling.k8s.io', 'usual', { value: 5, globalDefault: true });
  assert.deepEqual(await spec({}), { containers, priorityClassName: 'usual', priority: 5 });
});

test('a pod cannot choose its priority, nor a class that is not there', async () => {
  const h = harness(priority);
  const refuse = (fields: object, message: string) =>
    assert.rejects(h.admit({ ...create, object: pod(fields) }), { code: 403, message });
  await refuse({ priorityClassName: 'x' }, 'pods "web" is forbidden: no PriorityClass with name x was found');
  await refuse(
    { priority: 7 },
    'pods "web" is forbidden: the integer value of priority (7) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name',
  );
  await refuse(
    { preemptionPolicy: 'Never' },
    'pods "web" is forbidden: the string value of PreemptionPolicy (Never) must not be provided in pod spec; priority admission controller computed PreemptLowerPriority from the given PriorityClass name',
  );
});

test('only one priority class is the default', async () => {
  const h = harness(priority);
  const resource = 'priorityclasses.scheduling.k8s.io';
  const first = h.put(resource, 'a', { value: 1, globalDefault: true });
  const second = { ...first, metadata: { name: 'b' } };
  await assert.rejects(h.admit({ resource, object: second }), {
    code: 403,
    message:
      'priorityclasses.scheduling.k8s.io "b" is forbidden: PriorityClass a is already marked as default. Only one default can exist',
  });
  assert.ok(await h.admit({ resource, operation: 'UPDATE', object: first, oldObject: first }));
});

test('pods leave lost nodes after five minutes unless they say otherwise', async () => {
  const h = harness(() => defaultTolerationSeconds);
  const tolerations = async (own: object[]) => {
    const admitted = await h.admit({ ...create, object: pod({ tolerations: own }) });
    return (admitted?.['spec'] as coreV1.PodSpec | undefined)?.tolerations;
  };
  const added = (key: string) => ({
    key: `node.kubernetes.io/${key}`,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: 300,
  });
  assert.deepEqual(await tolerations([]), [added('not-ready'), added('unreachable')]);
  const own = { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' };
  assert.deepEqual(await tolerations([own]), [own, added('unreachable')]);
  assert.deepEqual(await tolerations([{ operator: 'Exists' }]), [{ operator: 'Exists' }]);
  const noSchedule = { operator: 'Exists', effect: 'NoSchedule' };
  assert.equal((await tolerations([noSchedule]))?.length, 3);
});

test('a new node is tainted not ready, once', async () => {
  const h = harness(() => taintNodesByCondition);
  const node = (taints?: object[]) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n' },
    spec: { taints },
  });
  const taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };
  const admitted = await h.admit({ resource: 'nodes', object: node() });
  assert.deepEqual(admitted?.['spec'], { taints: [taint] });
  const object = node([taint]);
  assert.equal(await h.admit({ resource: 'nodes', object }), object);
});

test('claims and ingresses without a class get the newest default', async () => {
  const h = harness(defaultStorageClass, defaultIngressClass);
  const isDefault = (key: string) => ({ annotations: { [key]: 'true' } });
  const storage = isDefault('storageclass.kubernetes.io/is-default-class');
  const claim = { apiVersion: 'v1', kind: 'Any', metadata: { name: 'c', namespace: 'default' }, spec: {} };
  const write = { resource: 'persistentvolumeclaims', namespace: 'default', object: claim };
  assert.equal(await h.admit(write), claim);
  h.put(
    'storageclasses.storage.k8s.io',
    'old',
    {},
    { ...storage, creationTimestamp: '2026-01-01T00:00:00Z' },
  );
  h.put(
    'storageclasses.storage.k8s.io',
    'new',
    {},
    { ...storage, creationTimestamp: '2026-01-02T00:00:00Z' },
  );
  assert.deepEqual((await h.admit(write))?.['spec'], { storageClassName: 'new' });
  const none = { ...claim, spec: { storageClassName: '' } };
  assert.equal(await h.admit({ ...write, object: none }), none);
  const ingress = isDefault('ingressclass.kubernetes.io/is-default-class');
  h.put('ingressclasses.networking.k8s.io', 'nginx', {}, ingress);
  const admitted = await h.admit({ ...write, resource: 'ingresses.networking.k8s.io' });
  assert.deepEqual(admitted?.['spec'], { ingressClassName: 'nginx' });
});

test('volumes and claims are protected while in use', async () => {
  const h = harness(() => storageObjectInUseProtection);
  const object = { apiVersion: 'v1', kind: 'Any', metadata: { name: 'x', finalizers: ['a'] } };
  const finalizers = async (resource: string) => (await h.admit({ resource, object }))?.metadata.finalizers;
  assert.deepEqual(await finalizers('persistentvolumes'), ['a', 'kubernetes.io/pv-protection']);
  assert.deepEqual(await finalizers('persistentvolumeclaims'), ['a', 'kubernetes.io/pvc-protection']);
  assert.deepEqual(await finalizers('configmaps'), ['a']);
});

test('a claim grows once bound, in a class that allows it', async () => {
  const h = harness(persistentVolumeClaimResize);
  const claim = (size: string, phase = 'Bound'): KubeObject => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data', namespace: 'default' },
    spec: { storageClassName: 'fast', resources: { requests: { storage: size } } },
    status: { phase },
  });
  const grow = (old: KubeObject, object = claim('2Gi')) =>
    h.admit({
      resource: 'persistentvolumeclaims',
      operation: 'UPDATE',
      namespace: 'default',
      object,
      oldObject: old,
    });
  await assert.rejects(grow(claim('1Gi', 'Pending')), {
    message:
      'persistentvolumeclaims "data" is forbidden: Only bound persistent volume claims can be expanded',
  });
  await assert.rejects(grow(claim('1Gi')), {
    message:
      'persistentvolumeclaims "data" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
  });
  h.put('storageclasses.storage.k8s.io', 'fast', { allowVolumeExpansion: true });
  assert.ok(await grow(claim('1Gi')));
  assert.ok(await grow(claim('2048Mi', 'Pending')));
});

test('a pod takes overhead and place of its runtime class', async () => {
  const h = harness(runtimeClass);
  const admit = (spec: object) => h.admit({ ...create, object: pod(spec) });
  await assert.rejects(admit({ runtimeClassName: 'kata' }), {
    message: 'pods "web" is forbidden: pod rejected: RuntimeClass "kata" not found',
  });
  h.put('runtimeclasses.node.k8s.io', 'kata', {
    handler: 'kata',
    overhead: { podFixed: { cpu: '250m' } },
    scheduling: {
      nodeSelector: { kvm: 'yes' },
      tolerations: [{ key: 'kata', operator: 'Exists' }],
    },
  });
  const own = { key: 'kata', operator: 'Equal', value: 'x' };
  assert.deepEqual((await admit({ runtimeClassName: 'kata', tolerations: [own] }))?.['spec'], {
    containers: [{ name: 'c' }],
    runtimeClassName: 'kata',
    tolerations: [{ key: 'kata', operator: 'Exists' }],
    overhead: { cpu: '250m' },
    nodeSelector: { kvm: 'yes' },
  });
  await assert.rejects(admit({ runtimeClassName: 'kata', overhead: { cpu: '1' } }), {
    message:
      "pods \"web\" is forbidden: pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
  });
  await assert.rejects(admit({ runtimeClassName: 'kata', nodeSelector: { kvm: 'no' } }), {
    message:
      'pods "web" is forbidden: conflict: runtimeClass.scheduling.nodeSelector[kvm] = yes; pod.spec.nodeSelector[kvm] = no',
  });
  await assert.rejects(admit({ overhead: { cpu: '1' } }), {
    message:
      'pods "web" is forbidden: pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
  });
});

test('a bound pod learns zone and region of its node', async () => {
  const h = harness(podTopologyLabels);
  h.put('nodes', 'n1', {}, { labels: { 'topology.kubernetes.io/zone': 'a', secret: 'x' } });
  const binding = {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name: 'web', namespace: 'default' },
    target: { kind: 'Node', name: 'n1' },
  };
  const admitted = await h.admit({ ...create, resource: 'pods/binding', object: binding });
  assert.deepEqual(admitted?.metadata.labels, { 'topology.kubernetes.io/zone': 'a' });
  const labels = { 'topology.kubernetes.io/zone': 'wrong', app: 'web' };
  const placed = await h.admit({ ...create, object: pod({ nodeName: 'n1' }, { labels }) });
  assert.deepEqual(placed?.metadata.labels, { 'topology.kubernetes.io/zone': 'a', app: 'web' });
});
