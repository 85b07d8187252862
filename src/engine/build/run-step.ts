/** RUN: a command in a container on the root filesystem being built. */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { CHILD_ENVIRONMENT } from '../child-process.ts';
import { availableCapabilities, containerCapabilities } from '../containers/capabilities.ts';
import { removeCgroup } from '../containers/cgroups.ts';
import type { Runc } from '../containers/runc.ts';
import { defaultSeccomp } from '../containers/seccomp-profile.ts';
import type { ProcessUser } from '../containers/user.ts';

export interface RunOrder {
  readonly id: string;
  /** For config.json; made and removed. */
  readonly bundle: string;
  readonly rootfs: string;
  readonly command: readonly string[];
  readonly environment: readonly string[];
  readonly workingDir: string;
  readonly user: ProcessUser;
  readonly network: 'none' | 'host';
  readonly mounts: readonly RunMount[];
  readonly onOutput: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface RunMount {
  readonly destination: string;
  readonly type: 'bind' | 'tmpfs';
  readonly source: string;
  readonly readonly: boolean;
}

/** Lines kept to be told with a failure. */
const LAST_LINES = 20;

const MASKED = ['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/sched_debug'];
const MASKED_TOO = ['/proc/scsi', '/proc/timer_list', '/proc/timer_stats', '/sys/firmware'];
const READONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

function spec(order: RunOrder): object {
  const capabilities = containerCapabilities({ add: [], drop: [] }, false, availableCapabilities());
  const strict = ['nosuid', 'noexec', 'nodev'];
  const hostFiles = order.network === 'host' ? ['/etc/resolv.conf', '/etc/hosts'] : [];
  return {
    ociVersion: '1.0.2',
    hostname: 'build',
    process: {
      user: order.user,
      args: order.command,
      env: order.environment,
      cwd: order.workingDir,
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    },
    root: { path: order.rootfs, readonly: false },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: strict },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=65536k'] },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666'],
      },
      {
        destination: '/dev/shm',
        type: 'tmpfs',
        source: 'shm',
        options: [...strict, 'mode=1777', 'size=65536k'],
      },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...strict, 'ro'] },
      ...hostFiles.map((path) => ({
        destination: path,
        type: 'bind',
        source: path,
        options: ['rbind', 'ro'],
      })),
      ...order.mounts.map(({ destination, type, source, readonly }) => ({
        destination,
        type,
        source,
        options: type === 'tmpfs' ? ['nosuid', 'nodev'] : ['rbind', readonly ? 'ro' : 'rw'],
      })),
    ],
    linux: {
      cgroupsPath: `/k8ts-${order.id}`,
      namespaces: ['mount', 'pid', 'ipc', 'uts', ...(order.network === 'none' ? ['network'] : [])].map(
        (type) => ({ type }),
      ),
      seccomp: defaultSeccomp(capabilities),
      maskedPaths: [...MASKED, ...MASKED_TOO],
      readonlyPaths: READONLY,
    },
  };
}

/** @throws when the command ends with another code than 0, or the signal's reason. */
export async function runInRootfs(runc: Runc, order: RunOrder): Promise<void> {
  const { id, bundle, signal } = order;
  signal?.throwIfAborted();
  mkdirSync(bundle, { recursive: true });
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec(order)));
  const lines: string[] = [];
  const tell = (line: string): void => {
    lines.push(line);
    if (lines.length > LAST_LINES) lines.shift();
    order.onOutput(line);
  };
  try {
    const exitCode = await runForeground(runc, id, bundle, tell, signal);
    signal?.throwIfAborted();
    if (exitCode !== 0) {
      const told = lines.length === 0 ? '' : `\n${lines.map((line) => `  ${line}`).join('\n')}`;
      throw new Error(
        `process "${order.command.join(' ')}" did not complete successfully: exit code: ${exitCode}${told}`,
      );
    }
  } finally {
    await runc.deleteForced(id);
    removeCgroup(`/k8ts-${id}`);
    await rm(bundle, { recursive: true, force: true });
  }
}

function runForeground(
  runc: Runc,
  id: string,
  bundle: string,
  tell: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(runc.path, ['--root', runc.root, 'run', '--bundle', bundle, id], {
      env: CHILD_ENVIRONMENT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const onAbort = (): void => {
      runc.kill(id, 'KILL').catch(() => child.kill('SIGKILL'));
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    for (const stream of [child.stdout, child.stderr]) splitLines(stream, tell);
    child.on('error', reject);
    child.on('close', (code) => {
      signal?.removeEventListener('abort', onAbort);
      resolve(code ?? 137);
    });
  });
}

function splitLines(stream: NodeJS.ReadableStream, tell: (line: string) => void): void {
  const decoder = new StringDecoder();
  let rest = '';
  stream.on('data', (chunk: Buffer) => {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) tell(line);
  });
  stream.on('end', () => {
    if (rest !== '') tell(rest);
  });
}
