import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { coreV1 } from '#api';
import { podsToDelete } from './deletion-order.ts';

const NOW = Date.UTC(2026, 0, 1, 12);

interface PodShape {
  readonly node?: string;
  readonly phase?: 'Pending' | 'Running';
  readonly readySinceHours?: number;
  readonly cost?: string;
  readonly restarts?: number;
  readonly createdHoursAgo?: number;
}

const hoursAgo = (hours: number): string => new Date(NOW - hours * 3_600_000).toISOString();

function pod(name: string, shape: PodShape = {}): coreV1.Pod {
  const {
    node = `node-of-${name}`,
    phase = 'Running',
    readySinceHours = 1,
    cost,
    restarts = 0,
    createdHoursAgo = 2,
  } = shape;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      uid: name,
      resourceVersion: '1',
      creationTimestamp: hoursAgo(createdHoursAgo),
      ...(cost === undefined ? {} : { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } }),
    },
    spec: { containers: [], nodeName: node },
    status: {
      phase,
      conditions:
        readySinceHours < 0
          ? []
          : [{ type: 'Ready', status: 'True', lastTransitionTime: hoursAgo(readySinceHours) }],
      containerStatuses: [{ name: 'c', ready: true, restartCount: restarts, image: '', imageID: '' }],
    },
  };
}

/** Names in the order in which they would go. */
function order(...pods: readonly coreV1.Pod[]): readonly string[] {
  const names: string[] = [];
  let left = [...pods];
  while (left.length > 1) {
    const [next] = podsToDelete(left, pods, 1, NOW);
    assert.ok(next !== undefined);
    names.push(next.metadata.name);
    left = left.filter((other) => other !== next);
  }
  return [...names, ...left.map(({ metadata }) => metadata.name)];
}

test('those without a node go first, then pending, then not ready', () => {
  assert.deepEqual(
    order(
      pod('ready'),
      pod('not-ready', { readySinceHours: -1 }),
      pod('pending', { phase: 'Pending', readySinceHours: -1 }),
      pod('unassigned', { node: '', phase: 'Pending', readySinceHours: -1 }),
    ),
    ['unassigned', 'pending', 'not-ready', 'ready'],
  );
});

test('a lower deletion cost goes first, and one that is not a number is 0', () => {
  assert.deepEqual(
    order(pod('dear', { cost: '10' }), pod('odd', { cost: 'x' }), pod('cheap', { cost: '-5' })),
    ['cheap', 'odd', 'dear'],
  );
});

test('of pods alike the one that shares its node with most of its kind goes first', () => {
  const [first] = podsToDelete(
    [pod('alone', { node: 'a' }), pod('crowded', { node: 'b' }), pod('too', { node: 'b' })],
    [pod('alone', { node: 'a' }), pod('crowded', { node: 'b' }), pod('too', { node: 'b' })],
    1,
    NOW,
  );
  assert.equal(first?.spec.nodeName, 'b');
});

test('the more recently ready, the more often restarted and the younger go first', () => {
  assert.deepEqual(order(pod('long', { readySinceHours: 40 }), pod('short', { readySinceHours: 1 })), [
    'short',
    'long',
  ]);
  assert.deepEqual(order(pod('steady'), pod('restarting', { restarts: 3 })), ['restarting', 'steady']);
  assert.deepEqual(order(pod('old', { createdHoursAgo: 90 }), pod('young', { createdHoursAgo: 2 })), [
    'young',
    'old',
  ]);
});

test('ages of the same order of magnitude count as the same', () => {
  const pods = [pod('b', { readySinceHours: 1.1 }), pod('a', { readySinceHours: 1.2 })];
  assert.deepEqual(order(...pods), ['a', 'b']);
});
