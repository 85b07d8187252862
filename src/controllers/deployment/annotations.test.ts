import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newSetAnnotations } from './annotations.ts';
import type { Deployment } from './replica-sets.ts';

const deployment = (annotations: Readonly<Record<string, string>>): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name: 'web',
    uid: 'd',
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
    annotations,
  },
  spec: { template: {} },
  status: {},
});

test('the newest set carries its own revision and the annotations of its Deployment', () => {
  const notes = newSetAnnotations(
    deployment({
      team: 'a',
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
      'deployment.kubernetes.io/revision': '7',
    }),
    {},
    8n,
  );
  assert.deepEqual(notes, { team: 'a', 'deployment.kubernetes.io/revision': '8' });
});

test('a set that becomes the newest again remembers the revisions it had', () => {
  const once = newSetAnnotations(deployment({}), { 'deployment.kubernetes.io/revision': '1' }, 3n);
  assert.deepEqual(once, {
    'deployment.kubernetes.io/revision': '3',
    'deployment.kubernetes.io/revision-history': '1',
  });
  const twice = newSetAnnotations(deployment({}), once, 5n);
  assert.equal(twice['deployment.kubernetes.io/revision-history'], '1,3');
});

test('revisions beyond what a number can hold are counted exactly', () => {
  const revision = '3546343826724305832';
  const set = newSetAnnotations(deployment({}), {}, BigInt(revision) + 1n);
  assert.equal(set['deployment.kubernetes.io/revision'], '3546343826724305833');
  const kept = { 'deployment.kubernetes.io/revision': '3546343826724305833' };
  assert.equal(newSetAnnotations(deployment({}), kept, BigInt(revision)), kept);
});

test('a revision never goes back, and nothing to change gives the same object', () => {
  const notes = { 'deployment.kubernetes.io/revision': '9' };
  assert.equal(newSetAnnotations(deployment({}), notes, 3n), notes);
});

test('the history drops its oldest revisions when it grows too long', () => {
  const long = Array.from({ length: 600 }, (_, i) => i + 1000).join(',');
  const next = newSetAnnotations(
    deployment({}),
    { 'deployment.kubernetes.io/revision': '1600', 'deployment.kubernetes.io/revision-history': long },
    1601n,
  );
  const history = next['deployment.kubernetes.io/revision-history'] ?? '';
  assert.ok(history.length <= 2000);
  assert.ok(history.endsWith(',1599,1600'));
});
