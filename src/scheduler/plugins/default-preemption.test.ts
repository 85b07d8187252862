import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { coreV1, policyV1 } from '#api';
import { seededRandom, VirtualClock } from '#testing';
import type { PostFilterResult, Snapshot } from '../framework.ts';
import { Nominations } from '../nominations.ts';
import { cacheOf, node, type PodShape, pod } from '../objects.fixture.ts';
import { SchedulingCycle } from '../scheduling-cycle.ts';
import { defaultPreemption } from './default-preemption.ts';
import { interPodAffinity } from './inter-pod-affinity.ts';
import { nodeAffinity } from './node-affinity.ts';
import { nodeResourcesFit } from './node-resources-fit.ts';

const PLUGINS = [nodeAffinity, nodeResourcesFit, interPodAffinity({ namespaceLabels: () => ({}) })];
const SMALL = { allocatable: { cpu: '2' } };

interface Setting {
  readonly budgets?: readonly policyV1.PodDisruptionBudget[];
  readonly nominations?: Nominations;
}

function preempt(snapshot: Snapshot, incoming: coreV1.Pod, setting: Setting = {}): PostFilterResult {
  const { budgets = [], nominations = new Nominations() } = setting;
  const result = new SchedulingCycle(PLUGINS, seededRandom(1)).findNode(incoming, snapshot, nominations);
  assert.ok(result.node === undefined, 'the pod fits without preemption');
  const plugin = defaultPreemption({
    view: { disruptionBudgets: () => budgets },
    clock: new VirtualClock(),
    random: seededRandom(1),
  });
  return plugin.postFilter?.(result.failed) ?? {};
}

const running = (name: string, on: string, priority: number, shape: PodShape = {}): coreV1.Pod =>
  pod(name, { on, priority, requests: { cpu: '1' }, startTime: '2026-01-01T00:00:00Z', ...shape });
const incoming = (shape: PodShape = {}): coreV1.Pod =>
  pod('urgent', { priority: 100, requests: { cpu: '1' }, ...shape });
const outcome = ({ nominatedNode, victims }: PostFilterResult): readonly (string | undefined)[] => [
  nominatedNode,
  ...(victims ?? []).map(({ metadata }) => metadata.name),
];

test('the least important pods go, and no more than needed', () => {
  const snapshot = cacheOf([node('a', SMALL)], [running('mid', 'a', 50), running('low', 'a', 10)]);
  assert.deepEqual(outcome(preempt(snapshot, incoming())), ['a', 'low']);
  assert.deepEqual(outcome(preempt(snapshot, incoming({ requests: { cpu: '2' } }))), ['a', 'mid', 'low']);
});

test('of equals the one that started last goes', () => {
  const snapshot = cacheOf(
    [node('a', SMALL)],
    [running('young', 'a', 10, { startTime: '2026-01-01T01:00:00Z' }), running('old', 'a', 10)],
  );
  assert.deepEqual(outcome(preempt(snapshot, incoming())), ['a', 'young']);
});

describe('why it does not help', () => {
  test('nobody there is less important', () => {
    const snapshot = cacheOf([node('a', SMALL)], [running('x', 'a', 100), running('y', 'a', 200)]);
    assert.deepEqual(preempt(snapshot, incoming()), {
      message: 'preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.',
      nominatedNode: '',
    });
  });

  test('the node is too small, or not meant for the pod', () => {
    const snapshot = cacheOf(
      [node('a', SMALL), node('b', SMALL)],
      [running('x', 'a', 1), running('y', 'b', 1)],
    );
    assert.equal(
      preempt(snapshot, incoming({ requests: { cpu: '3' } })).message,
      'preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.',
    );
  });

  test('those that could go are not enough', () => {
    const snapshot = cacheOf(
      [node('a', SMALL), node('b', { labels: { only: 'me' } })],
      [running('x', 'a', 1), running('y', 'a', 200)],
    );
    const spec = { nodeSelector: { 'kubernetes.io/hostname': 'a' } };
    assert.equal(
      preempt(snapshot, incoming({ requests: { cpu: '2' }, spec })).message,
      'preemption: 0/2 nodes are available: 1 Insufficient cpu, 1 Preemption is not helpful for scheduling.',
    );
  });

  test('the pod does not want it', () => {
    const snapshot = cacheOf([node('a', SMALL)], [running('x', 'a', 1), running('y', 'a', 1)]);
    assert.deepEqual(preempt(snapshot, incoming({ spec: { preemptionPolicy: 'Never' } })), {
      message: 'preemption: not eligible due to preemptionPolicy=Never.',
    });
  });

  test('earlier victims are still leaving', () => {
    const leaving = running('x', 'a', 1, {
      deleting: true,
      status: {
        conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }],
      },
    });
    const snapshot = cacheOf([node('a', SMALL)], [leaving, running('y', 'a', 1)]);
    const nominations = new Nominations();
    nominations.set(incoming(), 'a');
    assert.deepEqual(preempt(snapshot, incoming(), { nominations }), {
      message: 'preemption: not eligible due to a terminating pod on the nominated node.',
    });
  });
});

describe('of several nodes', () => {
  const two = [node('a', SMALL), node('b', SMALL)];
  const choose = (...pods: readonly coreV1.Pod[]): readonly (string | undefined)[] =>
    outcome(preempt(cacheOf(two, pods), incoming({ requests: { cpu: '2' } })));

  test('the one whose most important victim matters least', () => {
    assert.deepEqual(choose(running('x', 'a', 20), running('y', 'b', 10), running('z', 'b', 10)), [
      'b',
      'y',
      'z',
    ]);
  });

  test('then the one with the smaller sum of priorities', () => {
    assert.deepEqual(
      choose(running('x', 'a', 10), running('y', 'a', 9), running('z', 'b', 10), running('w', 'b', 1)),
      ['b', 'z', 'w'],
    );
  });

  test('then the one with fewer victims', () => {
    assert.deepEqual(
      choose(running('x', 'a', 10), running('y', 'a', 10), running('z', 'b', 10, { requests: { cpu: '2' } })),
      ['b', 'z'],
    );
  });

  test('then the one whose victims started last', () => {
    const late = { startTime: '2026-01-01T05:00:00Z' };
    assert.deepEqual(
      choose(
        running('x', 'a', 10, { ...late, requests: { cpu: '2' } }),
        running('y', 'b', 10, { requests: { cpu: '2' } }),
      ),
      ['a', 'x'],
    );
  });
});

describe('disruption budgets', () => {
  const budget = (
    disruptionsAllowed: number,
    disrupted: readonly string[] = [],
  ): policyV1.PodDisruptionBudget => ({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: {
      name: 'guard',
      namespace: 'default',
      uid: 'guard',
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: { selector: { matchLabels: { app: 'db' } } },
    status: {
      disruptionsAllowed,
      currentHealthy: 0,
      desiredHealthy: 0,
      expectedPods: 0,
      disruptedPods: Object.fromEntries(disrupted.map((name) => [name, '2026-01-01T00:00:00Z'])),
    },
  });
  const guarded = { labels: { app: 'db' } };

  test('are respected where others can go', () => {
    const snapshot = cacheOf(
      [node('a', SMALL)],
      [running('guarded', 'a', 1, guarded), running('free', 'a', 50)],
    );
    assert.deepEqual(outcome(preempt(snapshot, incoming(), { budgets: [budget(0)] })), ['a', 'free']);
    assert.deepEqual(outcome(preempt(snapshot, incoming(), { budgets: [budget(1)] })), ['a', 'guarded']);
  });

  test('decide between nodes before priorities do', () => {
    const snapshot = cacheOf(
      [node('a', SMALL), node('b', SMALL)],
      [
        running('guarded', 'a', 1, { ...guarded, requests: { cpu: '2' } }),
        running('free', 'b', 50, { requests: { cpu: '2' } }),
      ],
    );
    assert.deepEqual(outcome(preempt(snapshot, incoming(), { budgets: [budget(0)] })), ['b', 'free']);
  });

  test('do not save anybody when nothing else helps', () => {
    const snapshot = cacheOf(
      [node('a', SMALL)],
      [running('guarded', 'a', 1, { ...guarded, requests: { cpu: '2' } })],
    );
    assert.deepEqual(outcome(preempt(snapshot, incoming(), { budgets: [budget(0)] })), ['a', 'guarded']);
  });

  test('are not charged twice for a pod that is already disrupted', () => {
    const snapshot = cacheOf(
      [node('a', SMALL)],
      [running('guarded', 'a', 1, guarded), running('free', 'a', 50)],
    );
    const budgets = [budget(0, ['guarded'])];
    assert.deepEqual(outcome(preempt(snapshot, incoming(), { budgets })), ['a', 'guarded']);
  });
});

test('pods whose anti-affinity keeps the newcomer away go', () => {
  const spec: Partial<coreV1.PodSpec> = {
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'urgent' } } },
        ],
      },
    },
  };
  const snapshot = cacheOf([node('a')], [running('hermit', 'a', 1, { spec }), running('other', 'a', 1)]);
  const result = preempt(snapshot, incoming({ labels: { app: 'urgent' } }));
  assert.deepEqual(outcome(result), ['a', 'hermit']);
});

test('room held for another pod of the same importance is not counted on', () => {
  const nominations = new Nominations();
  nominations.set(pod('first', { priority: 100, requests: { cpu: '1' } }), 'a');
  const snapshot = cacheOf([node('a', SMALL)], [running('x', 'a', 1), running('y', 'a', 2)]);
  assert.deepEqual(outcome(preempt(snapshot, incoming(), { nominations })), ['a', 'y', 'x']);
});

test('trying out changes nothing', () => {
  const snapshot = cacheOf([node('a', SMALL)], [running('x', 'a', 1), running('y', 'a', 2)]);
  preempt(snapshot, incoming());
  assert.deepEqual([snapshot.get('a')?.podCount, snapshot.get('a')?.requested.milliCpu], [2, 2000]);
});
