/** The baseline standard: no known way to take over the node. */
import type { coreV1 } from '#api';
import {
  containersOf,
  containersWhere,
  inUserNamespace,
  named,
  type PodCheck,
  type PodLike,
  plural,
  quoteAll,
  setters,
  sorted,
  type Violation,
} from './check.ts';

const APP_ARMOR_ANNOTATION_PREFIX = 'container.apparmor.security.beta.kubernetes.io/';
const SECCOMP_POD_ANNOTATION = 'seccomp.security.alpha.kubernetes.io/pod';
const SECCOMP_CONTAINER_ANNOTATION_PREFIX = 'container.seccomp.security.alpha.kubernetes.io/';
const ALLOWED_PROFILE_TYPES = ['RuntimeDefault', 'Localhost'];

export const isAllowedProfile = (type: string): boolean => ALLOWED_PROFILE_TYPES.includes(type);

function appArmorProfile(pod: PodLike): Violation | undefined {
  const podType = pod.spec.securityContext?.appArmorProfile?.type;
  const podIsBad = podType !== undefined && !isAllowedProfile(podType);
  const types = podIsBad ? [podType] : [];
  const containers = containersWhere(pod, ({ securityContext }) => {
    const type = securityContext?.appArmorProfile?.type;
    if (type === undefined || isAllowedProfile(type)) return false;
    types.push(type);
    return true;
  });
  const annotations = Object.entries(pod.annotations)
    .filter(([key]) => key.startsWith(APP_ARMOR_ANNOTATION_PREFIX))
    .filter(([, value]) => value !== '' && value !== 'runtime/default' && !value.startsWith('localhost/'))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .sort();
  const who = [
    ...(podIsBad || containers.length > 0 ? [setters(podIsBad, containers)] : []),
    ...(annotations.length === 0 ? [] : [plural('annotation', annotations.length)]),
  ];
  if (who.length === 0) return undefined;
  const values = [...sorted(types), ...annotations];
  return {
    reason: plural('forbidden AppArmor profile', values.length),
    detail: `${who.join(' and ')} must not set AppArmor profile type to ${quoteAll(values)}`,
  };
}

const DEFAULT_CAPABILITIES = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

function capabilities(pod: PodLike): Violation | undefined {
  const added = new Set<string>();
  const containers = containersWhere(pod, ({ securityContext }) => {
    const bad = (securityContext?.capabilities?.add ?? []).filter((name) => !DEFAULT_CAPABILITIES.has(name));
    for (const name of bad) added.add(name);
    return bad.length > 0;
  });
  if (containers.length === 0) return undefined;
  return {
    reason: 'non-default capabilities',
    detail: `${named('container', containers)} must not include ${quoteAll(sorted(added))} in securityContext.capabilities.add`,
  };
}

function hostNamespaces({ spec }: PodLike): Violation | undefined {
  const shared = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec[field] === true);
  if (shared.length === 0) return undefined;
  return { reason: 'host namespaces', detail: shared.map((field) => `${field}=true`).join(', ') };
}

function hostPathVolumes({ spec }: PodLike): Violation | undefined {
  const volumes = (spec.volumes ?? []).filter((volume) => volume.hostPath !== undefined);
  if (volumes.length === 0) return undefined;
  return {
    reason: 'hostPath volumes',
    detail: named(
      'volume',
      volumes.map(({ name }) => name),
    ),
  };
}

function hostPorts(pod: PodLike): Violation | undefined {
  const ports = new Set<string>();
  const containers = containersWhere(pod, (container) => {
    const bad = (container.ports ?? []).map(({ hostPort }) => hostPort ?? 0).filter((port) => port !== 0);
    for (const port of bad) ports.add(String(port));
    return bad.length > 0;
  });
  if (containers.length === 0) return undefined;
  const uses = containers.length === 1 ? 'uses' : 'use';
  return {
    reason: 'hostPort',
    detail: `${named('container', containers)} ${uses} ${plural('hostPort', ports.size)} ${sorted(ports).join(', ')}`,
  };
}

type Handler = Pick<coreV1.Probe, 'httpGet' | 'tcpSocket'> | undefined;

/** Probes and hooks that name a host make the node send requests where the pod likes. */
function hostProbes(pod: PodLike): Violation | undefined {
  const hosts = new Set<string>();
  const containers = containersWhere(pod, (container) => {
    const handlers: readonly Handler[] = [
      container.livenessProbe,
      container.readinessProbe,
      container.startupProbe,
      container.lifecycle?.postStart,
      container.lifecycle?.preStop,
    ];
    const bad = handlers
      .flatMap((handler) => [handler?.httpGet?.host ?? '', handler?.tcpSocket?.host ?? ''])
      .filter((host) => host !== '');
    for (const host of bad) hosts.add(host);
    return bad.length > 0;
  });
  if (containers.length === 0) return undefined;
  const names = sorted(containers);
  const uses = names.length === 1 ? 'uses' : 'use';
  return {
    reason: 'probe or lifecycle host',
    detail: `${named('container', names)} ${uses} ${plural('probe or lifecycle host', hosts.size)} ${quoteAll(sorted(hosts))}`,
  };
}

function privileged(pod: PodLike): Violation | undefined {
  const containers = containersWhere(pod, ({ securityContext }) => securityContext?.privileged === true);
  if (containers.length === 0) return undefined;
  return {
    reason: 'privileged',
    detail: `${named('container', containers)} must not set securityContext.privileged=true`,
  };
}

export function procMount(pod: PodLike): Violation | undefined {
  const types = new Set<string>();
  const containers = containersWhere(pod, ({ securityContext }) => {
    const type = securityContext?.procMount;
    if (type === undefined || type === 'Default') return false;
    types.add(type);
    return true;
  });
  if (containers.length === 0) return undefined;
  return {
    reason: 'procMount',
    detail: `${named('container', containers)} must not set securityContext.procMount to ${quoteAll(sorted(types))}`,
  };
}

const SELINUX_TYPES = ['', 'container_t', 'container_init_t', 'container_kvm_t'];

function seLinuxOptions(pod: PodLike, allowedTypes: readonly string[]): Violation | undefined {
  const types = new Set<string>();
  let [user, role] = [false, false];
  const isBad = (options: coreV1.SELinuxOptions | undefined): boolean => {
    if (options === undefined) return false;
    const badType = !allowedTypes.includes(options.type ?? '');
    if (badType) types.add(options.type ?? '');
    const [setsUser, setsRole] = [(options.user ?? '') !== '', (options.role ?? '') !== ''];
    user ||= setsUser;
    role ||= setsRole;
    return badType || setsUser || setsRole;
  };
  const podIsBad = isBad(pod.spec.securityContext?.seLinuxOptions);
  const containers = containersWhere(pod, ({ securityContext }) => isBad(securityContext?.seLinuxOptions));
  const who = setters(podIsBad, containers);
  if (who === '') return undefined;
  const what = [
    ...(types.size === 0 ? [] : [named('type', sorted(types))]),
    ...(user ? ['user may not be set'] : []),
    ...(role ? ['role may not be set'] : []),
  ];
  return {
    reason: 'seLinuxOptions',
    detail: `${who} set forbidden securityContext.seLinuxOptions: ${what.join('; ')}`,
  };
}

/** Before the field there were annotations. */
function seccompAnnotations(pod: PodLike): Violation | undefined {
  const keys = [
    SECCOMP_POD_ANNOTATION,
    ...containersOf(pod).map(({ name }) => `${SECCOMP_CONTAINER_ANNOTATION_PREFIX}${name}`),
  ];
  const bad = keys.flatMap((key) => {
    const value = pod.annotations[key];
    const allowed =
      value === undefined ||
      value === 'runtime/default' ||
      value === 'docker/default' ||
      value.startsWith('localhost/');
    return allowed ? [] : [`${key}=${JSON.stringify(value)}`];
  });
  if (bad.length === 0) return undefined;
  const annotations = sorted(bad);
  return {
    reason: 'seccompProfile',
    detail: `forbidden ${plural('annotation', annotations.length)} ${annotations.join(', ')}`,
  };
}

export function seccompProfile(pod: PodLike): Violation | undefined {
  const types = new Set<string>();
  const isBad = (profile: coreV1.SeccompProfile | undefined): boolean => {
    if (profile === undefined || isAllowedProfile(profile.type)) return false;
    types.add(profile.type);
    return true;
  };
  const podIsBad = isBad(pod.spec.securityContext?.seccompProfile);
  const containers = containersWhere(pod, ({ securityContext }) => isBad(securityContext?.seccompProfile));
  const who = setters(podIsBad, containers);
  if (who === '') return undefined;
  return {
    reason: 'seccompProfile',
    detail: `${who} must not set securityContext.seccompProfile.type to ${quoteAll(sorted(types))}`,
  };
}

const SYSCTLS_1_0 = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
];
const SYSCTLS_1_27 = [...SYSCTLS_1_0, 'net.ipv4.ip_local_reserved_ports'];
const SYSCTLS_1_29 = [
  ...SYSCTLS_1_27,
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
];
const SYSCTLS_1_32 = [...SYSCTLS_1_29, 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'];

function sysctls({ spec }: PodLike, allowed: readonly string[]): Violation | undefined {
  const bad = (spec.securityContext?.sysctls ?? []).filter(({ name }) => !allowed.includes(name));
  if (bad.length === 0) return undefined;
  return { reason: 'forbidden sysctls', detail: bad.map(({ name }) => name).join(', ') };
}

function windowsHostProcess(pod: PodLike): Violation | undefined {
  const who = setters(
    pod.spec.securityContext?.windowsOptions?.hostProcess === true,
    containersWhere(pod, ({ securityContext }) => securityContext?.windowsOptions?.hostProcess === true),
  );
  if (who === '') return undefined;
  return {
    reason: 'hostProcess',
    detail: `${who} must not set securityContext.windowsOptions.hostProcess=true`,
  };
}

const baseline = (id: string, revisions: PodCheck['revisions']): PodCheck => ({
  id,
  level: 'baseline',
  revisions,
});

export const baselineChecks: readonly PodCheck[] = [
  baseline('appArmorProfile', [{ sinceMinor: 0, check: appArmorProfile }]),
  baseline('capabilities_baseline', [{ sinceMinor: 0, check: capabilities }]),
  baseline('hostNamespaces', [{ sinceMinor: 0, check: hostNamespaces }]),
  baseline('hostPathVolumes', [{ sinceMinor: 0, check: hostPathVolumes }]),
  baseline('hostPorts', [{ sinceMinor: 0, check: hostPorts }]),
  baseline('hostProbesAndHostLifecycle', [{ sinceMinor: 34, check: hostProbes }]),
  baseline('privileged', [{ sinceMinor: 0, check: privileged }]),
  baseline('procMount', [
    { sinceMinor: 0, check: procMount },
    { sinceMinor: 35, check: (pod) => (inUserNamespace(pod) ? undefined : procMount(pod)) },
  ]),
  baseline('seLinuxOptions', [
    { sinceMinor: 0, check: (pod) => seLinuxOptions(pod, SELINUX_TYPES) },
    { sinceMinor: 31, check: (pod) => seLinuxOptions(pod, [...SELINUX_TYPES, 'container_engine_t']) },
  ]),
  baseline('seccompProfile_baseline', [
    { sinceMinor: 0, check: seccompAnnotations },
    { sinceMinor: 19, check: seccompProfile },
  ]),
  baseline('sysctls', [
    { sinceMinor: 0, check: (pod) => sysctls(pod, SYSCTLS_1_0) },
    { sinceMinor: 27, check: (pod) => sysctls(pod, SYSCTLS_1_27) },
    { sinceMinor: 29, check: (pod) => sysctls(pod, SYSCTLS_1_29) },
    { sinceMinor: 32, check: (pod) => sysctls(pod, SYSCTLS_1_32) },
  ]),
  baseline('windowsHostProcess', [{ sinceMinor: 0, check: windowsHostProcess }]),
];
