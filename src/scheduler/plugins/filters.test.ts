import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { coreV1 } from '#api';
import type { ClusterEvent, SchedulerPlugin } from '../framework.ts';
import { cacheOf, node, pod, rejections, scores } from '../objects.fixture.ts';
import { imageLocality } from './image-locality.ts';
import { nodeAffinity } from './node-affinity.ts';
import { nodeName } from './node-name.ts';
import { nodePorts } from './node-ports.ts';
import { nodeResourcesBalancedAllocation, nodeResourcesFit } from './node-resources-fit.ts';
import { nodeUnschedulable } from './node-unschedulable.ts';
import { schedulingGates } from './scheduling-gates.ts';
import { taintToleration } from './taint-toleration.ts';

const helps = (plugin: SchedulerPlugin, event: ClusterEvent, incoming: coreV1.Pod): boolean | undefined =>
  plugin.mayHelp?.(event, incoming);

test('a cordoned node is for those that tolerate the cordon', () => {
  const snapshot = cacheOf([node('a', { unschedulable: true }), node('b')]);
  const tolerations = [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists' }] as const;
  assert.deepEqual(rejections(nodeUnschedulable, pod('p'), snapshot), { a: 'node(s) were unschedulable' });
  assert.deepEqual(rejections(nodeUnschedulable, pod('p', { spec: { tolerations } }), snapshot), {});
  const uncordoned = {
    type: 'node-updated',
    node: node('a'),
    old: node('a', { unschedulable: true }),
  } as const;
  assert.ok(helps(nodeUnschedulable, uncordoned, pod('p')));
  assert.ok(!helps(nodeUnschedulable, { ...uncordoned, node: uncordoned.old }, pod('p')));
});

test('a pod that names its node fits only there', () => {
  const snapshot = cacheOf([node('a'), node('b')]);
  assert.deepEqual(rejections(nodeName, pod('p', { on: 'b' }), snapshot), {
    a: "node(s) didn't match the requested node name",
  });
});

test('host ports in use keep others away', () => {
  const spec = { containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80 }] }] };
  const snapshot = cacheOf([node('a'), node('b')], [pod('there', { on: 'a', spec })]);
  assert.deepEqual(rejections(nodePorts, pod('p', { spec }), snapshot), {
    a: "node(s) didn't have free ports for the requested pod ports",
  });
  assert.deepEqual(rejections(nodePorts, pod('p'), snapshot), {});
  assert.ok(
    helps(nodePorts, { type: 'assigned-pod-deleted', pod: pod('there', { spec }) }, pod('p', { spec })),
  );
  assert.ok(!helps(nodePorts, { type: 'assigned-pod-deleted', pod: pod('other') }, pod('p', { spec })));
});

test('a gated pod says which gates it waits for', () => {
  const spec = { schedulingGates: [{ name: 'a' }, { name: 'b' }] };
  assert.equal(schedulingGates.gate?.(pod('p', { spec })), 'waiting for scheduling gates: [a b]');
  assert.equal(schedulingGates.gate?.(pod('p')), undefined);
});

describe('taints and tolerations', () => {
  const taint = (effect: coreV1.Taint['effect'], value?: string): coreV1.Taint => ({
    key: 'dedicated',
    effect,
    ...(value === undefined ? {} : { value }),
  });
  const cases: readonly (readonly [string, coreV1.Taint, readonly coreV1.Toleration[], boolean])[] = [
    ['NoSchedule keeps pods off', taint('NoSchedule'), [], false],
    ['NoExecute keeps pods off', taint('NoExecute'), [], false],
    ['PreferNoSchedule does not', taint('PreferNoSchedule'), [], true],
    [
      'equal key, value and effect',
      taint('NoSchedule', 'x'),
      [{ key: 'dedicated', value: 'x', effect: 'NoSchedule' }],
      true,
    ],
    ['another value', taint('NoSchedule', 'x'), [{ key: 'dedicated', operator: 'Equal', value: 'y' }], false],
    ['Exists takes any value', taint('NoSchedule', 'x'), [{ key: 'dedicated', operator: 'Exists' }], true],
    ['no effect means every effect', taint('NoExecute', 'x'), [{ key: 'dedicated', value: 'x' }], true],
    [
      'another effect',
      taint('NoExecute'),
      [{ key: 'dedicated', operator: 'Exists', effect: 'NoSchedule' }],
      false,
    ],
    ['no key with Exists takes everything', taint('NoExecute', 'x'), [{ operator: 'Exists' }], true],
    [
      'comparisons are not enabled',
      taint('NoSchedule', '5'),
      [{ key: 'dedicated', operator: 'Gt', value: '3' }],
      false,
    ],
  ];
  for (const [title, one, tolerations, fits] of cases) {
    test(title, () => {
      const snapshot = cacheOf([node('a', { taints: [one] })]);
      assert.deepEqual(
        rejections(taintToleration, pod('p', { spec: { tolerations } }), snapshot),
        fits ? {} : { a: 'node(s) had untolerated taint(s)' },
      );
    });
  }

  test('the fewer untolerated PreferNoSchedule taints the better', () => {
    const snapshot = cacheOf([
      node('a', { taints: [taint('PreferNoSchedule'), { key: 'other', effect: 'PreferNoSchedule' }] }),
      node('b', { taints: [taint('PreferNoSchedule')] }),
      node('c'),
    ]);
    assert.deepEqual(scores(taintToleration, pod('p'), snapshot), { a: 0, b: 50, c: 100 });
    assert.equal(scores(taintToleration, pod('p'), cacheOf([node('c')])), undefined);
  });

  test('only a node whose taints become tolerable helps', () => {
    const event = (now: readonly coreV1.Taint[], old: readonly coreV1.Taint[]): ClusterEvent => ({
      type: 'node-updated',
      node: node('a', { taints: now }),
      old: node('a', { taints: old }),
    });
    assert.ok(helps(taintToleration, event([], [taint('NoSchedule')]), pod('p')));
    assert.ok(!helps(taintToleration, event([taint('NoExecute')], [taint('NoSchedule')]), pod('p')));
    assert.ok(!helps(taintToleration, event([], []), pod('p')));
  });
});

describe('node affinity', () => {
  const MISMATCH = "node(s) didn't match Pod's node affinity/selector";
  const requiring = (...nodeSelectorTerms: readonly coreV1.NodeSelectorTerm[]): coreV1.Pod =>
    pod('p', {
      spec: {
        affinity: {
          nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } },
        },
      },
    });
  const snapshot = cacheOf([
    node('a', { labels: { disk: 'ssd', size: '10' } }),
    node('b', { labels: { disk: 'hdd' } }),
    node('c'),
  ]);
  const fitting = (incoming: coreV1.Pod): readonly string[] => {
    const rejected = rejections(nodeAffinity, incoming, snapshot);
    for (const reason of Object.values(rejected)) assert.equal(reason, MISMATCH);
    return ['a', 'b', 'c'].filter((name) => rejected[name] === undefined);
  };
  const expression = (
    key: string,
    operator: coreV1.NodeSelectorRequirement['operator'],
    ...values: readonly string[]
  ): coreV1.NodeSelectorTerm => ({ matchExpressions: [{ key, operator, values }] });

  const cases: readonly (readonly [string, coreV1.Pod, readonly string[]])[] = [
    ['nodeSelector wants the exact label', pod('p', { spec: { nodeSelector: { disk: 'ssd' } } }), ['a']],
    ['In', requiring(expression('disk', 'In', 'ssd', 'hdd')), ['a', 'b']],
    ['NotIn also takes nodes without the label', requiring(expression('disk', 'NotIn', 'ssd')), ['b', 'c']],
    ['Exists', requiring(expression('disk', 'Exists')), ['a', 'b']],
    ['DoesNotExist', requiring(expression('disk', 'DoesNotExist')), ['c']],
    ['Gt compares numbers', requiring(expression('size', 'Gt', '9')), ['a']],
    ['Lt compares numbers', requiring(expression('size', 'Lt', '10')), []],
    [
      'terms are alternatives',
      requiring(expression('disk', 'In', 'hdd'), expression('size', 'Exists')),
      ['a', 'b'],
    ],
    ['an empty term matches nothing', requiring({}), []],
    [
      'expressions of a term must all hold',
      requiring({
        matchExpressions: [
          { key: 'disk', operator: 'Exists' },
          { key: 'size', operator: 'DoesNotExist' },
        ],
      }),
      ['b'],
    ],
  ];
  for (const [title, incoming, expected] of cases) {
    test(title, () => assert.deepEqual(fitting(incoming), expected));
  }

  test('terms that name no possible node reject the pod as such', () => {
    const impossible = requiring({
      matchFields: [
        { key: 'metadata.name', operator: 'In', values: ['a'] },
        { key: 'metadata.name', operator: 'In', values: ['b'] },
      ],
    });
    assert.deepEqual(nodeAffinity.filterFor?.(impossible, snapshot), {
      podRejected: 'pod affinity terms conflict',
    });
  });

  test('preferred terms add up', () => {
    const preferredDuringSchedulingIgnoredDuringExecution = [
      { weight: 80, preference: expression('disk', 'In', 'ssd') },
      { weight: 20, preference: expression('disk', 'Exists') },
    ];
    const incoming = pod('p', {
      spec: { affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution } } },
    });
    assert.deepEqual(scores(nodeAffinity, incoming, snapshot), { a: 100, b: 20, c: 0 });
  });

  test('a node that gets the label helps, another does not', () => {
    const incoming = pod('p', { spec: { nodeSelector: { disk: 'ssd' } } });
    const updated = (labels: Record<string, string>): ClusterEvent => ({
      type: 'node-updated',
      node: node('c', { labels }),
      old: node('c'),
    });
    assert.ok(helps(nodeAffinity, updated({ disk: 'ssd' }), incoming));
    assert.ok(!helps(nodeAffinity, updated({ disk: 'nvme' }), incoming));
  });
});

describe('resources', () => {
  test('what pods on the node ask for is taken', () => {
    const snapshot = cacheOf(
      [node('a', { allocatable: { cpu: '2' } })],
      [pod('x', { on: 'a', requests: { cpu: '1' } })],
    );
    assert.deepEqual(rejections(nodeResourcesFit, pod('p', { requests: { cpu: '1' } }), snapshot), {});
    assert.deepEqual(rejections(nodeResourcesFit, pod('p', { requests: { cpu: '1001m' } }), snapshot), {
      a: 'Insufficient cpu',
    });
  });

  test('a node too small even when empty cannot be helped by evictions', () => {
    const snapshot = cacheOf(
      [node('a', { allocatable: { cpu: '2' } })],
      [pod('x', { on: 'a', requests: { cpu: '1' } })],
    );
    const filter = (cpu: string) => {
      const made = nodeResourcesFit.filterFor?.(pod('p', { requests: { cpu } }), snapshot);
      assert.ok(made !== undefined && 'check' in made);
      const [only] = snapshot.nodes;
      assert.ok(only !== undefined);
      return made.check(only)?.unresolvable;
    };
    assert.deepEqual([filter('2'), filter('3')], [false, true]);
  });

  test('a pod count of zero room is reported even for pods that ask for nothing', () => {
    const snapshot = cacheOf([node('a', { allocatable: { pods: '1' } })], [pod('x', { on: 'a' })]);
    assert.deepEqual(rejections(nodeResourcesFit, pod('p'), snapshot), { a: 'Too many pods' });
  });

  test('extended resources the node does not have are insufficient', () => {
    const requests = { 'example.com/fpga': '1' };
    const snapshot = cacheOf([node('a'), node('b', { allocatable: { 'example.com/fpga': '1' } })]);
    assert.deepEqual(rejections(nodeResourcesFit, pod('p', { requests }), snapshot), {
      a: 'Insufficient example.com/fpga',
    });
  });

  test('the share that stays free decides, and kinds the node does not have do not count', () => {
    const snapshot = cacheOf(
      [
        node('a', { allocatable: { cpu: '4', memory: '8Gi' } }),
        node('b', { allocatable: { cpu: '4', memory: '0' } }),
      ],
      [pod('x', { on: 'a', requests: { cpu: '1', memory: '1Gi' } })],
    );
    const incoming = pod('p', { requests: { cpu: '1', memory: '1Gi' } });
    // a: half of the CPU and three quarters of the memory stay free; b: three quarters of the CPU.
    assert.deepEqual(scores(nodeResourcesFit, incoming, snapshot), { a: 62, b: 75 });
  });

  test('a pod is drawn to where it evens out what is used', () => {
    const snapshot = cacheOf(
      [
        node('a', { allocatable: { cpu: '4', memory: '4Gi' } }),
        node('b', { allocatable: { cpu: '4', memory: '4Gi' } }),
      ],
      [pod('x', { on: 'a', requests: { memory: '2Gi' } }), pod('y', { on: 'b', requests: { cpu: '2' } })],
    );
    const incoming = pod('p', { requests: { cpu: '2' } });
    // a becomes even (75 → 100), b lopsided (75 → 50).
    assert.deepEqual(scores(nodeResourcesBalancedAllocation, incoming, snapshot), { a: 87, b: 62 });
    assert.equal(scores(nodeResourcesBalancedAllocation, pod('p'), snapshot), undefined);
  });

  test('a node that would be too small even when empty does not help', () => {
    const incoming = pod('p', { requests: { cpu: '8' } });
    const added = (cpu: string): ClusterEvent => ({
      type: 'node-added',
      node: node('n', { allocatable: { cpu } }),
    });
    assert.ok(helps(nodeResourcesFit, added('8'), incoming));
    assert.ok(!helps(nodeResourcesFit, added('4'), incoming));
    assert.ok(helps(nodeResourcesFit, { type: 'assigned-pod-deleted', pod: pod('x') }, incoming));
  });
});

test('nodes that have large images already are preferred, more so when many have them', () => {
  const image = (sizeMib: number) => [{ names: ['web:latest'], sizeBytes: sizeMib * 1024 * 1024 }];
  const snapshot = cacheOf([
    node('a', { images: image(500) }),
    node('b', { images: image(500) }),
    node('c'),
    node('d'),
  ]);
  // 500 MiB on half of the nodes count as 250; from 23 to 1000 MiB that is 23 %.
  assert.deepEqual(scores(imageLocality, pod('p'), snapshot), { a: 23, b: 23, c: 0, d: 0 });
  assert.equal(scores(imageLocality, pod('p'), cacheOf([node('a')])), undefined);
});
