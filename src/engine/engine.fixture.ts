/** An engine of its own for a test file, and short ways to say what a test means. Only for tests. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '#platform';
import { systemClock, systemRandom } from '#platform/node';
import type {
  ContainerConfig,
  ContainerEvent,
  LinuxSecurityContext,
  NamespaceOptions,
  PodSandboxConfig,
} from '#cri';
import { removeCgroup } from './containers/cgroups.ts';
import { findProgram } from './containers/runc.ts';
import { createEngine } from './engine.ts';
import type { Engine, EngineOptions } from './engine.ts';
import { assertSystemCallsWork } from './kernel/libc.ts';

/** Why real containers cannot run here; undefined when they can. */
export function whyNoContainers(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root';
  try {
    assertSystemCallsWork();
    for (const program of ['runc', 'conmon', 'busybox']) findProgram(program);
  } catch (e) {
    return e instanceof Error ? e.message : String(e);
  }
  return undefined;
}

export interface Fixture {
  readonly engine: Engine;
  readonly options: EngineOptions;
  readonly cgroupParent: string;
  readonly logs: string;
  sandboxConfig(name: string, namespaces?: Partial<NamespaceOptions>): PodSandboxConfig;
  containerConfig(name: string, command: readonly string[], overrides?: ContainerOverrides): ContainerConfig;
  /** Sandbox and container, started. */
  run(name: string, command: readonly string[], overrides?: ContainerOverrides): Promise<Running>;
  /** Resolves with the container's exit code. */
  ended(containerId: string): Promise<number>;
  /** The log's text without times, streams and flags. */
  log(running: Running): string;
  dispose(): Promise<void>;
}

export interface Running {
  readonly sandboxId: string;
  readonly containerId: string;
  readonly sandbox: PodSandboxConfig;
  readonly config: ContainerConfig;
}

export type ContainerOverrides = Partial<Omit<ContainerConfig, 'linux'>> & {
  readonly security?: Partial<LinuxSecurityContext>;
  readonly resources?: ContainerConfig['linux']['resources'];
};

const NAMESPACES: NamespaceOptions = { network: 'POD', pid: 'CONTAINER', ipc: 'POD' };

const SECURITY: LinuxSecurityContext = {
  capabilities: { add: [], drop: [] },
  privileged: false,
  namespaces: NAMESPACES,
  supplementalGroups: [],
  readonlyRootfs: false,
  noNewPrivs: false,
  maskedPaths: ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware'],
  readonlyPaths: ['/proc/sys', '/proc/sysrq-trigger'],
  seccomp: { type: 'RuntimeDefault' },
  apparmor: { type: 'Unconfined' },
};

let attempts = 0;

export async function engineFixture(extra: Partial<EngineOptions> = {}): Promise<Fixture> {
  const folder = mkdtempSync(join(tmpdir(), 'k8ts-engine-'));
  const stateDir = mkdtempSync('/run/k8ts-test-');
  const options: EngineOptions = {
    rootDir: join(folder, 'root'),
    stateDir,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    ...extra,
  };
  const engine = await createEngine(options);
  const cgroupParent = `/${stateDir.split('/').pop() ?? 'k8ts-test'}`;
  const logs = join(folder, 'logs');

  const sandboxConfig = (name: string, namespaces: Partial<NamespaceOptions> = {}): PodSandboxConfig => ({
    metadata: { name, uid: `uid-${name}`, namespace: 'default', attempt: attempts++ },
    hostname: name,
    logDirectory: join(logs, `${name}-${attempts}`),
    dns: { servers: ['10.0.0.10'], searches: ['default.svc.cluster.local'], options: ['ndots:5'] },
    portMappings: [],
    labels: { app: name },
    annotations: {},
    linux: {
      cgroupParent,
      namespaces: { ...NAMESPACES, ...namespaces },
      sysctls: {},
      seccomp: { type: 'RuntimeDefault' },
      privileged: false,
    },
  });

  const containerConfig = (
    name: string,
    command: readonly string[],
    overrides: ContainerOverrides = {},
  ): ContainerConfig => {
    const { security, resources, ...rest } = overrides;
    return {
      metadata: { name, attempt: 0 },
      image: 'k8ts.local/base:latest',
      command,
      args: [],
      workingDir: '',
      env: [],
      mounts: [],
      devices: [],
      labels: { name },
      annotations: {},
      logPath: `${name}/0.log`,
      stdin: false,
      stdinOnce: false,
      tty: false,
      linux: { resources: resources ?? {}, security: { ...SECURITY, ...security } },
      ...rest,
    };
  };

  const fixture: Fixture = {
    engine,
    options,
    cgroupParent,
    logs,
    sandboxConfig,
    containerConfig,
    async run(name, command, overrides = {}) {
      const sandbox = sandboxConfig(name, overrides.security?.namespaces);
      const config = containerConfig('main', command, overrides);
      const sandboxId = await engine.runtime.runPodSandbox(sandbox, '');
      const containerId = await engine.runtime.createContainer(sandboxId, config, sandbox);
      await engine.runtime.startContainer(containerId);
      return { sandboxId, containerId, sandbox, config };
    },
    ended: (containerId) => untilEnded(engine, containerId),
    log: ({ sandbox, config }) => logText(join(sandbox.logDirectory, config.logPath)),
    async dispose() {
      await engine.cleanup();
      removeCgroup(cgroupParent);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return fixture;
}

export async function untilEnded(engine: Engine, containerId: string): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = engine.runtime.onEvent((event: ContainerEvent) => {
    if (event.containerId === containerId && event.type === 'CONTAINER_STOPPED') resolve();
  });
  try {
    const before = await engine.runtime.containerStatus(containerId);
    if (before.state !== 'CONTAINER_EXITED') await promise;
    return (await engine.runtime.containerStatus(containerId)).exitCode;
  } finally {
    stop();
  }
}

export function logText(path: string): string {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, , flag, ...words] = line.split(' ');
      return `${words.join(' ')}${flag === 'F' ? '\n' : ''}`;
    })
    .join('');
}
