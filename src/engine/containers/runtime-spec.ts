/**
 * From the kubelet's container to the OCI runtime's: https://github.com/opencontainers/runtime-spec (config.md,
 * config-linux.md). Pure: what has to be looked up on the machine is handed in.
 */
import { RuntimeError } from '#cri';
import type { ContainerConfig, LinuxResources, Mount } from '#cri';
import type { ProcessDefaults } from '../content/media-types.ts';
import type { CgroupVersion } from './cgroups.ts';
import type { Seccomp } from './seccomp-profile.ts';
import type { ProcessUser } from './user.ts';

export interface SpecMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface SpecDevice {
  readonly path: string;
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of `rwm`. */
  readonly access: string;
}

export interface SpecInput {
  readonly id: string;
  readonly config: ContainerConfig;
  readonly image: ProcessDefaults;
  readonly rootfs: string;
  readonly hostname: string;
  readonly user: ProcessUser;
  readonly capabilities: readonly string[];
  readonly seccomp: Seccomp | undefined;
  readonly cgroup: string;
  readonly cgroupVersion: CgroupVersion;
  /** Paths of pinned namespaces to join; a kind left out is the machine's. `pid` absent: its own. */
  readonly namespaces: {
    readonly network?: string;
    readonly ipc?: string;
    readonly uts?: string;
    readonly pid: 'own' | 'host' | { readonly path: string };
  };
  /** Files of the sandbox and volumes; a mount of the kubelet at the same place wins. */
  readonly mounts: readonly SpecMount[];
  readonly devices: readonly SpecDevice[];
  /** The lowest the machine lets us go. */
  readonly oomScoreAdjMin: number;
}

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** ENTRYPOINT and CMD with the kubelet's `command` and `args` over them. @throws RuntimeError when nothing is left. */
export function commandLine(
  config: Pick<ContainerConfig, 'command' | 'args'>,
  image: ProcessDefaults,
): string[] {
  const entrypoint = config.command.length > 0 ? config.command : (image.Entrypoint ?? []);
  // An entrypoint of one's own drops the image's arguments.
  const args = config.command.length > 0 || config.args.length > 0 ? config.args : (image.Cmd ?? []);
  const line = [...entrypoint, ...args];
  if (line.length === 0) throw new RuntimeError('INVALID_ARGUMENT', 'no command specified');
  return line;
}

function environment({ config, image, hostname }: SpecInput): string[] {
  const variables = new Map<string, string>();
  const set = (assignment: string): void => {
    const equals = assignment.indexOf('=');
    variables.set(assignment.slice(0, equals), assignment.slice(equals + 1));
  };
  set(DEFAULT_PATH);
  set(`HOSTNAME=${hostname}`);
  if (config.tty) set('TERM=xterm');
  for (const assignment of image.Env ?? []) set(assignment);
  for (const { key, value } of config.env) variables.set(key, value);
  return [...variables].map(([key, value]) => `${key}=${value}`);
}

/** Options of a bind mount as the kubelet asks for it. */
export function bindOptions(mount: Pick<Mount, 'readonly' | 'propagation'>): string[] {
  const propagation = { PRIVATE: 'rprivate', HOST_TO_CONTAINER: 'rslave', BIDIRECTIONAL: 'rshared' };
  return ['rbind', propagation[mount.propagation], mount.readonly ? 'ro' : 'rw'];
}

function standardMounts({ config }: SpecInput): SpecMount[] {
  const { privileged } = config.linux.security;
  const access = privileged ? 'rw' : 'ro';
  const strict = ['nosuid', 'noexec', 'nodev'];
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: strict },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: strict },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...strict, access] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: [...strict, 'relatime', access],
    },
  ];
}

const depth = (path: string): number => path.split('/').filter((part) => part !== '').length;

function allMounts(input: SpecInput): SpecMount[] {
  const wanted = [...standardMounts(input), ...input.mounts];
  // The last word on a place wins; parents are mounted before what lies in them.
  const byPlace = new Map(wanted.map((mount) => [mount.destination.replace(/(.)\/+$/, '$1'), mount]));
  return [...byPlace.values()].sort((a, b) => depth(a.destination) - depth(b.destination));
}

/** runc's resources of the kubelet's. */
export function specResources(resources: LinuxResources): object {
  const { cpuShares, cpuQuota, cpuPeriod, cpusetCpus, cpusetMems, memoryLimitBytes, pidsLimit } = resources;
  const present = (value: number | undefined): value is number => value !== undefined && value !== 0;
  return {
    cpu: {
      ...(present(cpuShares) ? { shares: cpuShares } : {}),
      ...(present(cpuQuota) ? { quota: cpuQuota } : {}),
      ...(present(cpuPeriod) ? { period: cpuPeriod } : {}),
      ...(cpusetCpus ? { cpus: cpusetCpus } : {}),
      ...(cpusetMems ? { mems: cpusetMems } : {}),
    },
    ...(present(memoryLimitBytes) ? { memory: { limit: memoryLimitBytes } } : {}),
    ...(present(pidsLimit) ? { pids: { limit: pidsLimit } } : {}),
  };
}

function propagationOf(mounts: readonly Mount[]): string | undefined {
  if (mounts.some((mount) => mount.propagation === 'BIDIRECTIONAL')) return 'rshared';
  return mounts.some((mount) => mount.propagation === 'HOST_TO_CONTAINER') ? 'rslave' : undefined;
}

function specNamespaces({ namespaces, cgroupVersion, config }: SpecInput): object[] {
  const pid = namespaces.pid;
  const list: object[] = [{ type: 'mount' }];
  if (namespaces.network !== undefined) list.push({ type: 'network', path: namespaces.network });
  if (namespaces.ipc !== undefined) list.push({ type: 'ipc', path: namespaces.ipc });
  if (namespaces.uts !== undefined) list.push({ type: 'uts', path: namespaces.uts });
  if (pid === 'own') list.push({ type: 'pid' });
  else if (pid !== 'host') list.push({ type: 'pid', path: pid.path });
  if (cgroupVersion === 2 && !config.linux.security.privileged) list.push({ type: 'cgroup' });
  return list;
}

function deviceRules(input: SpecInput): object[] {
  if (input.config.linux.security.privileged) return [{ allow: true, access: 'rwm' }];
  return [
    { allow: false, access: 'rwm' },
    ...input.devices.map(({ type, major, minor, access }) => ({ allow: true, type, major, minor, access })),
  ];
}

/** The `process` part, also the base of every exec. */
export function specProcess(input: SpecInput): object {
  const { config, user, capabilities } = input;
  const { security, resources } = config.linux;
  return {
    terminal: config.tty,
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: commandLine(config, input.image),
    env: environment(input),
    cwd: config.workingDir || input.image.WorkingDir || '/',
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    noNewPrivileges: security.noNewPrivs,
    oomScoreAdj: Math.max(resources.oomScoreAdj ?? 0, input.oomScoreAdjMin),
  };
}

/** The whole config.json. @throws RuntimeError when the container cannot be described. */
export function runtimeSpec(input: SpecInput): object {
  const { config } = input;
  const { security, resources } = config.linux;
  const propagation = propagationOf(config.mounts);
  return {
    ociVersion: '1.0.2',
    process: specProcess(input),
    root: { path: input.rootfs, readonly: security.readonlyRootfs },
    mounts: allMounts(input),
    linux: {
      cgroupsPath: input.cgroup,
      namespaces: specNamespaces(input),
      devices: input.devices.map(({ access: _, ...device }) => device),
      resources: { ...specResources(resources), devices: deviceRules(input) },
      ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
      ...(input.seccomp === undefined ? {} : { seccomp: input.seccomp }),
      ...(security.privileged
        ? {}
        : { maskedPaths: security.maskedPaths, readonlyPaths: security.readonlyPaths }),
    },
  };
}
