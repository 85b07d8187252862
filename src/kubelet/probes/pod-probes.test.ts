import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { coreV1 } from '#api';
import { silentLogger } from '#platform';
import { seededRandom, VirtualClock } from '#testing';
import { testPod, testRuntime } from '../pods/pod.fixture.ts';
import { PodProbes } from './pod-probes.ts';
import type { ProbeAnswer } from './probe.ts';

const EXEC = { exec: { command: ['x'] } };

function setUp(container: Partial<coreV1.Container>, options: { readonly kubeletStartMs?: number } = {}) {
  const clock = new VirtualClock();
  const asked: number[] = [];
  const told: string[] = [];
  let answer: ProbeAnswer | Error = { result: 'success', output: '' };
  let results = 0;
  const probes = new PodProbes({
    runner: {
      run: async () => {
        asked.push(clock.monotonic() / 1000);
        if (answer instanceof Error) throw answer;
        return answer;
      },
    },
    clock,
    random: seededRandom(1),
    events: { record: (_about, _type, _reason, message) => told.push(message) },
    logger: silentLogger,
    kubeletStartMs: options.kubeletStartMs ?? clock.now(),
    onResult: () => results++,
  });
  const pod = testPod({ containers: [{ name: 'app', ...container }] });
  const startedAt = BigInt(clock.now()) * 1_000_000n;
  return {
    clock,
    probes,
    asked,
    told,
    pod,
    results: () => results,
    answerWith(next: ProbeAnswer | Error) {
      answer = next;
    },
    run: (id = 'one', at = startedAt) => probes.observe(pod, testRuntime({ id, startedAt: at }), '10.0.0.5'),
  };
}

const FAIL: ProbeAnswer = { result: 'failure', output: 'no' };

test('The first probe waits for its delay, the others for their period', async () => {
  const it = setUp({ readinessProbe: { ...EXEC, initialDelaySeconds: 5, periodSeconds: 10 } });
  it.run();
  await it.clock.advance(30_000);
  assert.deepEqual(it.asked, [5, 15, 25]);
  assert.equal(it.probes.ready('app', 'k8ts://one'), true);
  assert.equal(it.results(), 1);
});

test('A container without a probe is ready as soon as it runs', () => {
  const it = setUp({});
  it.run();
  assert.equal(it.probes.ready('app', 'k8ts://one'), true);
  assert.equal(it.probes.started('app', 'k8ts://one'), true);
});

test('So many answers in a row are needed to change the mind', async () => {
  const it = setUp({
    readinessProbe: { ...EXEC, periodSeconds: 1, failureThreshold: 3, successThreshold: 2 },
  });
  it.run();
  await it.clock.advance(500);
  assert.equal(it.probes.ready('app', 'one'), false);
  await it.clock.advance(1000);
  assert.equal(it.probes.ready('app', 'one'), true);
  it.answerWith(FAIL);
  await it.clock.advance(2000);
  assert.equal(it.probes.ready('app', 'one'), true);
  await it.clock.advance(1000);
  assert.equal(it.probes.ready('app', 'one'), false);
  assert.deepEqual(it.told.at(-1), 'Readiness probe failed: no');
});

test('Nothing else is asked before the startup probe has succeeded, and that one never again', async () => {
  const it = setUp({
    startupProbe: { ...EXEC, periodSeconds: 10 },
    livenessProbe: { ...EXEC, periodSeconds: 100 },
  });
  it.answerWith(FAIL);
  it.run();
  await it.clock.advance(11_000);
  assert.deepEqual(it.asked, [0, 10]);
  assert.equal(it.probes.started('app', 'one'), false);
  it.answerWith({ result: 'success', output: '' });
  await it.clock.advance(60_000);
  assert.deepEqual(it.asked, [0, 10, 20, 20]);
  assert.equal(it.probes.started('app', 'one'), true);
});

test('A failed liveness probe says so once and waits for the next container', async () => {
  const it = setUp({ livenessProbe: { ...EXEC, periodSeconds: 1, failureThreshold: 2 } });
  it.answerWith(FAIL);
  it.run();
  await it.clock.advance(10_000);
  assert.equal(it.probes.liveness('one'), 'failure');
  assert.equal(it.asked.length, 2);
  it.answerWith({ result: 'success', output: '' });
  it.run('two', BigInt(it.clock.now()) * 1_000_000n);
  assert.equal(it.probes.liveness('two'), 'success');
  assert.equal(it.probes.liveness('one'), undefined);
  await it.clock.advance(1500);
  assert.equal(it.asked.length, 4);
});

test('A probe that cannot be asked counts for nothing', async () => {
  const it = setUp({ livenessProbe: { ...EXEC, periodSeconds: 10, failureThreshold: 1 } });
  it.answerWith(new Error('runtime down'));
  it.run();
  await it.clock.advance(5000);
  assert.equal(it.probes.liveness('one'), 'success');
  assert.equal(it.asked.length, 3);
  assert.deepEqual(it.told, ['Liveness probe errored and resulted in unknown state: runtime down']);
});

test('An adopted container keeps the readiness it was reported with until it is probed', async () => {
  const it = setUp({ readinessProbe: { ...EXEC, periodSeconds: 10 } });
  const justBefore = BigInt(it.clock.now() - 1_000) * 1_000_000n;
  const reported = {
    ...it.pod,
    status: {
      containerStatuses: [
        {
          name: 'app',
          containerID: 'k8ts://one',
          ready: true,
          started: true,
          restartCount: 0,
          image: '',
          imageID: '',
        },
      ],
    },
  };
  it.probes.observe(reported, testRuntime({ id: 'one', startedAt: justBefore }), '10.0.0.5');
  assert.equal(it.probes.ready('app', 'k8ts://one'), true);
  assert.equal(it.probes.ready('app', 'k8ts://another'), false);
  it.answerWith(FAIL);
  await it.clock.advance(60_000);
  assert.equal(it.probes.ready('app', 'k8ts://one'), false);
});

test('A pod that is leaving is asked only whether it is ready', async () => {
  const it = setUp({ livenessProbe: EXEC, readinessProbe: { ...EXEC, periodSeconds: 10 } });
  it.run();
  it.probes.stopLivenessAndStartup();
  await it.clock.advance(25_000);
  assert.deepEqual(it.asked, [0, 10, 20]);
  it.probes.stop();
  await it.clock.advance(60_000);
  assert.equal(it.asked.length, 3);
  assert.equal(it.clock.pendingTimers, 0);
});
