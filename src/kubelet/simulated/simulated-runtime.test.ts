import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerConfig, PodSandboxConfig } from '#cri';
import { seededRandom, VirtualClock } from '#testing';
import { type RuntimeUnderTest, runtimeContract } from '#cri/contract';
import { createMemoryFiles } from './memory-files.ts';
import { createSimulatedRuntime } from './simulated-runtime.ts';

const namespaces = { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } as const;

const sandboxConfig = (name: string): PodSandboxConfig => ({
  metadata: { name, uid: `uid-${name}`, namespace: 'default', attempt: 0 },
  hostname: name,
  logDirectory: `/logs/${name}`,
  portMappings: [],
  labels: { 'io.kubernetes.pod.uid': `uid-${name}` },
  annotations: { note: 'x' },
  linux: {
    cgroupParent: '',
    namespaces,
    sysctls: {},
    seccomp: { type: 'RuntimeDefault' },
    privileged: false,
  },
});

const containerConfig = (name: string, command: readonly string[]): ContainerConfig => ({
  metadata: { name, attempt: 2 },
  image: '',
  command,
  args: [],
  workingDir: '',
  env: [],
  mounts: [],
  devices: [],
  labels: { 'io.kubernetes.container.name': name },
  annotations: { a: 'b' },
  logPath: `${name}/2.log`,
  stdin: false,
  stdinOnce: false,
  tty: false,
  linux: {
    resources: {},
    security: {
      capabilities: { add: [], drop: [] },
      privileged: false,
      namespaces,
      supplementalGroups: [],
      readonlyRootfs: false,
      noNewPrivs: false,
      maskedPaths: [],
      readonlyPaths: [],
      seccomp: { type: 'RuntimeDefault' },
      apparmor: { type: 'Unconfined' },
    },
  },
});

async function open(): Promise<RuntimeUnderTest> {
  const clock = new VirtualClock();
  const runtime = createSimulatedRuntime({
    clock,
    random: seededRandom(7),
    behaviour: {
      container: ({ command: [word, code] }) =>
        word === 'exit'
          ? { exitAfterMs: 10, exitCode: Number(code) }
          : word === 'stubborn'
            ? { stopAfterMs: Number.MAX_SAFE_INTEGER }
            : {},
      image: (name) => (name.startsWith('missing') ? { error: `failed to pull "${name}": not found` } : {}),
    },
  });
  return {
    runtime,
    images: runtime,
    image: 'app:1',
    missingImage: 'missing:1',
    commands: { forever: ['forever'], stubborn: ['stubborn'], exit: (code) => ['exit', String(code)] },
    hasNetwork: true,
    sandboxConfig,
    containerConfig,
    async ended(id) {
      await clock.advance(10);
      return (await runtime.containerStatus(id)).exitCode;
    },
    async whileTimePasses(work) {
      await clock.advance(2000);
      return work;
    },
    dispose: async () => undefined,
  };
}

runtimeContract('simulated runtime', open);

test('Addresses of stopped sandboxes are given out again', async () => {
  const clock = new VirtualClock();
  const runtime = createSimulatedRuntime({ clock, random: seededRandom(7), podCidr: '10.1.0.0/30' });
  const id = await runtime.runPodSandbox(sandboxConfig('one'), '');
  assert.deepEqual((await runtime.podSandboxStatus(id)).ips, ['10.1.0.2']);
  await assert.rejects(runtime.runPodSandbox(sandboxConfig('two'), ''), /no free address/);
  await runtime.stopPodSandbox(id);
  const next = await runtime.runPodSandbox(sandboxConfig('two'), '');
  assert.deepEqual((await runtime.podSandboxStatus(next)).ips, ['10.1.0.2']);
});

test('A container writes the log lines of its script in CRI format', async () => {
  const clock = new VirtualClock();
  const files = createMemoryFiles(clock);
  const behaviour = { container: () => ({ logs: ['hello', 'world'] }) };
  const runtime = createSimulatedRuntime({ clock, random: seededRandom(7), files, behaviour });
  const sandbox = sandboxConfig('one');
  const sandboxId = await runtime.runPodSandbox(sandbox, '');
  const image = await runtime.pullImage('app:1');
  const id = await runtime.createContainer(sandboxId, { ...containerConfig('app', []), image }, sandbox);
  await runtime.startContainer(id);
  assert.equal(
    (await files.readFile('/logs/one/app/2.log')).toString(),
    '2026-01-01T00:00:00.000000000Z stdout F hello\n2026-01-01T00:00:00.000000000Z stdout F world\n',
  );
});
