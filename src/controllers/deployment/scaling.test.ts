import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newSetSize, scaleProportionally, shrinkOldSets, soleSet } from './scaling.ts';
import type { Deployment, ReplicaSet } from './replica-sets.ts';

function deployment(
  replicas: number,
  maxSurge: number | string,
  maxUnavailable: number | string,
): Deployment {
  const metadata = { name: 'web', uid: 'd', resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata,
    spec: {
      replicas,
      template: {},
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
    },
    status: {},
  };
}

function set(
  name: string,
  replicas: number,
  options: { available?: number; max?: number; age?: number } = {},
): ReplicaSet {
  const { available = replicas, max, age = 0 } = options;
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name,
      uid: name,
      resourceVersion: '1',
      creationTimestamp: `2026-01-01T00:00:${String(59 - age).padStart(2, '0')}Z`,
      ...(max === undefined ? {} : { annotations: { 'deployment.kubernetes.io/max-replicas': String(max) } }),
    },
    spec: { replicas },
    status: { replicas, availableReplicas: available },
  };
}

const sizes = (resizes: ReturnType<typeof scaleProportionally>): Readonly<Record<string, number>> =>
  Object.fromEntries(resizes.map((resize) => [resize.set.metadata.name, resize.size]));

test('scaling in the middle of a rollout grows all sets in proportion', () => {
  const sets = [set('old', 8, { max: 13, age: 5 }), set('new', 5, { max: 13 })];
  assert.deepEqual(sizes(scaleProportionally(deployment(15, 3, 2), sets)), { old: 11, new: 7 });
});

test('scaling down shrinks in proportion, and what rounding leaves goes to the largest', () => {
  const sets = [set('old', 8, { max: 13, age: 5 }), set('new', 5, { max: 13 })];
  assert.deepEqual(sizes(scaleProportionally(deployment(5, 3, 2), sets)), { old: 5, new: 3 });
});

test('scaling to zero empties every set', () => {
  const sets = [set('old', 8, { max: 13, age: 5 }), set('new', 5, { max: 13 })];
  assert.deepEqual(sizes(scaleProportionally(deployment(0, 3, 2), sets)), { old: 0, new: 0 });
});

test('among sets of one size the newer grows first and the older shrinks first', () => {
  const sets = [set('older', 5, { max: 10, age: 5 }), set('newer', 5, { max: 10 })];
  assert.deepEqual(sizes(scaleProportionally(deployment(11, 0, 1), sets)), { newer: 6, older: 5 });
  assert.deepEqual(sizes(scaleProportionally(deployment(9, 0, 1), sets)), { newer: 5, older: 4 });
});

test('a new set takes what the surge leaves room for, and never more than is wanted', () => {
  assert.equal(newSetSize(deployment(10, 3, 2), [set('old', 10)], 0), 3);
  assert.equal(newSetSize(deployment(10, 3, 2), [set('old', 13)], 0), 0);
  assert.equal(newSetSize(deployment(10, 3, 2), [set('old', 1), set('new', 8)], 8), 10);
  assert.equal(newSetSize(deployment(10, '30%', 2), [set('old', 10)], 0), 3);
});

test('old pods go only as far as enough stay available', () => {
  const resizes = shrinkOldSets(deployment(10, 3, 2), set('new', 5, { available: 0 }), [set('old', 8)]);
  assert.deepEqual(resizes, []);
  const ready = shrinkOldSets(deployment(10, 3, 2), set('new', 5, { available: 4 }), [set('old', 8)]);
  assert.deepEqual(sizes(ready), { old: 4 });
});

test('old pods that do not work go first, or they would block the rollout for ever', () => {
  const old = [set('older', 4, { available: 4, age: 9 }), set('old', 4, { available: 1, age: 5 })];
  const resizes = shrinkOldSets(deployment(8, 2, 2), set('new', 2, { available: 1 }), old);
  assert.deepEqual(sizes(resizes), { old: 1 });
});

test('when both fenceposts round to zero one pod may be missing', () => {
  const resizes = shrinkOldSets(deployment(2, '0%', '1%'), set('new', 0), [set('old', 2)]);
  assert.deepEqual(sizes(resizes), { old: 1 });
});

test('the whole size goes to the only active set, or to the newest when none is active', () => {
  assert.equal(soleSet(set('new', 0), [set('old', 3)])?.metadata.name, 'old');
  assert.equal(soleSet(set('new', 0), [set('old', 0)])?.metadata.name, 'new');
  assert.equal(
    soleSet(undefined, [set('old', 0, { age: 3 }), set('older', 0, { age: 5 })])?.metadata.name,
    'old',
  );
  assert.equal(soleSet(set('new', 1), [set('old', 3)]), undefined);
});
