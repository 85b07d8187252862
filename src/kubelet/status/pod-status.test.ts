import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { coreV1 } from '#api';
import { testPod, testRuntime } from '../pods/pod.fixture.ts';
import { emptyRuntimePod, type RuntimeContainer } from '../pods/runtime-pod.ts';
import { computePodStatus, finalPodStatus, type PodStatusInput } from './pod-status.ts';

const NOW = '2026-01-01T00:10:00Z';

function status(input: Partial<PodStatusInput> = {}): coreV1.PodStatus {
  const pod = input.pod ?? testPod();
  return computePodStatus({
    pod,
    runtime: testRuntime({}),
    runtimeName: 'k8ts',
    old: pod.status,
    terminal: false,
    waiting: new Map(),
    readiness: { started: () => true, ready: () => true },
    hostIps: ['192.168.1.10'],
    now: NOW,
    ...input,
  });
}

const conditions = (of: coreV1.PodStatus): Record<string, string> =>
  Object.fromEntries(
    (of.conditions ?? []).map(({ type, status: value, reason, message }) => [
      type,
      [value, reason, message].filter((part) => part !== undefined).join(' | '),
    ]),
  );

const exited = (exitCode: number, more: Partial<RuntimeContainer> = {}): Partial<RuntimeContainer> => ({
  state: 'exited',
  exitCode,
  reason: exitCode === 0 ? 'Completed' : 'Error',
  ...more,
});

test('A pod that has just arrived waits for its containers to be created', () => {
  const fresh = status({ runtime: emptyRuntimePod('uid-web') });
  assert.equal(fresh.phase, 'Pending');
  assert.equal(fresh.startTime, NOW);
  assert.equal(fresh.qosClass, 'BestEffort');
  assert.equal(fresh.podIP, undefined);
  assert.deepEqual(fresh.containerStatuses, [
    {
      name: 'app',
      state: { waiting: { reason: 'ContainerCreating' } },
      started: false,
      ready: false,
      restartCount: 0,
      image: 'app:1',
      imageID: '',
    },
  ]);
  assert.deepEqual(conditions(fresh), {
    PodReadyToStartContainers: 'False',
    Initialized: 'True',
    Ready: 'False | ContainersNotReady | containers with unready status: [app]',
    ContainersReady: 'False | ContainersNotReady | containers with unready status: [app]',
    PodScheduled: 'True',
  });
});

test('Containers behind init containers wait for the pod to initialize', () => {
  const pod = testPod({ initContainers: [{ name: 'i' }, { name: 'j' }] });
  const initializing = status({ pod, runtime: testRuntime({ name: 'i' }) });
  assert.equal(initializing.phase, 'Pending');
  assert.deepEqual(initializing.containerStatuses?.[0]?.state, { waiting: { reason: 'PodInitializing' } });
  assert.equal(
    conditions(initializing)['Initialized'],
    'False | ContainersNotInitialized | containers with incomplete status: [i j]',
  );
});

test('A running container tells when it started, what it runs and as whom', () => {
  const user = { uid: 1000, gid: 2000, supplementalGroups: [2000] };
  const [app] = status({ runtime: testRuntime({ user, restartCount: 2 }) }).containerStatuses ?? [];
  assert.deepEqual(app, {
    name: 'app',
    state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
    ready: true,
    started: true,
    restartCount: 2,
    image: 'app:1',
    imageID: 'app@sha256:1',
    containerID: 'k8ts://id-app-2',
    user: { linux: user },
  });
});

test('The incarnation before becomes the last state', () => {
  const runtime = testRuntime(exited(3, { id: 'one', message: 'boom' }), { id: 'two', restartCount: 1 });
  const [app] = status({ runtime }).containerStatuses ?? [];
  assert.deepEqual(app?.lastState, {
    terminated: {
      exitCode: 3,
      reason: 'Error',
      message: 'boom',
      startedAt: '2026-01-01T00:00:00Z',
      finishedAt: '2026-01-01T00:01:00Z',
      containerID: 'k8ts://one',
    },
  });
});

test('A container that could not be started again waits with the reason, and its end becomes the last state', () => {
  const waiting = new Map([['app', { reason: 'CrashLoopBackOff', message: 'back-off 10s' }]]);
  const crashed = status({ runtime: testRuntime(exited(1)), waiting });
  const [app] = crashed.containerStatuses ?? [];
  assert.deepEqual(app?.state, { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s' } });
  assert.equal(app?.lastState?.terminated?.exitCode, 1);
  assert.equal(crashed.phase, 'Running');
});

test('A container that vanished while it ran does not throw its pod back to Pending', () => {
  const before = status();
  const [app] =
    status({ old: before, runtime: { ...testRuntime(), containers: [] } }).containerStatuses ?? [];
  assert.equal(app?.lastState?.terminated?.reason, 'ContainerStatusUnknown');
  assert.equal(app?.lastState?.terminated?.exitCode, 137);
  assert.equal(app?.restartCount, 1);
});

test('A pod whose containers are not restarted succeeds or fails with them', () => {
  const pod = testPod({ restartPolicy: 'Never' });
  const done = status({ pod, runtime: testRuntime(exited(0)) });
  assert.equal(done.phase, 'Succeeded');
  assert.equal(conditions(done)['Ready'], 'False | PodCompleted');
  assert.equal(conditions(done)['Initialized'], 'True | PodCompleted');
  const failed = status({ pod, runtime: testRuntime(exited(2)) });
  assert.equal(failed.phase, 'Failed');
  assert.equal(conditions(failed)['Ready'], 'False | PodFailed');
});

test('A phase that ended a pod never changes again', () => {
  const pod = testPod({}, { status: { phase: 'Failed', reason: 'Evicted', message: 'The node was low' } });
  const after = status({ pod });
  assert.equal(after.phase, 'Failed');
  assert.equal(after.reason, 'Evicted');
  assert.equal(after.message, 'The node was low');
});

test('A failed init container of a pod that is not restarted fails the pod', () => {
  const pod = testPod({ restartPolicy: 'Never', initContainers: [{ name: 'i' }] });
  assert.equal(status({ pod, runtime: testRuntime(exited(1, { name: 'i' })) }).phase, 'Failed');
});

test('A sidecar counts for readiness, and its restart does not make the pod Pending', () => {
  const pod = testPod({ initContainers: [{ name: 's', restartPolicy: 'Always' }] });
  const running = status({
    pod,
    runtime: testRuntime({ name: 's' }, {}),
    readiness: { started: () => true, ready: (name) => name !== 's' },
  });
  assert.equal(running.phase, 'Running');
  assert.equal(
    conditions(running)['Ready'],
    'False | ContainersNotReady | containers with unready status: [s]',
  );
  const restarting = status({ pod, runtime: testRuntime(exited(1, { name: 's' }), {}) });
  assert.equal(restarting.phase, 'Running');
});

test('Readiness gates hold the pod back until somebody sets their conditions', () => {
  const gated = testPod({ readinessGates: [{ conditionType: 'example.com/ready' }] });
  assert.equal(
    conditions(status({ pod: gated }))['Ready'],
    'False | ReadinessGatesNotReady | corresponding condition of pod readiness gate "example.com/ready" does not exist.',
  );
  const set = (value: string): coreV1.Pod =>
    testPod(gated.spec, { status: { conditions: [{ type: 'example.com/ready', status: value }] } });
  assert.equal(
    conditions(status({ pod: set('False') }))['Ready'],
    'False | ReadinessGatesNotReady | the status of pod readiness gate "example.com/ready" is not "True", but False',
  );
  const open = status({ pod: set('True') });
  assert.equal(conditions(open)['Ready'], 'True');
  assert.equal(conditions(open)['example.com/ready'], 'True');
});

test('A condition keeps the time of its last change while its status stays', () => {
  const first = status();
  const later = status({ old: first, now: '2026-01-01T01:00:00Z' });
  assert.equal(later.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime, NOW);
  const broken = status({
    old: first,
    now: '2026-01-01T01:00:00Z',
    readiness: { started: () => true, ready: () => false },
  });
  assert.equal(
    broken.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime,
    '2026-01-01T01:00:00Z',
  );
});

test('A pod on the host network has the addresses of its node', () => {
  const onHost = status({ pod: testPod({ hostNetwork: true }), runtime: { ...testRuntime({}), ips: [] } });
  assert.equal(onHost.podIP, '192.168.1.10');
});

test('A failure from outside ends the pod whatever its containers do', () => {
  const failed = status({ failure: { reason: 'DeadlineExceeded', message: 'too long' } });
  assert.deepEqual([failed.phase, failed.reason, failed.message], ['Failed', 'DeadlineExceeded', 'too long']);
});

test('The last word counts what was never seen to end as failed', () => {
  const pod = testPod({ containers: [{ name: 'a' }, { name: 'b' }] });
  const last = finalPodStatus(pod, {
    phase: 'Running',
    containerStatuses: [
      {
        name: 'a',
        state: { terminated: { exitCode: 0 } },
        ready: false,
        restartCount: 0,
        image: '',
        imageID: '',
      },
      { name: 'b', state: { running: {} }, ready: true, restartCount: 0, image: '', imageID: '' },
    ],
  });
  assert.equal(last.phase, 'Failed');
  assert.equal(last.containerStatuses?.[0]?.state?.terminated?.exitCode, 0);
  assert.deepEqual(last.containerStatuses?.[1]?.state?.terminated, {
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
    message: 'The container could not be located when the pod was terminated',
  });
});

test('The last word leaves containers alone that a pod never came to', () => {
  const pod = testPod({ initContainers: [{ name: 'i' }, { name: 'j' }] });
  const waiting = { state: { waiting: {} }, ready: false, restartCount: 0, image: '', imageID: '' };
  const last = finalPodStatus(pod, {
    phase: 'Pending',
    initContainerStatuses: [
      { name: 'i', ...waiting },
      { name: 'j', ...waiting },
    ],
    containerStatuses: [{ name: 'app', ...waiting }],
  });
  assert.equal(last.initContainerStatuses?.[0]?.state?.terminated?.exitCode, 137);
  assert.deepEqual(last.initContainerStatuses?.[1]?.state, { waiting: {} });
  assert.deepEqual(last.containerStatuses?.[0]?.state, { waiting: {} });
});
