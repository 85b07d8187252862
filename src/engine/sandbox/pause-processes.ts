import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#platform';
import type { EnginePaths } from '../engine-paths.ts';
import type { Monitor } from '../containers/monitor.ts';
import type { Runc } from '../containers/runc.ts';
import { writePauseRootfs } from './pause.ts';
import type { SandboxRecord } from './sandbox-record.ts';

/** Names the container that holds a shared PID namespace; its exit file is nobody's container's. */
const pauseId = (sandboxId: string): string => `pause-${sandboxId}`;

/** Starts and ends the processes of `pause.ts`, as containers of their own with nothing in them. */
export class PauseProcesses {
  readonly #paths: EnginePaths;
  readonly #monitor: Monitor;
  readonly #runc: Runc;
  readonly #clock: Clock;

  constructor(paths: EnginePaths, monitor: Monitor, runc: Runc, clock: Clock) {
    this.#paths = paths;
    this.#monitor = monitor;
    this.#runc = runc;
    this.#clock = clock;
  }

  /** Returns the process id. */
  async start(sandbox: SandboxRecord): Promise<number> {
    const id = pauseId(sandbox.id);
    const bundle = this.#paths.bundle(id);
    const rootfs = join(this.#paths.root, 'pause');
    if (!existsSync(join(rootfs, 'pause'))) {
      mkdirSync(rootfs, { recursive: true });
      writePauseRootfs(rootfs);
    }
    mkdirSync(bundle, { recursive: true });
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(pauseSpec(sandbox, rootfs, id)));
    const pid = await this.#monitor.create({
      id,
      name: 'pause',
      bundle,
      logPath: '',
      terminal: false,
      stdin: false,
      keepsStdinOpen: false,
    });
    await this.#runc.start(id, this.#clock);
    return pid;
  }

  /** Idempotent. */
  async stop(sandboxId: string): Promise<void> {
    const id = pauseId(sandboxId);
    const bundle = this.#paths.bundle(id);
    if (!existsSync(bundle)) return;
    await this.#runc.deleteForced(id);
    await rm(bundle, { recursive: true, force: true });
    await rm(join(this.#paths.exits, id), { force: true });
  }
}

function pauseSpec({ config, namespaces }: SandboxRecord, rootfs: string, id: string): object {
  const optional = Object.entries({ network: namespaces.net, ipc: namespaces.ipc, uts: namespaces.uts })
    .filter(([, path]) => path !== undefined)
    .map(([type, path]) => ({ type, path }));
  return {
    ociVersion: '1.0.2',
    process: { user: { uid: 65535, gid: 65535 }, args: ['/pause'], cwd: '/', noNewPrivileges: true },
    root: { path: rootfs, readonly: true },
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] }],
    linux: {
      cgroupsPath: join('/', config.linux.cgroupParent, id),
      namespaces: [{ type: 'mount' }, { type: 'pid' }, ...optional],
    },
  };
}
