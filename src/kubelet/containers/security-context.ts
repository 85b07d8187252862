/** The effective security context of a container: the pod's settings, overridden by the container's own. */
import type { coreV1 } from '#api';
import type { Image, LinuxSecurityContext, NamespaceOptions, SecurityProfile } from '#cri';
import type { Container, Pod } from '../pods/pod-spec.ts';
import { describePod } from '../pods/pod-spec.ts';

const MASKED_PATHS = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

export function podNamespaces(pod: Pod): NamespaceOptions {
  const { hostNetwork, hostPID, hostIPC, shareProcessNamespace } = pod.spec;
  return {
    network: hostNetwork === true ? 'NODE' : 'POD',
    pid: hostPID === true ? 'NODE' : shareProcessNamespace === true ? 'POD' : 'CONTAINER',
    ipc: hostIPC === true ? 'NODE' : 'POD',
  };
}

export interface SecurityInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly image: Pick<Image, 'uid' | 'username'>;
  /** Profile of containers that ask for none. */
  readonly seccompDefault: SecurityProfile['type'];
  /** Folder of Localhost seccomp profiles. */
  readonly seccompFolder: string;
  /** An ephemeral container joins the processes of this one. */
  readonly targetId?: string;
  /** Groups that volumes ask for. */
  readonly extraGroups: readonly number[];
}

/** @throws Error with upstream's words when the image's user breaks `runAsNonRoot`. */
export function securityContext(input: SecurityInput): LinuxSecurityContext {
  const { pod, container, image } = input;
  const own = container.securityContext ?? {};
  const shared = pod.spec.securityContext ?? {};
  const runAsUser = own.runAsUser ?? shared.runAsUser;
  const runAsGroup = own.runAsGroup ?? shared.runAsGroup;
  verifyNonRoot(input, runAsUser, own.runAsNonRoot ?? shared.runAsNonRoot);
  const privileged = own.privileged === true;
  const unmasked = own.procMount === 'Unmasked';
  const namespaces = podNamespaces(pod);
  return {
    capabilities: { add: own.capabilities?.add ?? [], drop: own.capabilities?.drop ?? [] },
    privileged,
    namespaces:
      input.targetId !== undefined && namespaces.pid === 'CONTAINER'
        ? { ...namespaces, pid: 'TARGET', targetId: input.targetId }
        : namespaces,
    ...(runAsUser === undefined
      ? image.uid === undefined && image.username !== ''
        ? { runAsUsername: image.username }
        : { runAsUser: image.uid ?? 0 }
      : { runAsUser }),
    ...(runAsGroup === undefined ? {} : { runAsGroup }),
    supplementalGroups: [
      ...(shared.fsGroup === undefined ? [] : [shared.fsGroup]),
      ...(shared.supplementalGroups ?? []),
      ...input.extraGroups,
    ],
    readonlyRootfs: own.readOnlyRootFilesystem === true,
    noNewPrivs: own.allowPrivilegeEscalation === false,
    maskedPaths: privileged || unmasked ? [] : MASKED_PATHS,
    readonlyPaths: privileged || unmasked ? [] : READONLY_PATHS,
    seccomp: privileged
      ? { type: 'Unconfined' }
      : seccompProfile(own.seccompProfile ?? shared.seccompProfile, input),
    apparmor: profile(own.appArmorProfile ?? shared.appArmorProfile, 'RuntimeDefault'),
  };
}

function seccompProfile(spec: coreV1.SeccompProfile | undefined, input: SecurityInput): SecurityProfile {
  const found = profile(spec, input.seccompDefault);
  if (found.type !== 'Localhost') return found;
  return { type: 'Localhost', localhostRef: `${input.seccompFolder}/${found.localhostRef ?? ''}` };
}

function profile(
  spec: coreV1.SeccompProfile | coreV1.AppArmorProfile | undefined,
  fallback: SecurityProfile['type'],
): SecurityProfile {
  switch (spec?.type) {
    case undefined:
      return { type: fallback };
    case 'RuntimeDefault':
    case 'Unconfined':
      return { type: spec.type };
    case 'Localhost':
      return {
        type: 'Localhost',
        ...(spec.localhostProfile === undefined ? {} : { localhostRef: spec.localhostProfile }),
      };
    default:
      return { type: fallback };
  }
}

function verifyNonRoot(
  input: SecurityInput,
  runAsUser: number | undefined,
  nonRoot: boolean | undefined,
): void {
  if (nonRoot !== true) return;
  const about = `(pod: "${describePod(input.pod)}", container: ${input.container.name})`;
  if (runAsUser !== undefined) {
    if (runAsUser === 0) throw new Error(`container's runAsUser breaks non-root policy ${about}`);
    return;
  }
  const { uid, username } = input.image;
  if (uid === undefined && username !== '') {
    throw new Error(
      `container has runAsNonRoot and image has non-numeric user (${username}), cannot verify user is non-root ${about}`,
    );
  }
  // An image that names no user runs as root.
  if ((uid ?? 0) === 0) throw new Error(`container has runAsNonRoot and image will run as root ${about}`);
}
