import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { coreV1 } from '#api';
import { cacheOf, filterOf, node, type PodShape, pod, rejections, scores } from '../objects.fixture.ts';
import { interPodAffinity } from './inter-pod-affinity.ts';

const NAMESPACES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  default: { team: 'a' },
  other: { team: 'b' },
};
const plugin = interPodAffinity({ namespaceLabels: (name) => NAMESPACES[name] });

const NO_MATCH = "node(s) didn't match pod affinity rules";
const ANTI = "node(s) didn't match pod anti-affinity rules";
const OTHERS = "node(s) didn't satisfy existing pods anti-affinity rules";

/** Zone x: a, b. Zone y: c. No zone: d. */
const NODES = [
  node('a', { labels: { zone: 'x' } }),
  node('b', { labels: { zone: 'x' } }),
  node('c', { labels: { zone: 'y' } }),
  node('d'),
];
const term = (app: string, more: Partial<coreV1.PodAffinityTerm> = {}): coreV1.PodAffinityTerm => ({
  topologyKey: 'zone',
  labelSelector: { matchLabels: { app } },
  ...more,
});
const app = (name: string): PodShape => ({ labels: { app: name } });
const near = (...terms: readonly coreV1.PodAffinityTerm[]): Partial<coreV1.PodSpec> => ({
  affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
});
const away = (...terms: readonly coreV1.PodAffinityTerm[]): Partial<coreV1.PodSpec> => ({
  affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
});

describe('required affinity', () => {
  test('holds in the whole topology of a matching pod', () => {
    const snapshot = cacheOf(NODES, [pod('db', { ...app('db'), on: 'a' })]);
    assert.deepEqual(rejections(plugin, pod('p', { spec: near(term('db')) }), snapshot), {
      c: NO_MATCH,
      d: NO_MATCH,
    });
  });

  test('counts only pods that match all terms', () => {
    const snapshot = cacheOf(NODES, [
      pod('db', { ...app('db'), on: 'a' }),
      pod('both', { labels: { app: 'db', tier: 'back' }, on: 'c' }),
    ]);
    const tier = { topologyKey: 'zone', labelSelector: { matchLabels: { tier: 'back' } } };
    assert.deepEqual(rejections(plugin, pod('p', { spec: near(term('db'), tier) }), snapshot), {
      a: NO_MATCH,
      b: NO_MATCH,
      d: NO_MATCH,
    });
  });

  test('lets the first of a group in wherever the topology exists', () => {
    const first = pod('p', { ...app('group'), spec: near(term('group')) });
    assert.deepEqual(rejections(plugin, first, cacheOf(NODES)), { d: NO_MATCH });
    const stranger = pod('p', { ...app('stranger'), spec: near(term('group')) });
    assert.deepEqual(Object.keys(rejections(plugin, stranger, cacheOf(NODES))), ['a', 'b', 'c', 'd']);
  });
});

describe('namespaces', () => {
  const there = [pod('db', { ...app('db'), namespace: 'other', on: 'c' })];
  const fitting = (more: Partial<coreV1.PodAffinityTerm>): readonly string[] => {
    const rejected = rejections(plugin, pod('p', { spec: near(term('db', more)) }), cacheOf(NODES, there));
    return NODES.map(({ metadata }) => metadata.name).filter((name) => rejected[name] === undefined);
  };

  test('a term without any means the pod’s own', () => assert.deepEqual(fitting({}), []));
  test('may be named', () => assert.deepEqual(fitting({ namespaces: ['other'] }), ['c']));
  test('may be selected by label', () => {
    assert.deepEqual(fitting({ namespaceSelector: { matchLabels: { team: 'b' } } }), ['c']);
    assert.deepEqual(fitting({ namespaceSelector: { matchLabels: { team: 'a' } } }), []);
  });
  test('an empty selector means all', () => assert.deepEqual(fitting({ namespaceSelector: {} }), ['c']));
});

describe('required anti-affinity', () => {
  test('keeps the pod out of the topology of matching pods, and away from nowhere else', () => {
    const snapshot = cacheOf(NODES, [pod('noisy', { ...app('noisy'), on: 'a' })]);
    assert.deepEqual(rejections(plugin, pod('p', { spec: away(term('noisy')) }), snapshot), {
      a: ANTI,
      b: ANTI,
    });
  });

  test('of pods that are there keeps newcomers away, too', () => {
    const snapshot = cacheOf(NODES, [pod('hermit', { on: 'c', spec: away(term('web')) })]);
    assert.deepEqual(rejections(plugin, pod('p', app('web')), snapshot), { c: OTHERS });
    assert.deepEqual(rejections(plugin, pod('p', app('db')), snapshot), {});
  });

  test('can be resolved by evicting, missing affinity cannot', () => {
    const snapshot = cacheOf(NODES, [pod('hermit', { ...app('web'), on: 'c', spec: away(term('web')) })]);
    const verdict = (spec: Partial<coreV1.PodSpec>): boolean | undefined => {
      const [, , c] = snapshot.nodes;
      assert.ok(c !== undefined);
      return filterOf(plugin, pod('p', { ...app('web'), spec }), snapshot).check(c)?.unresolvable;
    };
    assert.deepEqual(
      [verdict({}), verdict(away(term('web'))), verdict(near(term('nobody')))],
      [false, false, true],
    );
  });
});

test('pretending that pods come and go is taken back exactly', () => {
  const hermit = pod('hermit', { ...app('web'), on: 'c', spec: away(term('web')) });
  const snapshot = cacheOf(NODES, [hermit]);
  const [a, , c] = snapshot.nodes;
  assert.ok(a !== undefined && c !== undefined);
  const filter = filterOf(plugin, pod('p', { ...app('web'), spec: away(term('web')) }), snapshot);
  assert.ok(filter.check(c) !== undefined);
  filter.pretend?.(hermit, c, -1);
  filter.pretend?.(hermit, a, 1);
  assert.deepEqual([filter.check(c), filter.check(a)?.reasons], [undefined, [ANTI]]);
  filter.pretend?.(hermit, a, -1);
  filter.pretend?.(hermit, c, 1);
  assert.deepEqual([filter.check(c)?.reasons, filter.check(a)], [[ANTI], undefined]);
});

describe('preferences', () => {
  const weighted = (weight: number, name: string) => ({ weight, podAffinityTerm: term(name) });

  test('attract and repel', () => {
    const snapshot = cacheOf(NODES, [
      pod('db', { ...app('db'), on: 'a' }),
      pod('noisy', { ...app('noisy'), on: 'c' }),
    ]);
    const spec: Partial<coreV1.PodSpec> = {
      affinity: {
        podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [weighted(30, 'db')] },
        podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [weighted(10, 'noisy')] },
      },
    };
    // x: 30, y: -10, none: 0.
    assert.deepEqual(scores(plugin, pod('p', { spec }), snapshot), { a: 100, b: 100, c: 0, d: 25 });
  });

  test('of pods that are there count as well, required affinity a little', () => {
    const snapshot = cacheOf(NODES, [
      pod('fan', { on: 'c', spec: near(term('web')) }),
      pod('shy', {
        on: 'a',
        spec: {
          affinity: {
            podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [weighted(1, 'web')] },
          },
        },
      }),
    ]);
    assert.deepEqual(scores(plugin, pod('p', app('web')), snapshot), { a: 0, b: 0, c: 100, d: 50 });
    assert.equal(scores(plugin, pod('p', app('db')), snapshot), undefined);
  });
});

test('only pods that have to do with the terms help', () => {
  const waiting = pod('p', { spec: { ...near(term('db')) } });
  assert.ok(plugin.mayHelp?.({ type: 'assigned-pod-added', pod: pod('x', app('db')) }, waiting));
  assert.ok(!plugin.mayHelp?.({ type: 'assigned-pod-added', pod: pod('x', app('web')) }, waiting));
  const shy = pod('q', { ...app('web'), spec: away(term('noisy')) });
  assert.ok(plugin.mayHelp?.({ type: 'assigned-pod-deleted', pod: pod('x', app('noisy')) }, shy));
  assert.ok(
    plugin.mayHelp?.({ type: 'assigned-pod-deleted', pod: pod('x', { spec: away(term('web')) }) }, shy),
  );
  assert.ok(!plugin.mayHelp?.({ type: 'assigned-pod-deleted', pod: pod('x', app('db')) }, shy));
});
