import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { coreV1 } from '#api';
import { testPod, testRuntime } from '../pods/pod.fixture.ts';
import { emptyRuntimePod, type RuntimeContainer, type RuntimePod } from '../pods/runtime-pod.ts';
import { containerHash } from './container-hash.ts';
import { computePodActions, type ProbeOutcome } from './pod-actions.ts';

interface Expected {
  readonly killPod?: boolean;
  readonly createSandbox?: boolean;
  readonly attempt?: number;
  readonly kill?: readonly string[];
  readonly startInit?: readonly string[];
  readonly start?: readonly string[];
  readonly startEphemeral?: readonly string[];
}

interface Row {
  readonly title: string;
  readonly spec?: Partial<coreV1.PodSpec>;
  readonly deleted?: boolean;
  readonly runtime: RuntimePod;
  readonly liveness?: Readonly<Record<string, ProbeOutcome>>;
  readonly startup?: Readonly<Record<string, ProbeOutcome>>;
  readonly expected: Expected;
}

const container = (name: string, more: Partial<coreV1.Container> = {}): coreV1.Container => ({
  name,
  image: `${name}:1`,
  ...more,
});
const sidecar = (name: string, more: Partial<coreV1.Container> = {}): coreV1.Container =>
  container(name, { restartPolicy: 'Always', ...more });
const exited = (
  name: string,
  exitCode: number,
  more: Partial<RuntimeContainer> = {},
): Partial<RuntimeContainer> => ({
  name,
  state: 'exited',
  exitCode,
  ...more,
});
const withoutSandbox = (runtime: RuntimePod): RuntimePod => ({
  ...runtime,
  ips: [],
  sandboxes: runtime.sandboxes.map((sandbox) => ({ ...sandbox, state: 'SANDBOX_NOTREADY' as const })),
});
const PROBE: coreV1.Probe = { exec: { command: ['true'] } };

const rows: readonly Row[] = [
  {
    title: 'A new pod gets a sandbox and all its containers',
    spec: { containers: [container('a'), container('b')] },
    runtime: emptyRuntimePod('u'),
    expected: { killPod: true, createSandbox: true, start: ['a', 'b'] },
  },
  {
    title: 'A new pod with init containers starts with the first of them',
    spec: { initContainers: [container('i'), container('j')] },
    runtime: emptyRuntimePod('u'),
    expected: { killPod: true, createSandbox: true, startInit: ['i'] },
  },
  {
    title: 'Nothing is done while everything runs',
    runtime: testRuntime({}),
    expected: {},
  },
  {
    title: 'A dead sandbox is replaced and the containers start over',
    runtime: withoutSandbox(testRuntime({})),
    expected: { killPod: true, createSandbox: true, attempt: 1, start: ['app'] },
  },
  {
    title: 'A dead sandbox of a pod that is not restarted is not replaced',
    spec: { restartPolicy: 'Never' },
    runtime: withoutSandbox(testRuntime(exited('app', 0))),
    expected: { killPod: true, attempt: 1 },
  },
  {
    title: 'With OnFailure a dead sandbox is replaced only for the containers that have not succeeded',
    spec: { restartPolicy: 'OnFailure', containers: [container('a'), container('b')] },
    runtime: withoutSandbox(testRuntime(exited('a', 0), exited('b', 1))),
    expected: { killPod: true, createSandbox: true, attempt: 1, start: ['b'] },
  },
  {
    title: 'A dead container is restarted when the policy says so',
    runtime: testRuntime(exited('app', 0)),
    expected: { start: ['app'] },
  },
  {
    title: 'With OnFailure a failed container is restarted',
    spec: { restartPolicy: 'OnFailure' },
    runtime: testRuntime(exited('app', 1)),
    expected: { start: ['app'] },
  },
  {
    title: 'With OnFailure a pod whose containers have succeeded is taken down',
    spec: { restartPolicy: 'OnFailure' },
    runtime: testRuntime(exited('app', 0)),
    expected: { killPod: true },
  },
  {
    title: 'With Never a failed container stays as it is while another one runs',
    spec: { restartPolicy: 'Never', containers: [container('a'), container('b')] },
    runtime: testRuntime(exited('a', 1), { name: 'b' }),
    expected: {},
  },
  {
    title: 'A restart rule for the exit code wins over the policy Never',
    spec: {
      restartPolicy: 'Never',
      containers: [
        container('a', {
          restartPolicy: 'Never',
          restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }],
        }),
      ],
    },
    runtime: testRuntime(exited('a', 42)),
    expected: { start: ['a'] },
  },
  {
    title: 'A container that was created and never started is started again',
    runtime: testRuntime({ state: 'created' }),
    expected: { start: ['app'] },
  },
  {
    title: 'A container in unknown state is killed before it is started again',
    runtime: testRuntime({ state: 'unknown' }),
    expected: {
      start: ['app'],
      kill: ['app: Container is in "unknown" state, try killing it before restart'],
    },
  },
  {
    title: 'A container whose image changed is replaced, even with the policy Never',
    spec: { restartPolicy: 'Never' },
    runtime: testRuntime({ hash: containerHash(container('app', { image: 'old:1' })) }),
    expected: { start: ['app'], kill: ['app: Container app definition changed, will be restarted'] },
  },
  {
    title: 'A container that failed its liveness probe is restarted',
    runtime: testRuntime({}),
    liveness: { 'id-app-0': 'failure' },
    expected: { start: ['app'], kill: ['app: Container app failed liveness probe, will be restarted'] },
  },
  {
    title: 'With Never a container that failed its liveness probe is only killed, and its pod with it',
    spec: { restartPolicy: 'Never' },
    runtime: testRuntime({}),
    liveness: { 'id-app-0': 'failure' },
    expected: { killPod: true, kill: ['app: Container app failed liveness probe'] },
  },
  {
    title: 'A container that failed its startup probe is restarted',
    runtime: testRuntime({}),
    startup: { 'id-app-0': 'failure' },
    expected: { start: ['app'], kill: ['app: Container app failed startup probe, will be restarted'] },
  },
  {
    title: 'A dead container of a deleted pod is not restarted',
    deleted: true,
    runtime: testRuntime(exited('app', 1)),
    expected: { killPod: true },
  },
  {
    title: 'An ephemeral container is started once',
    spec: { ephemeralContainers: [{ name: 'debug' }] },
    runtime: testRuntime({}),
    expected: { startEphemeral: ['debug'] },
  },
  {
    title: 'An ephemeral container that has ended is not started again',
    spec: { ephemeralContainers: [{ name: 'debug' }] },
    runtime: testRuntime({}, exited('debug', 1)),
    expected: {},
  },
  {
    title: 'A running init container is waited for',
    spec: { initContainers: [container('i'), container('j')] },
    runtime: testRuntime({ name: 'i' }),
    expected: {},
  },
  {
    title: 'The next init container follows one that succeeded',
    spec: { initContainers: [container('i'), container('j')] },
    runtime: testRuntime(exited('i', 0)),
    expected: { startInit: ['j'] },
  },
  {
    title: 'The regular containers follow the last init container',
    spec: { initContainers: [container('i'), container('j')] },
    runtime: testRuntime(exited('i', 0), exited('j', 0)),
    expected: { start: ['app'] },
  },
  {
    title: 'A failed init container is tried again',
    spec: { initContainers: [container('i')] },
    runtime: testRuntime(exited('i', 1)),
    expected: { startInit: ['i'] },
  },
  {
    title: 'A failed init container ends a pod that is not restarted',
    spec: { restartPolicy: 'Never', initContainers: [container('i')] },
    runtime: testRuntime(exited('i', 1)),
    expected: { killPod: true },
  },
  {
    title: 'Init containers that are gone are not run again while a regular container runs',
    spec: { initContainers: [container('i')] },
    runtime: testRuntime({}),
    expected: {},
  },
  {
    title: 'The next init container follows a sidecar that has started',
    spec: { initContainers: [sidecar('s'), container('j')] },
    runtime: testRuntime({ name: 's' }),
    expected: { startInit: ['j'] },
  },
  {
    title: 'A sidecar with a startup probe holds up the rest until the probe succeeds',
    spec: { initContainers: [sidecar('s', { startupProbe: PROBE }), container('j')] },
    runtime: testRuntime({ name: 's' }),
    startup: { 'id-s-0': 'unknown' },
    expected: {},
  },
  {
    title: 'A sidecar whose startup probe succeeded lets the rest go on',
    spec: { initContainers: [sidecar('s', { startupProbe: PROBE })] },
    runtime: testRuntime({ name: 's' }),
    startup: { 'id-s-0': 'success' },
    expected: { start: ['app'] },
  },
  {
    title: 'A sidecar that failed its startup probe is restarted',
    spec: { initContainers: [sidecar('s', { startupProbe: PROBE })] },
    runtime: testRuntime({ name: 's' }),
    startup: { 'id-s-0': 'failure' },
    expected: { startInit: ['s'], kill: ['s: Init container s failed startup probe'] },
  },
  {
    title: 'A dead sidecar is restarted beside running containers',
    spec: { initContainers: [sidecar('s')] },
    runtime: testRuntime(exited('s', 0), {}),
    expected: { startInit: ['s'] },
  },
  {
    title: 'A sidecar that failed its liveness probe is restarted beside running containers',
    spec: { initContainers: [sidecar('s', { livenessProbe: PROBE })] },
    runtime: testRuntime({ name: 's' }, {}),
    liveness: { 'id-s-0': 'failure' },
    expected: { startInit: ['s'], kill: ['s: Init container s failed liveness probe'] },
  },
  {
    title: 'A running sidecar does not keep a pod alive whose containers have ended',
    spec: { restartPolicy: 'Never', initContainers: [sidecar('s')] },
    runtime: testRuntime({ name: 's' }, exited('app', 0)),
    expected: { killPod: true },
  },
  {
    title: 'Sidecars before a running init container are kept running',
    spec: { initContainers: [sidecar('s'), container('i')] },
    runtime: testRuntime(exited('s', 1), { name: 'i' }),
    expected: { startInit: ['s'] },
  },
];

for (const { title, spec, deleted, runtime, liveness = {}, startup = {}, expected } of rows) {
  test(title, () => {
    const pod = testPod(spec);
    const asked = deleted
      ? { ...pod, metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:01:00Z' } }
      : pod;
    const actions = computePodActions(asked, runtime, {
      liveness: (id) => liveness[id],
      startup: (id) => startup[id],
    });
    const names = (containers: readonly coreV1.Container[]): readonly string[] =>
      containers.map(({ name }) => name);
    assert.deepEqual(
      {
        killPod: actions.killPod,
        createSandbox: actions.createSandbox,
        attempt: actions.attempt,
        kill: actions.kill.map(({ container: { name }, message }) => `${name}: ${message}`),
        startInit: names(actions.startInit),
        start: names(actions.start),
        startEphemeral: names(actions.startEphemeral),
      },
      {
        killPod: false,
        createSandbox: false,
        attempt: 0,
        kill: [],
        startInit: [],
        start: [],
        startEphemeral: [],
        ...expected,
      },
    );
  });
}
