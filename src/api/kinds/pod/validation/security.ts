/** Security contexts of pods and containers. */
import {
  duplicate,
  type FieldPath,
  fieldForbidden,
  invalid,
  notSupported,
  required,
  tooLong,
  validateInRange,
} from '#machinery';
import type { coreV1 } from '../../../types/index.ts';
import { addInvalid, checkSupported, isEmpty, type Errors } from '../../field-rules.ts';
import { checkDescendingPath } from './volume-files.ts';
import { checkWindowsOptions } from './windows.ts';

const MAX_ID = 2_147_483_647;

export function checkId(id: number | undefined, at: FieldPath, errors: Errors): void {
  if (id !== undefined) addInvalid(validateInRange(id, 0, MAX_ID), at, id, errors);
}

/** As upstream's internal type prints it: every field, capitalised, absent ones as null. */
function internalSecurityContext(context: coreV1.SecurityContext): object {
  return Object.fromEntries(
    [
      ['Capabilities', 'capabilities'],
      ['Privileged', 'privileged'],
      ['SELinuxOptions', 'seLinuxOptions'],
      ['WindowsOptions', 'windowsOptions'],
      ['RunAsUser', 'runAsUser'],
      ['RunAsGroup', 'runAsGroup'],
      ['RunAsNonRoot', 'runAsNonRoot'],
      ['ReadOnlyRootFilesystem', 'readOnlyRootFilesystem'],
      ['AllowPrivilegeEscalation', 'allowPrivilegeEscalation'],
      ['ProcMount', 'procMount'],
      ['SeccompProfile', 'seccompProfile'],
      ['AppArmorProfile', 'appArmorProfile'],
    ].map(([printed = '', field = '']) => [
      printed,
      internalValue(field, context[field as keyof coreV1.SecurityContext]),
    ]),
  );
}

/** Fields that upstream prints even when nobody set them. */
const PRINTED: Readonly<Record<string, readonly string[]>> = {
  capabilities: ['add', 'drop'],
  seccompProfile: ['type', 'localhostProfile'],
  appArmorProfile: ['type', 'localhostProfile'],
};

function internalValue(field: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value ?? null;
  const known = PRINTED[field] ?? Object.keys(value);
  const inner = value as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    known.map((name) => [name.charAt(0).toUpperCase() + name.slice(1), inner[name] ?? null]),
  );
}

/** @param hostUsers false when the pod has a user namespace of its own. */
export function checkSecurityContext(
  context: coreV1.SecurityContext | undefined,
  hostUsers: boolean,
  at: FieldPath,
  errors: Errors,
): void {
  if (context === undefined) return;
  checkId(context.runAsUser, at.child('runAsUser'), errors);
  checkId(context.runAsGroup, at.child('runAsGroup'), errors);
  if (context.procMount !== undefined) {
    checkSupported(context.procMount, ['Default', 'Unmasked'], at.child('procMount'), errors);
    if (hostUsers && context.procMount === 'Unmasked') {
      const why = '`hostUsers` must be false to use `Unmasked`';
      errors.push(invalid(at.child('procMount'), context.procMount, why));
    }
  }
  checkSeccompProfile(context.seccompProfile, at.child('seccompProfile'), errors);
  if (context.allowPrivilegeEscalation === false) {
    const head = 'cannot set `allowPrivilegeEscalation` to false and';
    if (context.privileged === true) {
      errors.push(invalid(at, internalSecurityContext(context), `${head} \`privileged\` to true`));
    }
    if (context.capabilities?.add?.includes('CAP_SYS_ADMIN') === true) {
      const why = `${head} \`capabilities.Add\` CAP_SYS_ADMIN`;
      errors.push(invalid(at, internalSecurityContext(context), why));
    }
  }
  checkWindowsOptions(context.windowsOptions, at.child('windowsOptions'), errors);
  checkAppArmorProfile(context.appArmorProfile, at.child('appArmorProfile'), errors);
}

const PROFILE_TYPES = ['Localhost', 'RuntimeDefault', 'Unconfined'];

function checkSeccompProfile(
  profile: coreV1.SeccompProfile | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  if (profile === undefined) return;
  const type: string = profile.type;
  const path = at.child('localhostProfile');
  if (type === '') errors.push(required(at.child('type'), 'type is required when seccompProfile is set'));
  else checkSupported(type, PROFILE_TYPES, at.child('type'), errors);
  if (type === 'Localhost') {
    if (profile.localhostProfile === undefined) {
      errors.push(required(path, 'must be set when seccomp type is Localhost'));
    } else checkDescendingPath(profile.localhostProfile, path, errors);
  } else if (profile.localhostProfile !== undefined) {
    const printed = { Type: type, LocalhostProfile: profile.localhostProfile };
    errors.push(invalid(path, printed, 'can only be set when seccomp type is Localhost'));
  }
}

const MAX_PATH = 4_095;

function checkAppArmorProfile(
  profile: coreV1.AppArmorProfile | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  if (profile === undefined) return;
  const { localhostProfile } = profile;
  const type: string = profile.type;
  const path = at.child('localhostProfile');
  const needed = 'must be set when AppArmor type is Localhost';
  if (type === '') errors.push(required(at.child('type'), 'type is required when appArmorProfile is set'));
  else if (type === 'Localhost') {
    if (localhostProfile === undefined) errors.push(required(path, needed));
    else {
      if (localhostProfile.trim() !== localhostProfile) {
        errors.push(invalid(path, localhostProfile, 'must not be padded with whitespace'));
      } else if (localhostProfile === '') errors.push(required(path, needed));
      if (Buffer.byteLength(localhostProfile) > MAX_PATH) errors.push(tooLong(path, MAX_PATH));
    }
  } else if (!PROFILE_TYPES.includes(type)) errors.push(notSupported(at.child('type'), type, PROFILE_TYPES));
  else if (localhostProfile !== undefined) {
    errors.push(invalid(path, localhostProfile, 'can only be set when AppArmor type is Localhost'));
  }
}

export function checkPodSecurityContext(spec: coreV1.PodSpec, at: FieldPath, errors: Errors): void {
  const context = spec.securityContext;
  if (context === undefined) return;
  checkId(context.fsGroup, at.child('fsGroup'), errors);
  checkId(context.runAsUser, at.child('runAsUser'), errors);
  checkId(context.runAsGroup, at.child('runAsGroup'), errors);
  for (const [i, group] of (context.supplementalGroups ?? []).entries()) {
    checkId(group, at.child('supplementalGroups').index(i), errors);
  }
  if (spec.shareProcessNamespace === true && spec.hostPID === true) {
    const why = 'ShareProcessNamespace and HostPID cannot both be enabled';
    errors.push(invalid(at.child('shareProcessNamespace'), true, why));
  }
  checkSysctls(spec, at.child('sysctls'), errors);
  checkSupported(
    context.fsGroupChangePolicy,
    ['Always', 'OnRootMismatch'],
    at.child('fsGroupChangePolicy'),
    errors,
  );
  checkSeccompProfile(context.seccompProfile, at.child('seccompProfile'), errors);
  checkWindowsOptions(context.windowsOptions, at.child('windowsOptions'), errors);
  checkAppArmorProfile(context.appArmorProfile, at.child('appArmorProfile'), errors);
  const groups = ['Merge', 'Strict'];
  checkSupported(context.supplementalGroupsPolicy, groups, at.child('supplementalGroupsPolicy'), errors);
  const relabel = ['MountOption', 'Recursive'];
  checkSupported(context.seLinuxChangePolicy, relabel, at.child('seLinuxChangePolicy'), errors);
}

const SYSCTL = '^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$';
const MAX_SYSCTL_LENGTH = 253;
const IPC_SYSCTLS = new Set(
  'sem shmall shmmax shmmni shm_rmid_forced shm msgmax msgmnb msgmni msg'
    .split(' ')
    .map((name) => `kernel.${name}`),
);

const isSysctlName = (name: string): boolean =>
  Buffer.byteLength(name) <= MAX_SYSCTL_LENGTH &&
  name.split(/[./]/).every((part) => /^[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?$/.test(part));

function checkSysctls(spec: coreV1.PodSpec, at: FieldPath, errors: Errors): void {
  const seen = new Set<string>();
  for (const [i, { name }] of (spec.securityContext?.sysctls ?? []).entries()) {
    const path = at.index(i).child('name');
    if (isEmpty(name)) errors.push(required(path));
    else if (!isSysctlName(name)) {
      const why = `must have at most ${MAX_SYSCTL_LENGTH} characters and match regex ${SYSCTL}`;
      errors.push(invalid(path, name, why));
    } else if (seen.has(name)) errors.push(duplicate(path, name));
    seen.add(name);
    const namespace = sysctlNamespace(name);
    if (namespace === 'net' && spec.hostNetwork === true) {
      errors.push(invalid(path, name, "may not be specified when 'hostNetwork' is true"));
    }
    if (namespace === 'ipc' && spec.hostIPC === true) {
      errors.push(invalid(path, name, "may not be specified when 'hostIPC' is true"));
    }
  }
}

/** Names may be written with slashes: `net/ipv4/ip_forward`. */
function sysctlNamespace(name: string): 'net' | 'ipc' | undefined {
  const firstSeparator = /[./]/.exec(name)?.[0];
  const dotted = firstSeparator === '/' ? name.replaceAll('/', '.') : name;
  const [stem = ''] = dotted.split('*');
  if (IPC_SYSCTLS.has(stem) || stem.startsWith('fs.mqueue.')) return 'ipc';
  return stem.startsWith('net.') ? 'net' : undefined;
}

/** A pod with its own users cannot share the host's namespaces. */
export function checkHostUsers(spec: coreV1.PodSpec, at: FieldPath, errors: Errors): void {
  if (spec.hostUsers !== false) return;
  const why = 'when `hostUsers` is false';
  if (spec.hostNetwork === true) errors.push(fieldForbidden(at.child('hostNetwork'), why));
  if (spec.hostPID === true) errors.push(fieldForbidden(at.child('HostPID'), why));
  if (spec.hostIPC === true) errors.push(fieldForbidden(at.child('HostIPC'), why));
  for (const { container, path } of allContainers(spec, at)) {
    if ((container.volumeDevices ?? []).length > 0) {
      errors.push(fieldForbidden(path.child('volumeDevices'), why));
    }
  }
}

/** Init containers, containers and ephemeral containers with their paths. */
export function* allContainers(
  spec: coreV1.PodSpec,
  at: FieldPath,
): Generator<{ readonly container: coreV1.Container | coreV1.EphemeralContainer; readonly path: FieldPath }> {
  for (const field of ['initContainers', 'containers', 'ephemeralContainers'] as const) {
    for (const [i, container] of (spec[field] ?? []).entries()) {
      yield { container, path: at.child(field).index(i) };
    }
  }
}
