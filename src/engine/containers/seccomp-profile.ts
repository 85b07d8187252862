/**
 * Seccomp profiles in the shape the OCI runtime takes them
 * (https://github.com/opencontainers/runtime-spec, config-linux.md#seccomp).
 */
import { readFileSync } from 'node:fs';
import { RuntimeError } from '#cri';
import type { SecurityProfile } from '#cri';
import facts from './seccomp-default.json' with { type: 'json' };

interface SeccompArgument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: string;
}

interface SeccompRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArgument[];
}

export interface Seccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly syscalls?: readonly SeccompRule[];
}

/**
 * Whose numbers the filter knows. Not x32: distributions switch it off, and each architecture costs 10 ms at every
 * start of a container, because the filter is compiled anew.
 */
const ARCHITECTURES: Readonly<Record<string, readonly string[]>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
};

const EPERM = 1;
const ENOSYS = 38;
const AF_VSOCK = 40;

/** Flags of clone(2) that make a namespace: without CAP_SYS_ADMIN none of them may be set. */
const NAMESPACE_FLAGS =
  0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000;

/** Values of personality(2) that change nothing dangerous; the last one only asks. */
const PERSONALITIES = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

const words = (text: string | undefined): readonly string[] => (text === undefined ? [] : text.split(' '));

/** RuntimeDefault for a process whose bounding set is `capabilities`. */
export function defaultSeccomp(capabilities: readonly string[], architecture = process.arch): Seccomp {
  const allow = (names: readonly string[], args?: readonly SeccompArgument[]): SeccompRule =>
    args === undefined ? { names, action: 'SCMP_ACT_ALLOW' } : { names, action: 'SCMP_ACT_ALLOW', args };
  const perArchitecture: Readonly<Record<string, string>> = facts.architecture;
  const perCapability: Readonly<Record<string, string>> = facts.capability;
  const names = new Set<string>([
    ...Object.values(facts.always).flatMap(words),
    ...words(perArchitecture[architecture]),
    ...capabilities.flatMap((capability) => words(perCapability[capability])),
  ]);
  const rules: SeccompRule[] = [
    allow([...names]),
    ...PERSONALITIES.map((value) => allow(['personality'], [{ index: 0, value, op: 'SCMP_CMP_EQ' }])),
    // A guest's socket to its hypervisor is not the container's business.
    allow(['socket'], [{ index: 0, value: AF_VSOCK, op: 'SCMP_CMP_NE' }]),
  ];
  if (!names.has('clone')) {
    rules.push(
      allow(['clone'], [{ index: 0, value: NAMESPACE_FLAGS, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }]),
      // Its flags are in memory, which no filter can read. ENOSYS makes libc fall back to clone.
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
    );
  }
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    architectures: ARCHITECTURES[architecture] ?? [],
    syscalls: rules,
  };
}

/** Undefined: unconfined. @throws RuntimeError when a Localhost profile cannot be read. */
export function seccompFor(profile: SecurityProfile, capabilities: readonly string[]): Seccomp | undefined {
  if (profile.type === 'Unconfined') return undefined;
  if (profile.type === 'RuntimeDefault') return defaultSeccomp(capabilities);
  return readProfile(profile.localhostRef ?? '');
}

function readProfile(reference: string): Seccomp {
  const path = reference.replace(/^localhost\//, '');
  try {
    const { defaultAction, defaultErrnoRet, architectures, syscalls } = JSON.parse(
      readFileSync(path, 'utf8'),
    ) as Seccomp;
    return { defaultAction, defaultErrnoRet, architectures, syscalls };
  } catch (e) {
    throw new RuntimeError('INVALID_ARGUMENT', `failed to load seccomp profile ${path}: ${String(e)}`, e);
  }
}
