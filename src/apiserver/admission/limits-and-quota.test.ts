import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { coreV1 } from '#api';
import { type KubeObject, modifiedConflict, type ResourceRequest } from '#machinery';
import { seededRandom, VirtualClock } from '#testing';
import { typed } from '../typed-object.ts';
import { AdmissionHarness } from './admission.fixture.ts';
import { limitRanger } from './limit-ranger.ts';
import { podResize } from './pod-resize.ts';
import { resourceQuota } from './resource-quota.ts';

const namespace = 'default';
const QUOTAS = { group: '', resource: 'resourcequotas' };
const pod = (resources: object = {}, spec: object = {}, name = 'web'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace },
  spec: { containers: [{ name: 'c', resources }], ...spec },
});

function limits(...items: object[]) {
  const h = new AdmissionHarness({ clock: new VirtualClock(), random: seededRandom(1) }, (options) => [
    limitRanger(options),
  ]);
  h.put('limitranges', 'limits', { spec: { limits: items } }, { namespace });
  const admit = (object: KubeObject, resource = 'pods') => h.admit({ resource, namespace, object });
  return { admit };
}

test('containers get the defaults they do not set, and the pod says so', async () => {
  const { admit } = limits({
    type: 'Container',
    default: { cpu: '500m', memory: '1Gi' },
    defaultRequest: { cpu: '100m' },
  });
  const admitted = await admit(pod({ limits: { cpu: '1' } }));
  assert.deepEqual(admitted?.['spec'], {
    containers: [
      { name: 'c', resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '100m' } } },
    ],
  });
  assert.equal(
    admitted?.metadata.annotations?.['kubernetes.io/limit-ranger'],
    'LimitRanger plugin set: cpu request for container c; memory limit for container c',
  );
});

test('a container is held to minimum, maximum and ratio, all problems told at once', async () => {
  const { admit } = limits({
    type: 'Container',
    min: { cpu: '100m' },
    max: { cpu: '1', memory: '1Gi' },
    maxLimitRequestRatio: { cpu: '4' },
  });
  await assert.rejects(admit(pod({ requests: { cpu: '50m' }, limits: { cpu: '1500m' } })), {
    code: 403,
    message:
      'pods "web" is forbidden: [minimum cpu usage per Container is 100m, but request is 50m, maximum cpu usage per Container is 1, but limit is 1500m, maximum memory usage per Container is 1Gi.  No limit is specified, cpu max limit to request ratio per Container is 4, but provided ratio is 30.000000]',
  });
  assert.ok(await admit(pod({ requests: { cpu: '250m' }, limits: { cpu: '1', memory: '1024Mi' } })));
});

test('a pod is held to its bounds as a whole, sidecars with it', async () => {
  const { admit } = limits({ type: 'Pod', max: { cpu: '1' } });
  const sidecar = { name: 's', restartPolicy: 'Always', resources: { limits: { cpu: '600m' } } };
  await assert.rejects(admit(pod({ limits: { cpu: '600m' } }, { initContainers: [sidecar] })), {
    message: 'pods "web" is forbidden: maximum cpu usage per Pod is 1, but limit is 1200m',
  });
  const init = { ...sidecar, restartPolicy: undefined };
  assert.ok(await admit(pod({ limits: { cpu: '600m' } }, { initContainers: [init] })));
});

test('a claim is held to the size a namespace allows', async () => {
  const { admit } = limits({
    type: 'PersistentVolumeClaim',
    min: { storage: '1Gi' },
    max: { storage: '2Gi' },
  });
  const claim = (storage: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data', namespace },
    spec: { resources: { requests: { storage } } },
  });
  await assert.rejects(admit(claim('3Gi'), 'persistentvolumeclaims'), {
    message:
      'persistentvolumeclaims "data" is forbidden: maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi',
  });
  await assert.rejects(admit(claim('1Mi'), 'persistentvolumeclaims'), {
    message:
      'persistentvolumeclaims "data" is forbidden: minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi',
  });
  assert.ok(await admit(claim('2Gi'), 'persistentvolumeclaims'));
});

class Quotas {
  readonly h = new AdmissionHarness({ clock: new VirtualClock(), random: seededRandom(1) }, (options) => [
    resourceQuota(options),
  ]);
  /** Status writes that got through. */
  writes = 0;
  /** Called before a write; may throw. */
  beforeWrite: () => void = () => undefined;
  #revision = 0;

  constructor() {
    this.h.endpoint = {
      ...this.h.endpoint,
      request: async (request: ResourceRequest) => {
        if (request.verb === 'list') {
          const items = this.h.table.list(QUOTAS, namespace);
          return { code: 200, warnings: [], object: { apiVersion: 'v1', kind: 'List', metadata: {}, items } };
        }
        assert.equal(request.verb, 'update');
        this.beforeWrite();
        const body = request.verb === 'update' ? (request.body as KubeObject) : undefined;
        const live = this.h.table.get(QUOTAS, namespace, body?.metadata.name ?? '');
        if (body === undefined || live?.metadata.resourceVersion !== body.metadata.resourceVersion) {
          throw modifiedConflict(QUOTAS, body?.metadata.name ?? '');
        }
        this.writes++;
        return { code: 200, warnings: [], object: this.#store(body) };
      },
    };
  }

  set(name: string, hard: Record<string, string>, used: Record<string, string>, spec: object = {}): void {
    this.#store({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name, namespace },
      spec: { hard, ...spec },
      status: { hard, used },
    });
  }

  #store(quota: KubeObject): KubeObject {
    const metadata = { ...quota.metadata, resourceVersion: String(++this.#revision) };
    return this.h.table.put(QUOTAS, { ...quota, metadata });
  }

  used(name: string): unknown {
    const quota = this.h.table.get<coreV1.ResourceQuota>(QUOTAS, namespace, name);
    return quota?.status?.used;
  }

  create(object = pod(), resource = 'pods', dryRun = false): Promise<KubeObject | undefined> {
    return this.h.admit({ resource, namespace, object, dryRun });
  }
}

test('a pod is charged to the quota of its namespace', async () => {
  const quotas = new Quotas();
  quotas.set('q', { pods: '2', 'requests.cpu': '1' }, { pods: '0', 'requests.cpu': '0' });
  await quotas.create(pod({ requests: { cpu: '600m' } }));
  assert.deepEqual(quotas.used('q'), { pods: '1', 'requests.cpu': '600m' });
});

test('what does not fit is refused with what was asked, used and allowed, and not charged', async () => {
  const quotas = new Quotas();
  quotas.set('q', { pods: '2', 'requests.cpu': '1' }, { pods: '1', 'requests.cpu': '600m' });
  await assert.rejects(quotas.create(pod({ requests: { cpu: '500m' } })), {
    code: 403,
    message:
      'pods "web" is forbidden: exceeded quota: q, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1',
  });
  assert.deepEqual(quotas.used('q'), { pods: '1', 'requests.cpu': '600m' });
  assert.equal(quotas.writes, 0);
});

test('of many writes at once only as many get in as fit, in one or two rounds of writing', async () => {
  const quotas = new Quotas();
  quotas.set('q', { pods: '5' }, { pods: '0' });
  const writes = Array.from({ length: 20 }, (_, i) => quotas.create(pod({}, {}, `web-${i}`)));
  const outcomes = await Promise.allSettled(writes);
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 5);
  assert.deepEqual(quotas.used('q'), { pods: '5' });
  assert.ok(quotas.writes <= 2, `${quotas.writes} writes`);
});

test('when another server was faster the decision is made again on what it left', async () => {
  const quotas = new Quotas();
  quotas.set('q', { pods: '2' }, { pods: '0' });
  let taken = '1';
  quotas.beforeWrite = () => {
    if (taken === '') return;
    quotas.set('q', { pods: '2' }, { pods: taken });
    taken = '';
  };
  await quotas.create();
  assert.deepEqual(quotas.used('q'), { pods: '2' });
  taken = '2';
  quotas.set('q', { pods: '2' }, { pods: '1' });
  await assert.rejects(quotas.create(), {
    message: 'pods "web" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2',
  });
});

test('a quota that limits cpu wants every container to say how much', async () => {
  const quotas = new Quotas();
  quotas.set('q', { cpu: '1', 'limits.memory': '1Gi' }, { cpu: '0', 'limits.memory': '0' });
  await assert.rejects(quotas.create(), {
    message: 'pods "web" is forbidden: failed quota: q: must specify cpu for: c; limits.memory for: c',
  });
});

test('a quota not yet counted refuses what it limits', async () => {
  const quotas = new Quotas();
  quotas.set('q', { pods: '1' }, {});
  await assert.rejects(quotas.create(), {
    message: 'pods "web" is forbidden: status unknown for quota: q, resources: pods',
  });
  assert.ok(await quotas.create({ ...pod(), kind: 'ConfigMap' }, 'configmaps'));
});

test('scopes decide which pods a quota is about', async () => {
  const quotas = new Quotas();
  const hard = { pods: '0' };
  quotas.set('q', hard, { pods: '0' }, { scopes: ['BestEffort'] });
  await assert.rejects(quotas.create(), { code: 403 });
  assert.ok(await quotas.create(pod({ requests: { cpu: '1' } })));
  const matchExpressions = [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }];
  quotas.set('q', hard, { pods: '0' }, { scopeSelector: { matchExpressions } });
  assert.ok(await quotas.create());
  await assert.rejects(quotas.create(pod({}, { priorityClassName: 'high' })), { code: 403 });
});

test('plain objects are counted, events and reviews are not', async () => {
  const quotas = new Quotas();
  quotas.set('q', { 'count/jobs.batch': '1', secrets: '0' }, { 'count/jobs.batch': '0', secrets: '0' });
  await quotas.create({ ...pod(), kind: 'Job' }, 'jobs.batch');
  assert.deepEqual(quotas.used('q'), { 'count/jobs.batch': '1', secrets: '0' });
  await assert.rejects(quotas.create({ ...pod(), kind: 'Secret' }, 'secrets'), {
    message:
      'secrets "web" is forbidden: exceeded quota: q, requested: secrets=1, used: secrets=0, limited: secrets=0',
  });
  assert.ok(await quotas.create({ ...pod(), kind: 'Event' }, 'events'));
});

test('a dry run is told whether it would fit and charges nothing', async () => {
  const quotas = new Quotas();
  quotas.set('q', { pods: '1' }, { pods: '0' });
  assert.ok(await quotas.create(pod(), 'pods', true));
  assert.deepEqual(quotas.used('q'), { pods: '0' });
  quotas.set('q', { pods: '1' }, { pods: '1' });
  await assert.rejects(quotas.create(pod(), 'pods', true), { code: 403 });
});

test('an update pays for growth alone', async () => {
  const quotas = new Quotas();
  quotas.set('q', { 'requests.storage': '3Gi' }, { 'requests.storage': '1Gi' });
  const claim = (storage: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data', namespace },
    spec: { resources: { requests: { storage } } },
  });
  const update = (object: KubeObject) =>
    quotas.h.admit({
      resource: 'persistentvolumeclaims',
      operation: 'UPDATE',
      namespace,
      object,
      oldObject: claim('1Gi'),
    });
  await update(claim('3Gi'));
  assert.deepEqual(quotas.used('q'), { 'requests.storage': '3Gi' });
  await assert.rejects(update(claim('2Gi')), { code: 403 });
});

test('a pod does not outgrow its node', async () => {
  const h = new AdmissionHarness({ clock: new VirtualClock(), random: seededRandom(1) }, (options) => [
    podResize(options),
  ]);
  h.put('nodes', 'n1', { status: { allocatable: { cpu: '2', memory: '1Gi' } } });
  const at = (cpu: string, generation: number): KubeObject => {
    const object = pod({ requests: { cpu, memory: '2Gi' } }, { nodeName: 'n1' });
    return { ...object, metadata: { ...object.metadata, generation } };
  };
  const resize = (object: KubeObject) =>
    h.admit({
      resource: 'pods/resize',
      operation: 'UPDATE',
      namespace,
      name: 'web',
      object,
      oldObject: at('1', 1),
    });
  await assert.rejects(resize(at('3', 2)), {
    message:
      'pods "web" is forbidden: node didn\'t have enough allocatable resources: cpu, requested: 3000, allocatable: 2000; memory, requested: 2147483648, allocatable: 1073741824',
    details: { name: 'web', kind: 'pods', causes: [{ reason: 'NodeCapacity' }] },
  });
  assert.equal(typed<coreV1.Pod>((await resize(at('1', 1))) ?? pod()).metadata.generation, 1);
});
