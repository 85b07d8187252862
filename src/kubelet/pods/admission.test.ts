import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { coreV1 } from '#api';
import { admissionFailure } from './admission.ts';
import { testPod } from './pod.fixture.ts';

const node = (more: Partial<coreV1.Node> = {}): coreV1.Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: 'n',
    uid: 'n',
    resourceVersion: '1',
    creationTimestamp: '',
    labels: { disk: 'ssd', rank: '5' },
  },
  spec: {},
  status: { allocatable: { cpu: '2', memory: '4Gi', pods: '3' } },
  ...more,
});
const asking = (requests: Record<string, string>, more: Partial<coreV1.Container> = {}): coreV1.Pod =>
  testPod({ containers: [{ name: 'app', resources: { requests }, ...more }] });

test('A pod that fits is taken', () => {
  assert.equal(
    admissionFailure(asking({ cpu: '1', memory: '1Gi' }), node(), [asking({ cpu: '1' })]),
    undefined,
  );
});

test('A pod that asks for more than is left is refused with the numbers', () => {
  assert.deepEqual(admissionFailure(asking({ cpu: '1500m' }), node(), [asking({ cpu: '1' })]), {
    reason: 'OutOfcpu',
    message: "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000",
  });
  assert.equal(admissionFailure(asking({ memory: '5Gi' }), node(), [])?.reason, 'OutOfmemory');
  assert.deepEqual(admissionFailure(testPod(), node(), [testPod(), testPod(), testPod()]), {
    reason: 'OutOfpods',
    message: "Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3",
  });
});

test('Extended resources that the node does not know are not its business', () => {
  assert.equal(admissionFailure(asking({ 'example.com/gpu': '1' }), node(), []), undefined);
});

test('An init container counts while it runs alone, sidecars all along', () => {
  const cpu = (amount: string): { resources: coreV1.ResourceRequirements } => ({
    resources: { requests: { cpu: amount } },
  });
  const pod = testPod({
    initContainers: [
      { name: 's', restartPolicy: 'Always', ...cpu('500m') },
      { name: 'i', ...cpu('1600m') },
    ],
    containers: [{ name: 'app', ...cpu('1') }],
  });
  assert.equal(
    admissionFailure(pod, node(), [])?.message,
    "Node didn't have enough resource: cpu, requested: 2100, used: 0, capacity: 2000",
  );
});

test('A pod whose selector or affinity does not fit is refused', () => {
  const failure = {
    reason: 'NodeAffinity',
    message: "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
  };
  assert.deepEqual(admissionFailure(testPod({ nodeSelector: { disk: 'hdd' } }), node(), []), failure);
  const affinity = (operator: string, values: readonly string[], key = 'rank'): coreV1.Pod =>
    testPod({
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key, operator: operator as 'In', values }] }],
          },
        },
      },
    });
  assert.deepEqual(admissionFailure(affinity('Gt', ['5']), node(), []), failure);
  assert.equal(admissionFailure(affinity('Gt', ['4']), node(), []), undefined);
  assert.equal(admissionFailure(affinity('NotIn', ['hdd'], 'none'), node(), []), undefined);
});

test('A host port can be had only once per address', () => {
  const port = (hostIP?: string): coreV1.Pod =>
    testPod({
      containers: [
        {
          name: 'app',
          ports: [{ containerPort: 80, hostPort: 8080, ...(hostIP === undefined ? {} : { hostIP }) }],
        },
      ],
    });
  assert.equal(admissionFailure(port(), node(), [port('10.0.0.1')])?.reason, 'NodePorts');
  assert.equal(admissionFailure(port('10.0.0.2'), node(), [port('10.0.0.1')]), undefined);
});

test('A taint that evicts keeps pods away that do not tolerate it', () => {
  const tainted = node({ spec: { taints: [{ key: 'k', value: 'v', effect: 'NoExecute' }] } });
  assert.equal(
    admissionFailure(testPod(), tainted, [])?.message,
    "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate",
  );
  assert.equal(
    admissionFailure(testPod({ tolerations: [{ key: 'k', value: 'v' }] }), tainted, []),
    undefined,
  );
  assert.equal(admissionFailure(testPod({ tolerations: [{ operator: 'Exists' }] }), tainted, []), undefined);
  const noSchedule = node({ spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] } });
  assert.equal(admissionFailure(testPod(), noSchedule, []), undefined);
});
