import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { coreV1 } from '#api';
import { testPod } from '../pods/pod.fixture.ts';
import { qosClass } from '../status/qos-class.ts';
import { containerResources, cpuShares, oomScoreAdj } from './container-resources.ts';

const GIB = 2 ** 30;
const app = (resources: coreV1.ResourceRequirements): coreV1.Container => ({ name: 'app', resources });

test('Requests become shares, limits become quota and memory limit', () => {
  const container = app({ requests: { cpu: '250m', memory: '1Gi' }, limits: { cpu: '500m', memory: '2Gi' } });
  assert.deepEqual(containerResources(testPod({ containers: [container] }), container, 8 * GIB), {
    cpuPeriod: 100_000,
    cpuQuota: 50_000,
    cpuShares: 256,
    memoryLimitBytes: 2 * GIB,
    oomScoreAdj: 875,
  });
});

test('Shares stay within what the kernel takes', () => {
  assert.deepEqual([0, 1, 1000, 1_000_000].map(cpuShares), [2, 2, 1024, 262_144]);
});

test('Who asked for little memory dies first, who is guaranteed dies last', () => {
  const score = (resources: coreV1.ResourceRequirements): number => {
    const container = app(resources);
    return oomScoreAdj(testPod({ containers: [container] }), container, 8 * GIB);
  };
  assert.equal(score({}), 1000);
  assert.equal(score({ limits: { cpu: '1', memory: '1Gi' } }), -997);
  assert.equal(score({ requests: { memory: '1Ki' } }), 999);
  assert.equal(score({ requests: { memory: '8Gi' } }), 3);
});

test('The class of service follows from requests and limits of all containers', () => {
  const of = (...resources: readonly coreV1.ResourceRequirements[]): string =>
    qosClass(testPod({ containers: resources.map((one, i) => ({ name: `c${i}`, resources: one })) }));
  const full = { cpu: '1', memory: '1Gi' };
  assert.equal(of({}, {}), 'BestEffort');
  assert.equal(of({ limits: full }), 'Guaranteed');
  assert.equal(of({ limits: full, requests: full }), 'Guaranteed');
  assert.equal(of({ limits: full, requests: { cpu: '500m' } }), 'Burstable');
  assert.equal(of({ limits: full }, {}), 'Burstable');
  assert.equal(of({ requests: { cpu: '0' } }), 'BestEffort');
});

test('Resources of the pod as a whole decide its class of service instead of those of its containers', () => {
  const full = { cpu: '1', memory: '1Gi' };
  const of = (resources: coreV1.ResourceRequirements): string =>
    qosClass(
      testPod({ resources, containers: [{ name: 'c', resources: { requests: full, limits: full } }] }),
    );
  assert.equal(of({}), 'BestEffort');
  assert.equal(of({ requests: { cpu: '1' } }), 'Burstable');
  assert.equal(of({ requests: full, limits: full }), 'Guaranteed');
});
