/** Everything that stands before `runc create`: root filesystem, user, volumes, and the runtime's description of it. */
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '#platform';
import { RuntimeError } from '#cri';
import type { ContainerConfig, Mount, PodSandboxConfig } from '#cri';
import { runProgram } from '../child-process.ts';
import type { Digest, ProcessDefaults } from '../content/media-types.ts';
import type { EnginePaths } from '../engine-paths.ts';
import type { Images } from '../images/images.ts';
import { unmountBelow } from '../kernel/mounts.ts';
import type { SandboxFiles, SandboxRecord } from '../sandbox/sandbox-record.ts';
import { scopedPath } from '../snapshots/scoped-path.ts';
import type { SnapshotStore } from '../snapshots/snapshot-store.ts';
import { availableCapabilities, containerCapabilities } from './capabilities.ts';
import { cgroupVersion } from './cgroups.ts';
import type { ContainerRecord } from './container-record.ts';
import { hostDevices, wantedDevices } from './devices.ts';
import { bindOptions, runtimeSpec } from './runtime-spec.ts';
import type { SpecInput, SpecMount } from './runtime-spec.ts';
import { seccompFor } from './seccomp-profile.ts';
import { signalNumber } from './signals.ts';
import { resolveUser } from './user.ts';

export interface PreparationOptions {
  readonly paths: EnginePaths;
  readonly images: Images;
  readonly snapshots: SnapshotStore;
  readonly logger: Logger;
}

/** A container to be made. */
export interface PreparedContainer {
  readonly id: string;
  readonly createdAt: bigint;
  readonly config: ContainerConfig;
  readonly sandbox: SandboxRecord;
  readonly sandboxConfig: PodSandboxConfig;
  readonly files: SandboxFiles;
  /** Process whose PID namespace to join, by the container's or the pod's wish. */
  readonly pidNamespaceOf: number | undefined;
}

/** CAP_SYS_RESOURCE's bit: who has it may go below its own oom_score_adj. */
const LOWEST_OOM_SCORE_ADJ = -1000;

export class ContainerPreparation {
  readonly #options: PreparationOptions;
  readonly #capabilities = availableCapabilities();
  readonly #cgroupVersion = cgroupVersion();
  readonly #oomScoreAdjMin: number;

  constructor(options: PreparationOptions) {
    this.#options = options;
    this.#oomScoreAdjMin = this.#capabilities.includes('CAP_SYS_RESOURCE')
      ? LOWEST_OOM_SCORE_ADJ
      : Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
  }

  /** Makes folders, mounts and config.json. `undo` takes them away, also after a failure half way. */
  async prepare(container: PreparedContainer): Promise<ContainerRecord> {
    const { images, snapshots, paths } = this.#options;
    const { id, config, sandbox } = container;
    const image = images.find(config.image);
    if (image === undefined) throw new RuntimeError('NOT_FOUND', `image "${config.image}" not found`);
    const defaults = (await images.config(image)).config ?? {};
    const rootfs = join(paths.bundle(id), 'rootfs');
    await mkdir(paths.bundle(id), { recursive: true });
    await snapshots.mountWritable(id, image.diffIds, rootfs);
    const { security, resources } = config.linux;
    const user = resolveUser(rootfs, { ...security, imageUser: defaults.User ?? '' });
    const mountedImages: Digest[] = [];
    const mounts = [
      ...this.#sandboxMounts(container),
      ...(await this.#imageVolumes(container, defaults, rootfs)),
      ...(await Promise.all(config.mounts.map((mount, i) => this.#mount(id, mount, i, mountedImages)))),
    ];
    const record: ContainerRecord = {
      id,
      sandboxId: sandbox.id,
      podUid: sandbox.config.metadata.uid,
      config,
      imageId: image.id,
      diffIds: image.diffIds,
      createdAt: container.createdAt.toString(),
      logPath: await logPathOf(container),
      cgroup: join('/', container.sandboxConfig.linux.cgroupParent, id),
      user,
      stopSignal: stopSignalOf(config, defaults),
      resources,
      mountedImages,
    };
    const spec = runtimeSpec(this.#specInput(container, record, defaults, rootfs, mounts));
    writeFileSync(join(paths.bundle(id), 'config.json'), JSON.stringify(spec), { mode: 0o600 });
    return record;
  }

  #specInput(
    { config, sandbox, sandboxConfig, pidNamespaceOf }: PreparedContainer,
    record: ContainerRecord,
    image: ProcessDefaults,
    rootfs: string,
    mounts: readonly SpecMount[],
  ): SpecInput {
    const { security } = config.linux;
    const capabilities = containerCapabilities(
      security.capabilities,
      security.privileged,
      this.#capabilities,
    );
    const { net, ipc, uts } = sandbox.namespaces;
    return {
      id: record.id,
      config,
      image,
      rootfs,
      hostname: sandboxConfig.hostname,
      user: record.user,
      capabilities,
      seccomp: security.privileged ? undefined : seccompFor(security.seccomp, capabilities),
      cgroup: record.cgroup,
      cgroupVersion: this.#cgroupVersion,
      namespaces: { network: net, ipc, uts, pid: pidNamespace(security.namespaces.pid, pidNamespaceOf) },
      mounts,
      devices: security.privileged ? hostDevices() : config.devices.flatMap(wantedDevices),
      oomScoreAdjMin: this.#oomScoreAdjMin,
    };
  }

  /** What every container of a pod sees: names, resolver, shared memory. */
  #sandboxMounts({ sandbox, files, config }: PreparedContainer): SpecMount[] {
    const bind = (source: string, destination: string): SpecMount => ({
      destination,
      source,
      type: 'bind',
      options: ['rbind', 'rprivate', config.linux.security.readonlyRootfs ? 'ro' : 'rw'],
    });
    const shm = sandbox.namespaces.ipc === undefined ? '/dev/shm' : files.shm;
    return [
      bind(files.resolvConf, '/etc/resolv.conf'),
      bind(files.hostname, '/etc/hostname'),
      { destination: '/dev/shm', source: shm, type: 'bind', options: ['rbind', 'rprivate', 'rw'] },
    ];
  }

  async #mount(id: string, mount: Mount, index: number, mountedImages: Digest[]): Promise<SpecMount> {
    const { images, snapshots, paths } = this.#options;
    const target = { destination: mount.containerPath, type: 'bind', options: bindOptions(mount) };
    if (mount.image === undefined || mount.image === '') {
      // As Docker and containerd do: a hostPath that is not there becomes a folder.
      if (!existsSync(mount.hostPath)) mkdirSync(mount.hostPath, { recursive: true });
      return { ...target, source: mount.hostPath };
    }
    const image = images.find(mount.image);
    if (image === undefined) throw new RuntimeError('NOT_FOUND', `image "${mount.image}" not found`);
    const place = join(paths.bundle(id), `image-${index}`);
    await snapshots.mountReadonly(image.diffIds, place);
    mountedImages.push(image.id);
    const source = scopedPath(place, mount.imageSubPath ?? '');
    if (!existsSync(source)) {
      throw new RuntimeError(
        'INVALID_ARGUMENT',
        `image volume "${mount.image}" has no path "${mount.imageSubPath}"`,
      );
    }
    return { ...target, source, options: bindOptions({ ...mount, readonly: true }) };
  }

  /** Anonymous folders for the image's VOLUMEs that the pod does not mount, filled with what the image has there. */
  async #imageVolumes(
    { id, config }: PreparedContainer,
    image: ProcessDefaults,
    rootfs: string,
  ): Promise<SpecMount[]> {
    const mounted = new Set(config.mounts.map((mount) => mount.containerPath.replace(/(.)\/+$/, '$1')));
    const wanted = Object.keys(image.Volumes ?? {}).filter((path) => !mounted.has(path));
    const mounts: SpecMount[] = [];
    for (const [index, destination] of wanted.entries()) {
      const source = join(this.#options.paths.volumes, id, String(index));
      await mkdir(source, { recursive: true });
      const content = scopedPath(rootfs, destination);
      if (
        lstatSync(content, { throwIfNoEntry: false })?.isDirectory() === true &&
        readdirSync(content).length > 0
      ) {
        const copy = await runProgram('cp', ['-a', `${content}/.`, source]);
        if (copy.exitCode !== 0)
          throw new RuntimeError('UNKNOWN', `failed to copy volume ${destination}: ${copy.stderr}`);
      }
      mounts.push({ destination, source, type: 'bind', options: ['rbind', 'rprivate', 'rw'] });
    }
    return mounts;
  }

  /** Mounts go when the container has ended; its writes stay until it is removed. */
  unmount(id: string): void {
    unmountBelow(this.#options.paths.bundle(id));
  }

  /** Everything made for the container is gone. */
  async undo(id: string): Promise<void> {
    const { paths, snapshots } = this.#options;
    this.unmount(id);
    await rm(paths.bundle(id), { recursive: true, force: true });
    await rm(join(paths.volumes, id), { recursive: true, force: true });
    await snapshots.removeWritable(id);
  }
}

function pidNamespace(mode: string, pid: number | undefined): SpecInput['namespaces']['pid'] {
  if (mode === 'NODE') return 'host';
  return pid === undefined ? 'own' : { path: `/proc/${pid}/ns/pid` };
}

function stopSignalOf(config: ContainerConfig, image: ProcessDefaults): string {
  const name = config.stopSignal || image.StopSignal || 'SIGTERM';
  if (signalNumber(name) === undefined)
    throw new RuntimeError('INVALID_ARGUMENT', `unknown stop signal "${name}"`);
  return name;
}

async function logPathOf({ config, sandboxConfig }: PreparedContainer): Promise<string> {
  if (config.logPath === '' || sandboxConfig.logDirectory === '') return '';
  const path = join(sandboxConfig.logDirectory, config.logPath);
  await mkdir(join(path, '..'), { recursive: true, mode: 0o755 });
  return path;
}
