import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#machinery';
import type { coreV1 } from '../types/index.ts';
import { podLimits, podRequests, QUANTITIES } from '../pod-resources.ts';
import { quotaEvaluator, resourcesToJson } from './index.ts';

const BOTH = { useStatus: true, includeOverhead: true };
const cpu = (amount: string) => ({ requests: { cpu: amount }, limits: { cpu: amount } });

function pod(spec: object, status: object = {}, metadata: object = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', ...metadata },
    spec: { containers: [], ...spec },
    status,
  };
}
/** What the pod requests and is limited to, in this order. */
function totals(object: KubeObject, options = BOTH): readonly object[] {
  const typed = object as unknown as coreV1.Pod; // built as one above
  return [podRequests(typed, QUANTITIES, options), podLimits(typed, QUANTITIES, options)].map(
    resourcesToJson,
  );
}
const usage = (resource: string, object: KubeObject, nowMs = 0): object =>
  resourcesToJson(quotaEvaluator({ group: '', resource })?.usage(object, nowMs) ?? new Map());

test('a pod needs its containers together, or its largest init container beside the sidecars before it', () => {
  const containers = [
    { name: 'a', resources: cpu('100m') },
    { name: 'b', resources: cpu('200m') },
  ];
  const sidecar = { name: 's', restartPolicy: 'Always', resources: cpu('50m') };
  const init = (amount: string) => ({ name: 'i', resources: cpu(amount) });
  assert.deepEqual(totals(pod({ containers })), [{ cpu: '300m' }, { cpu: '300m' }]);
  assert.deepEqual(totals(pod({ containers, initContainers: [init('250m')] }))[0], { cpu: '300m' });
  assert.deepEqual(totals(pod({ containers, initContainers: [init('1')] }))[0], { cpu: '1' });
  assert.deepEqual(totals(pod({ containers, initContainers: [sidecar, init('1')] }))[0], { cpu: '1050m' });
  assert.deepEqual(totals(pod({ containers, initContainers: [init('1'), sidecar] }))[0], { cpu: '1' });
  assert.deepEqual(totals(pod({ containers, initContainers: [sidecar] }))[0], { cpu: '350m' });
});

test('what is set for the pod as a whole takes the place of its containers’ sum', () => {
  const containers = [{ name: 'a', resources: { requests: { cpu: '1', 'example.com/gpu': '1' } } }];
  assert.deepEqual(totals(pod({ containers, resources: { requests: { cpu: '2' } } }))[0], {
    cpu: '2',
    'example.com/gpu': '1',
  });
});

test('overhead is added to requests, and to limits that are set', () => {
  const containers = [{ name: 'a', resources: { requests: { cpu: '1' }, limits: { memory: '1Gi' } } }];
  const overhead = { cpu: '100m', memory: '1Gi' };
  assert.deepEqual(totals(pod({ containers, overhead })), [
    { cpu: '1100m', memory: '1Gi' },
    { memory: '2Gi' },
  ]);
  assert.deepEqual(totals(pod({ containers, overhead }), { ...BOTH, includeOverhead: false })[0], {
    cpu: '1',
  });
});

test('a container that still holds more than it asks for counts with that', () => {
  const containers = [{ name: 'a', resources: cpu('1') }];
  const status = {
    containerStatuses: [
      { name: 'a', resources: { requests: { cpu: '2' } }, allocatedResources: { cpu: '3' } },
    ],
  };
  assert.deepEqual(totals(pod({ containers }, status))[0], { cpu: '3' });
  assert.deepEqual(totals(pod({ containers }, status), { ...BOTH, useStatus: false })[0], { cpu: '1' });
  const conditions = [{ type: 'PodResizePending', reason: 'Infeasible' }];
  const bigger = [{ name: 'a', resources: cpu('9') }];
  assert.deepEqual(totals(pod({ containers: bigger }, { ...status, conditions }))[0], { cpu: '3' });
});

test('a pod uses its place, its requests under both names, and its limits', () => {
  const resources = { requests: { cpu: '1', 'example.com/gpu': '2' }, limits: { memory: '1Gi' } };
  assert.deepEqual(usage('pods', pod({ containers: [{ name: 'a', resources }] })), {
    'count/pods': '1',
    pods: '1',
    cpu: '1',
    'requests.cpu': '1',
    'limits.memory': '1Gi',
    'requests.example.com/gpu': '2',
  });
});

test('a pod that ended, or whose end is overdue, uses nothing but its place in the store', () => {
  assert.deepEqual(usage('pods', pod({}, { phase: 'Succeeded' })), { 'count/pods': '1' });
  const deleted = { deletionTimestamp: '1970-01-01T00:00:10Z', deletionGracePeriodSeconds: 30 };
  assert.deepEqual(usage('pods', pod({}, {}, deleted), 40_000), { 'count/pods': '1', pods: '1' });
  assert.deepEqual(usage('pods', pod({}, {}, deleted), 40_001), { 'count/pods': '1' });
});

test('services count node ports and load balancers', () => {
  const service = (spec: object): KubeObject => ({ apiVersion: 'v1', kind: 'Service', metadata: {}, spec });
  const count = (spec: object) => {
    const used = usage('services', service(spec)) as Record<string, string>;
    return [used['services'], used['services.nodeports'], used['services.loadbalancers']];
  };
  const ports = [{ port: 80 }, { port: 443, nodePort: 30_443 }];
  assert.deepEqual(count({ type: 'ClusterIP', ports }), ['1', '0', '0']);
  assert.deepEqual(count({ type: 'NodePort', ports }), ['1', '2', '0']);
  assert.deepEqual(count({ type: 'LoadBalancer', ports }), ['1', '2', '1']);
  assert.deepEqual(count({ type: 'LoadBalancer', ports, allocateLoadBalancerNodePorts: false }), [
    '1',
    '1',
    '1',
  ]);
});

test('a claim counts in all and in its class, with what is allocated if that is more', () => {
  const claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {},
    spec: { storageClassName: 'fast', resources: { requests: { storage: '1Gi' } } },
    status: { allocatedResources: { storage: '2Gi' } },
  };
  assert.deepEqual(usage('persistentvolumeclaims', claim), {
    persistentvolumeclaims: '1',
    'count/persistentvolumeclaims': '1',
    'requests.storage': '2Gi',
    'fast.storageclass.storage.k8s.io/persistentvolumeclaims': '1',
    'fast.storageclass.storage.k8s.io/requests.storage': '2Gi',
  });
});

test('everything else is counted, but what is computed or an event is not', () => {
  const any: KubeObject = { apiVersion: 'v1', kind: 'Any', metadata: {} };
  assert.deepEqual(usage('configmaps', any), { 'count/configmaps': '1', configmaps: '1' });
  const jobs = quotaEvaluator({ group: 'batch', resource: 'jobs' });
  assert.deepEqual(resourcesToJson(jobs?.usage(any, 0) ?? new Map()), { 'count/jobs.batch': '1' });
  assert.equal(quotaEvaluator({ group: '', resource: 'events' }), undefined);
  assert.equal(quotaEvaluator({ group: 'authentication.k8s.io', resource: 'tokenreviews' }), undefined);
});
