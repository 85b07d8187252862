/**
 * Pod sandboxes: what the containers of a pod share. Namespaces are pinned by bind mounts, so that there is no
 * process to hold them and nothing that can die; only a shared PID namespace needs one (`pause.ts`).
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Logger } from '#platform';
import { RuntimeError } from '#cri';
import type { PodSandboxConfig, SandboxNetwork } from '#cri';
import type { EnginePaths } from '../engine-paths.ts';
import { MS_NODEV, MS_NOEXEC, MS_NOSUID, mount, unmount } from '../kernel/libc.ts';
import { createPinnedNamespaces, startThreadPool } from '../kernel/namespaces.ts';
import { unmountBelow } from '../kernel/mounts.ts';
import type { NamespaceKind } from '../kernel/namespaces.ts';
import type { RecordStore } from '../record-store.ts';
import type { PauseProcesses } from './pause-processes.ts';
import type { SandboxFiles, SandboxRecord } from './sandbox-record.ts';

export interface SandboxesOptions {
  readonly paths: EnginePaths;
  readonly records: RecordStore<SandboxRecord>;
  /** Undefined: pods have their loopback and nothing else. */
  readonly network: SandboxNetwork | undefined;
  readonly pause: PauseProcesses;
  readonly nanos: () => bigint;
  readonly newId: () => string;
  readonly logger: Logger;
}

/** Of /dev/shm: Docker's and containerd's default. */
const SHM_BYTES = 64 * 1024 * 1024;
const NAMESPACE_KINDS: readonly NamespaceKind[] = ['net', 'ipc', 'uts'];

export class Sandboxes {
  readonly #options: SandboxesOptions;

  constructor(options: SandboxesOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    await startThreadPool();
    const { paths, records } = this.#options;
    for (const kind of NAMESPACE_KINDS) await mkdir(dirname(paths.namespace(kind, 'x')), { recursive: true });
    for (const record of records.list()) {
      // After a restart of the machine the pins are gone, and with them the pod.
      if (record.state === 'SANDBOX_READY' && !this.#isWhole(record)) {
        await records.put({ ...record, state: 'SANDBOX_NOTREADY' });
      }
    }
  }

  #isWhole({ id, namespaces, pausePid }: SandboxRecord): boolean {
    if (!existsSync(this.#options.paths.sandbox(id))) return false;
    if (pausePid !== undefined && !existsSync(`/proc/${pausePid}/ns/pid`)) return false;
    return Object.values(namespaces).every((path) => existsSync(path));
  }

  /** @throws RuntimeError NOT_FOUND. */
  get(id: string): SandboxRecord {
    const record = this.#options.records.get(id);
    if (record === undefined) throw new RuntimeError('NOT_FOUND', `sandbox "${id}" not found`);
    return record;
  }

  files(id: string): SandboxFiles {
    const folder = this.#options.paths.sandbox(id);
    return {
      resolvConf: join(folder, 'resolv.conf'),
      hostname: join(folder, 'hostname'),
      shm: join(folder, 'shm'),
    };
  }

  /** Makes the sandbox and brings its network up. What was made is taken away again when a step fails. */
  async run(config: PodSandboxConfig): Promise<SandboxRecord> {
    const { paths, records, network, pause, nanos, newId } = this.#options;
    const id = newId();
    const { namespaces: modes } = config.linux;
    const ownNetwork = modes.network !== 'NODE';
    const namespaces = {
      // The host's name goes with the host's network.
      ...(ownNetwork ? { net: paths.namespace('net', id), uts: paths.namespace('uts', id) } : {}),
      ...(modes.ipc === 'NODE' ? {} : { ipc: paths.namespace('ipc', id) }),
    };
    let record: SandboxRecord = {
      id,
      config,
      state: 'SANDBOX_READY',
      createdAt: nanos().toString(),
      ips: [],
      namespaces,
    };
    try {
      await this.#makeFiles(id, config);
      createPinnedNamespaces({ paths: namespaces, hostname: config.hostname, sysctls: config.linux.sysctls });
      if (ownNetwork && network !== undefined) {
        const ips = await network.attach({ id, networkNamespace: paths.namespace('net', id), config });
        record = { ...record, ips };
      }
      if (modes.pid === 'POD') record = { ...record, pausePid: await pause.start(record) };
      await records.put(record);
      return record;
    } catch (e) {
      await this.#takeDown(record).catch((failure: unknown) => {
        this.#options.logger.warn({ sandbox: id, error: String(failure) }, 'leftovers of a failed sandbox');
      });
      await records.remove(id);
      await rm(paths.sandbox(id), { recursive: true, force: true });
      const reason = e instanceof Error ? e.message : String(e);
      throw new RuntimeError('UNKNOWN', `failed to create pod sandbox: ${reason}`, e);
    }
  }

  async #makeFiles(id: string, config: PodSandboxConfig): Promise<void> {
    const { resolvConf, hostname, shm } = this.files(id);
    await mkdir(shm, { recursive: true });
    await writeFile(resolvConf, resolvConfText(config));
    await writeFile(hostname, `${config.hostname}\n`);
    if (config.logDirectory !== '') await mkdir(config.logDirectory, { recursive: true, mode: 0o755 });
    if (config.linux.namespaces.ipc !== 'NODE') {
      mount('shm', shm, 'tmpfs', MS_NOSUID | MS_NODEV | MS_NOEXEC, `mode=1777,size=${SHM_BYTES}`);
    }
  }

  /** Network down, namespaces gone. The containers must have ended. Idempotent. */
  async stop(record: SandboxRecord): Promise<SandboxRecord> {
    await this.#takeDown(record);
    const { pausePid: _, ...rest } = record;
    const stopped: SandboxRecord = { ...rest, state: 'SANDBOX_NOTREADY' };
    await this.#options.records.put(stopped);
    return stopped;
  }

  async #takeDown(record: SandboxRecord): Promise<void> {
    const { network, paths, pause } = this.#options;
    const { id, namespaces } = record;
    if (network !== undefined && namespaces.net !== undefined) {
      await network.detach({ id, networkNamespace: namespaces.net });
    }
    if (record.pausePid !== undefined || record.config.linux.namespaces.pid === 'POD') await pause.stop(id);
    for (const path of Object.values(namespaces)) {
      unmount(path);
      rmSync(path, { force: true });
    }
    unmount(join(paths.sandbox(id), 'shm'));
  }

  async remove(record: SandboxRecord): Promise<void> {
    const { paths, records } = this.#options;
    await this.#takeDown(record);
    unmountBelow(paths.sandbox(record.id));
    await rm(paths.sandbox(record.id), { recursive: true, force: true });
    await records.remove(record.id);
  }
}

function resolvConfText({ dns }: PodSandboxConfig): string {
  if (dns === undefined) {
    try {
      return readFileSync('/etc/resolv.conf', 'utf8');
    } catch {
      return '';
    }
  }
  const lines = [
    ...(dns.searches.length > 0 ? [`search ${dns.searches.join(' ')}`] : []),
    ...dns.servers.map((server) => `nameserver ${server}`),
    ...(dns.options.length > 0 ? [`options ${dns.options.join(' ')}`] : []),
  ];
  return lines.map((line) => `${line}\n`).join('');
}
