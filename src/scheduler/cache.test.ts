import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cacheOf, node, pod } from './objects.fixture.ts';
import type { SchedulerCache } from './cache.ts';

const requests = { cpu: '1' };
const placed = (name: string, on: string) => pod(name, { on, requests });
const used = (cache: SchedulerCache, name: string): number | undefined => cache.get(name)?.requested.milliCpu;

test('an assumed pod takes room until it is forgotten', () => {
  const cache = cacheOf([node('n')]);
  cache.assume(placed('a', 'n'));
  assert.ok(cache.isAssumed('a'));
  assert.equal(used(cache, 'n'), 1000);
  cache.forget('a');
  assert.equal(used(cache, 'n'), 0);
  assert.ok(!cache.isAssumed('a'));
});

test('a confirmed pod can no longer be forgotten', () => {
  const cache = cacheOf([node('n')]);
  cache.assume(placed('a', 'n'));
  cache.setPod(placed('a', 'n'));
  cache.forget('a');
  assert.equal(used(cache, 'n'), 1000);
});

test('a pod that landed on another node than assumed moves there', () => {
  const cache = cacheOf([node('n'), node('m')]);
  cache.assume(placed('a', 'n'));
  cache.setPod(placed('a', 'm'));
  assert.deepEqual([used(cache, 'n'), used(cache, 'm')], [0, 1000]);
});

test('pods of a node that is not known yet are counted when it comes', () => {
  const cache = cacheOf([], [placed('a', 'n'), placed('b', 'n')]);
  cache.removePod('b');
  cache.setNode(node('n'));
  assert.equal(used(cache, 'n'), 1000);
});

test('a node that goes and comes back still has its pods', () => {
  const cache = cacheOf([node('n')], [placed('a', 'n')]);
  cache.removeNode('n');
  assert.deepEqual(cache.nodes, []);
  cache.setNode(node('n'));
  assert.equal(used(cache, 'n'), 1000);
});

test('a pod assumed on a node that went away is forgotten for good', () => {
  const cache = cacheOf([node('n')]);
  cache.assume(placed('a', 'n'));
  cache.removeNode('n');
  cache.forget('a');
  cache.setNode(node('n'));
  assert.equal(used(cache, 'n'), 0);
});

test('finished pods hold nothing', () => {
  const cache = cacheOf([node('n')], [placed('a', 'n')]);
  cache.setPod({ ...placed('a', 'n'), status: { phase: 'Succeeded' } });
  assert.equal(used(cache, 'n'), 0);
  assert.equal(cache.get('n')?.podCount, 0);
});

test('nodes with pods that have affinity are known without looking at all', () => {
  const spec = {
    affinity: {
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 1, podAffinityTerm: { topologyKey: 'zone', labelSelector: {} } },
        ],
      },
    },
  };
  const cache = cacheOf([node('n'), node('m')], [pod('a', { on: 'n', spec })]);
  assert.deepEqual(
    [...cache.nodesWithAffinity].map(({ name }) => name),
    ['n'],
  );
  assert.equal(cache.nodesWithRequiredAntiAffinity.size, 0);
  cache.removePod('a');
  assert.equal(cache.nodesWithAffinity.size, 0);
});

test('images are counted over all nodes', () => {
  const images = [{ names: ['web:1'], sizeBytes: 1 }];
  const cache = cacheOf([node('n', { images }), node('m', { images }), node('o')]);
  assert.equal(cache.nodesWithImage('web:1'), 2);
  cache.setNode(node('n'));
  cache.removeNode('m');
  assert.equal(cache.nodesWithImage('web:1'), 0);
});
