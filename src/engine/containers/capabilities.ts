import { readFileSync } from 'node:fs';

/** In the order of their numbers in linux/capability.h: the position is the bit. */
const NAMES = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE ' +
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT ' +
  'SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP ' +
  'MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
)
  .split(' ')
  .map((name) => `CAP_${name}`);

/** What a container has unless it asks otherwise: Docker's set, which Kubernetes' documentation names. */
const DEFAULT = (
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL ' +
  'AUDIT_WRITE'
)
  .split(' ')
  .map((name) => `CAP_${name}`);

/** Capabilities this process may hand on: its bounding set. */
export function availableCapabilities(status = readFileSync('/proc/self/status', 'utf8')): readonly string[] {
  const mask = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  return NAMES.filter((_, bit) => ((mask >> BigInt(bit)) & 1n) === 1n);
}

const fullName = (name: string): string => {
  const upper = name.toUpperCase();
  return upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
};

/**
 * The set of a container. `ALL` is everything in `available`; what the machine cannot give is left out, because the
 * runtime would refuse the whole container.
 */
export function containerCapabilities(
  { add, drop }: { readonly add: readonly string[]; readonly drop: readonly string[] },
  privileged: boolean,
  available: readonly string[],
): readonly string[] {
  if (privileged) return available;
  const added = add.map(fullName);
  const dropped = drop.map(fullName);
  const base = added.includes('CAP_ALL') ? available : dropped.includes('CAP_ALL') ? [] : DEFAULT;
  const wanted = new Set(base.filter((name) => !dropped.includes(name)));
  for (const name of added) wanted.add(name);
  return available.filter((name) => wanted.has(name));
}
