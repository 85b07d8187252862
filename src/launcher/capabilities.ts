/**
 * Can this machine run real containers? Each check names what is missing and what to do about it, because the
 * answer is shown to people: with anything missing, the cluster runs with simulated nodes.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface MissingCapability {
  readonly what: string;
  readonly remedy: string;
}

const PROGRAMS: Readonly<Record<string, string>> = {
  runc: 'runc',
  conmon: 'conmon',
  nft: 'nftables',
  ip: 'iproute2',
  nsenter: 'util-linux',
};

/** Where programs are looked for, beside the user's PATH. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

export function findProgram(name: string, path: string): string | undefined {
  return [...path.split(':').filter((folder) => folder !== ''), ...SYSTEM_FOLDERS]
    .map((folder) => join(folder, name))
    .find((file) => existsSync(file));
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Empty: everything is there. */
export function missingCapabilities(machine: {
  readonly platform: string;
  readonly uid: number;
  readonly path: string;
}): readonly MissingCapability[] {
  if (machine.platform !== 'linux') {
    return [{ what: `Linux (this is ${machine.platform})`, remedy: 'run k8ts in a Linux virtual machine' }];
  }
  const missing: MissingCapability[] = [];
  if (machine.uid !== 0) missing.push({ what: 'root', remedy: 'run it as root, for example with sudo' });
  for (const [program, debianPackage] of Object.entries(PROGRAMS)) {
    if (findProgram(program, machine.path) === undefined) {
      missing.push({ what: `the program ${program}`, remedy: `apt-get install ${debianPackage}` });
    }
  }
  if (!/\boverlay\b/.test(readText('/proc/filesystems'))) {
    missing.push({ what: 'the overlay filesystem', remedy: 'modprobe overlay, or a kernel that has it' });
  }
  for (const namespace of ['net', 'mnt', 'pid', 'uts', 'ipc']) {
    if (!existsSync(`/proc/self/ns/${namespace}`)) {
      missing.push({ what: `${namespace} namespaces`, remedy: 'a kernel that has them' });
    }
  }
  if (machine.uid === 0 && !hasCapability('SYS_ADMIN')) {
    missing.push({ what: 'CAP_SYS_ADMIN', remedy: 'run it in a privileged container or on the host' });
  }
  const cgroups = readText('/proc/mounts');
  if (!/^cgroup2? /m.test(cgroups))
    missing.push({ what: 'cgroups', remedy: 'mount cgroup2 on /sys/fs/cgroup' });
  return missing;
}

const CAPABILITY_BITS = { SYS_ADMIN: 21n, NET_ADMIN: 12n } as const;

function hasCapability(name: keyof typeof CAPABILITY_BITS): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readText('/proc/self/status'))?.[1];
  return effective !== undefined && ((BigInt(`0x${effective}`) >> CAPABILITY_BITS[name]) & 1n) === 1n;
}
