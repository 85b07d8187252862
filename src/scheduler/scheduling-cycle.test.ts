import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { coreV1 } from '#api';
import { seededRandom } from '#testing';
import type { Snapshot, SchedulerPlugin } from './framework.ts';
import { Nominations } from './nominations.ts';
import { cacheOf, node, type PodShape, pod } from './objects.fixture.ts';
import { nodeAffinity } from './plugins/node-affinity.ts';
import { nodeResourcesFit } from './plugins/node-resources-fit.ts';
import { nodeUnschedulable } from './plugins/node-unschedulable.ts';
import { taintToleration } from './plugins/taint-toleration.ts';
import { type CycleResult, SchedulingCycle } from './scheduling-cycle.ts';

const PLUGINS = [nodeUnschedulable, taintToleration, nodeAffinity, nodeResourcesFit];

interface Attempt {
  readonly plugins?: readonly SchedulerPlugin[];
  readonly nominations?: Nominations;
}

function attempt(snapshot: Snapshot, incoming: coreV1.Pod, options: Attempt = {}): CycleResult {
  const { plugins = PLUGINS, nominations = new Nominations() } = options;
  return new SchedulingCycle(plugins, seededRandom(1)).findNode(incoming, snapshot, nominations);
}

function messageOf(result: CycleResult): string {
  assert.ok(result.node === undefined);
  return result.message;
}

describe('the explanation', () => {
  test('counts nodes per reason and sorts the reasons as text', () => {
    const snapshot = cacheOf([
      node('a', { unschedulable: true }),
      node('b', { allocatable: { cpu: '1' } }),
      node('c', { unschedulable: true }),
    ]);
    const result = attempt(snapshot, pod('p', { requests: { cpu: '2' } }));
    assert.equal(
      messageOf(result),
      '0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.',
    );
    assert.deepEqual(
      new Set(result.node === undefined ? result.rejectedBy : []),
      new Set(['NodeUnschedulable', 'NodeResourcesFit']),
    );
  });

  test('names everything a node lacks', () => {
    const snapshot = cacheOf([node('a', { allocatable: { cpu: '1', memory: '1Gi', pods: '0' } })]);
    const requests = { cpu: '2', memory: '2Gi', 'ephemeral-storage': '1Gi', 'example.com/gpu': '1' };
    assert.equal(
      messageOf(attempt(snapshot, pod('p', { requests }))),
      '0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient ephemeral-storage, ' +
        '1 Insufficient example.com/gpu, 1 Insufficient memory, 1 Too many pods.',
    );
  });

  test('says when there are no nodes at all', () => {
    assert.equal(messageOf(attempt(cacheOf([]), pod('p'))), 'no nodes available to schedule pods');
  });

  test('accounts for nodes that the pod does not even ask for', () => {
    const spec: Partial<coreV1.PodSpec> = {
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['b'] }] }],
          },
        },
      },
    };
    const snapshot = cacheOf([node('a'), node('b', { allocatable: { cpu: '1' } }), node('c')]);
    assert.equal(
      messageOf(attempt(snapshot, pod('p', { requests: { cpu: '2' }, spec }))),
      "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity].",
    );
    assert.equal(attempt(snapshot, pod('p', { spec })).node?.name, 'b');
  });

  test('is the plugin’s own when the pod itself is not ready', () => {
    const plugin: SchedulerPlugin = {
      name: 'Storage',
      filterFor: () => ({ podRejected: 'pod has no disk' }),
    };
    const result = attempt(cacheOf([node('a'), node('b')]), pod('p'), { plugins: [plugin] });
    assert.equal(messageOf(result), '0/2 nodes are available: pod has no disk.');
  });
});

test('nodes that are equally good are chosen equally often', () => {
  const snapshot = cacheOf([node('a'), node('b'), node('c')]);
  const cycle = new SchedulingCycle(PLUGINS, seededRandom(7));
  const counts = new Map<string, number>();
  for (let i = 0; i < 600; i++) {
    const name = cycle.findNode(pod('p'), snapshot, new Nominations()).node?.name ?? '';
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  for (const name of ['a', 'b', 'c'])
    assert.ok(Math.abs((counts.get(name) ?? 0) - 200) < 50, `${name}: ${counts.get(name) ?? 0}`);
});

test('weights decide between plugins that disagree', () => {
  const prefers = (name: string, weight: number): SchedulerPlugin => ({
    name: `Likes ${name}`,
    scorerFor: () => ({ weight, score: (one) => (one.name === name ? 100 : 0) }),
  });
  const result = attempt(cacheOf([node('a'), node('b')]), pod('p'), {
    plugins: [prefers('a', 2), prefers('b', 3)],
  });
  assert.equal(result.node?.name, 'b');
});

test('in a large cluster enough feasible nodes end the search, and the next one begins where it stopped', () => {
  const snapshot = cacheOf(Array.from({ length: 1_000 }, (_, i) => node(`n${i}`)));
  const seen: string[] = [];
  const spy: SchedulerPlugin = {
    name: 'Spy',
    filterFor: () => ({
      check(one) {
        seen.push(one.name);
        return undefined;
      },
    }),
  };
  const cycle = new SchedulingCycle([spy], seededRandom(1));
  cycle.findNode(pod('p'), snapshot, new Nominations());
  // 50 % less 1 for each 125 nodes.
  assert.equal(seen.length, 420);
  cycle.findNode(pod('q'), snapshot, new Nominations());
  assert.equal(seen[420], 'n420');
});

describe('a node held for another pod', () => {
  const full = cacheOf([node('a', { allocatable: { cpu: '1' } })]);
  const asking = (name: string, shape: PodShape = {}): coreV1.Pod =>
    pod(name, { requests: { cpu: '1' }, ...shape });

  function held(priority: number): Nominations {
    const nominations = new Nominations();
    nominations.set(asking('waiting', { priority }), 'a');
    return nominations;
  }

  test('is closed to pods that are not more important', () => {
    const result = attempt(full, asking('p', { priority: 5 }), { nominations: held(5) });
    assert.equal(messageOf(result), '0/1 nodes are available: 1 Insufficient cpu.');
  });

  test('is open to pods that are', () => {
    assert.equal(attempt(full, asking('p', { priority: 6 }), { nominations: held(5) }).node?.name, 'a');
  });

  test('is open to the pod it is held for, and tried first', () => {
    const nominations = held(5);
    const snapshot = cacheOf([node('b'), node('a'), node('c')]);
    const waiting = asking('waiting', { priority: 5 });
    assert.equal(attempt(snapshot, waiting, { nominations }).node?.name, 'a');
  });
});
