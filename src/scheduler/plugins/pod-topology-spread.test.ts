import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { coreV1 } from '#api';
import type { LabelSelectorObject } from '#machinery';
import { cacheOf, filterOf, node, type PodShape, pod, rejections, scores } from '../objects.fixture.ts';
import { podTopologySpread } from './pod-topology-spread.ts';

const plugin = podTopologySpread({ groupSelector: () => undefined });
const SKEWED = "node(s) didn't match pod topology spread constraints";
const UNLABELLED = `${SKEWED} (missing required label)`;

/** Zone x: a, b. Zone y: c. */
const NODES = [
  node('a', { labels: { zone: 'x' } }),
  node('b', { labels: { zone: 'x' } }),
  node('c', { labels: { zone: 'y' } }),
];
const WEB = { labels: { app: 'web' } };
const web = (name: string, on: string, shape: PodShape = {}): coreV1.Pod =>
  pod(name, { ...WEB, on, ...shape });
const constrained = (more: Partial<coreV1.TopologySpreadConstraint> = {}, shape: PodShape = {}): coreV1.Pod =>
  pod('p', {
    ...WEB,
    ...shape,
    spec: {
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: 'zone',
          whenUnsatisfiable: 'DoNotSchedule',
          labelSelector: { matchLabels: WEB.labels },
          ...more,
        },
      ],
      ...shape.spec,
    },
  });

describe('hard constraints', () => {
  test('keep the difference between domains within maxSkew', () => {
    const snapshot = cacheOf(NODES, [web('1', 'a'), web('2', 'c'), web('3', 'b')]);
    assert.deepEqual(rejections(plugin, constrained(), snapshot), { a: SKEWED, b: SKEWED });
    assert.deepEqual(rejections(plugin, constrained({ maxSkew: 2 }), snapshot), {});
  });

  test('reject nodes without the label', () => {
    assert.deepEqual(rejections(plugin, constrained(), cacheOf([...NODES, node('d')])), { d: UNLABELLED });
  });

  test('count neither terminating pods nor those of other namespaces', () => {
    const snapshot = cacheOf(NODES, [
      web('1', 'a', { deleting: true }),
      web('2', 'b', { namespace: 'other' }),
    ]);
    assert.deepEqual(rejections(plugin, constrained(), snapshot), {});
  });

  test('take missing domains for empty ones when minDomains says so', () => {
    const snapshot = cacheOf(NODES, [web('1', 'a'), web('2', 'c')]);
    assert.deepEqual(rejections(plugin, constrained({ minDomains: 2 }), snapshot), {});
    assert.deepEqual(rejections(plugin, constrained({ minDomains: 3 }), snapshot), {
      a: SKEWED,
      b: SKEWED,
      c: SKEWED,
    });
  });

  test('do not count nodes the pod cannot go to, unless told to', () => {
    const snapshot = cacheOf(NODES, [web('1', 'a')]);
    const spec = { nodeSelector: { zone: 'x' } };
    assert.deepEqual(rejections(plugin, constrained({}, { spec }), snapshot), {});
    assert.deepEqual(
      Object.keys(rejections(plugin, constrained({ nodeAffinityPolicy: 'Ignore' }, { spec }), snapshot)),
      ['a', 'b'],
    );
  });

  test('count tainted nodes, unless told not to', () => {
    const tainted = node('c', { labels: { zone: 'y' }, taints: [{ key: 'k', effect: 'NoSchedule' }] });
    const snapshot = cacheOf([NODES[0] ?? node('a'), tainted], [web('1', 'a')]);
    assert.deepEqual(rejections(plugin, constrained(), snapshot), { a: SKEWED });
    assert.deepEqual(rejections(plugin, constrained({ nodeTaintsPolicy: 'Honor' }), snapshot), {});
  });

  test('matchLabelKeys compare with the pod’s own value', () => {
    const version = (value: string): PodShape => ({ labels: { app: 'web', version: value } });
    const snapshot = cacheOf(NODES, [web('1', 'a', version('1')), web('2', 'b', version('1'))]);
    const matchLabelKeys = ['version'];
    assert.deepEqual(rejections(plugin, constrained({ matchLabelKeys }, version('2')), snapshot), {});
    assert.deepEqual(rejections(plugin, constrained({ matchLabelKeys }, version('1')), snapshot), {
      a: SKEWED,
      b: SKEWED,
    });
  });

  test('follow what is only pretended', () => {
    const snapshot = cacheOf(NODES, [web('1', 'a')]);
    const filter = filterOf(plugin, constrained(), snapshot);
    const [a] = snapshot.nodes;
    assert.ok(a !== undefined);
    assert.ok(filter.check(a) !== undefined);
    filter.pretend?.(web('1', 'a'), a, -1);
    assert.equal(filter.check(a), undefined);
    filter.pretend?.(web('1', 'a'), a, 1);
    assert.ok(filter.check(a) !== undefined);
  });
});

describe('soft constraints', () => {
  test('prefer the emptier domain', () => {
    const snapshot = cacheOf(NODES, [web('1', 'a'), web('2', 'b'), web('3', 'c')]);
    const incoming = constrained({ whenUnsatisfiable: 'ScheduleAnyway' });
    // Two pods weigh 3 in zone x (2 × ln 4), one weighs 1 in zone y.
    assert.deepEqual(scores(plugin, incoming, snapshot), { a: 33, b: 33, c: 100 });
    assert.deepEqual(rejections(plugin, incoming, snapshot), {});
  });

  test('do not consider nodes that lack a label', () => {
    const incoming = constrained({ whenUnsatisfiable: 'ScheduleAnyway' });
    assert.deepEqual(scores(plugin, incoming, cacheOf([...NODES, node('d')], [web('1', 'a')])), {
      a: 0,
      b: 0,
      c: 100,
      d: 0,
    });
  });
});

describe('pods without constraints', () => {
  const grouping = podTopologySpread({
    groupSelector: ({ metadata }): LabelSelectorObject | undefined =>
      metadata.labels === undefined ? undefined : { matchLabels: metadata.labels },
  });

  test('are spread over hosts with others of their group', () => {
    const snapshot = cacheOf([node('a'), node('b')], [web('1', 'a'), web('2', 'a'), web('3', 'b')]);
    const given = scores(grouping, pod('p', WEB), snapshot);
    assert.ok(given !== undefined && (given['b'] ?? 0) > (given['a'] ?? 0), JSON.stringify(given));
  });

  test('are not when they belong to no group', () => {
    assert.equal(scores(grouping, pod('p'), cacheOf([node('a'), node('b')])), undefined);
  });
});
