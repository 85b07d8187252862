/** The restricted standard: current hardening practice, at the cost of some compatibility. */
import type { coreV1 } from '#api';
import { isAllowedProfile, procMount, seccompProfile } from './baseline-checks.ts';
import {
  containersOf,
  containersWhere,
  inUserNamespace,
  isWindows,
  named,
  type PodCheck,
  type PodLike,
  plural,
  quoteAll,
  setters,
  sorted,
  type Violation,
} from './check.ts';

function allowPrivilegeEscalation(pod: PodLike): Violation | undefined {
  const containers = containersWhere(
    pod,
    ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false,
  );
  if (containers.length === 0) return undefined;
  return {
    reason: 'allowPrivilegeEscalation != false',
    detail: `${named('container', containers)} must set securityContext.allowPrivilegeEscalation=false`,
  };
}

function capabilities(pod: PodLike): Violation | undefined {
  const keeping: string[] = [];
  const adding: string[] = [];
  const added = new Set<string>();
  for (const { name, securityContext } of containersOf(pod)) {
    const { drop = [], add = [] } = securityContext?.capabilities ?? {};
    if (!drop.includes('ALL')) keeping.push(name);
    const bad = add.filter((capability) => capability !== 'NET_BIND_SERVICE');
    if (bad.length > 0) adding.push(name);
    for (const capability of bad) added.add(capability);
  }
  const details = [
    ...(keeping.length === 0
      ? []
      : [`${named('container', keeping)} must set securityContext.capabilities.drop=["ALL"]`]),
    ...(adding.length === 0
      ? []
      : [
          `${named('container', adding)} must not include ${quoteAll(sorted(added))} in securityContext.capabilities.add`,
        ]),
  ];
  return details.length === 0
    ? undefined
    : { reason: 'unrestricted capabilities', detail: details.join('; ') };
}

const ALLOWED_SOURCES: readonly (keyof coreV1.Volume)[] = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

function restrictedVolumes({ spec }: PodLike): Violation | undefined {
  const bad = (spec.volumes ?? []).filter((volume) =>
    ALLOWED_SOURCES.every((source) => volume[source] === undefined),
  );
  if (bad.length === 0) return undefined;
  const types = sorted(
    bad.map((volume) => Object.keys(volume).find((field) => field !== 'name') ?? 'unknown'),
  );
  const names = bad.map(({ name }) => name);
  const uses = names.length === 1 ? 'uses' : 'use';
  return {
    reason: 'restricted volume types',
    detail: `${named('volume', names)} ${uses} ${plural('restricted volume type', types.length)} ${quoteAll(types)}`,
  };
}

function runAsNonRoot(pod: PodLike): Violation | undefined {
  const podChoice = pod.spec.securityContext?.runAsNonRoot;
  const reason = 'runAsNonRoot != true';
  const who = setters(
    podChoice === false,
    containersWhere(pod, ({ securityContext }) => securityContext?.runAsNonRoot === false),
  );
  if (who !== '') return { reason, detail: `${who} must not set securityContext.runAsNonRoot=false` };
  if (podChoice === true) return undefined;
  const silent = containersWhere(pod, ({ securityContext }) => securityContext?.runAsNonRoot === undefined);
  if (silent.length === 0) return undefined;
  return {
    reason,
    detail: `pod or ${named('container', silent)} must set securityContext.runAsNonRoot=true`,
  };
}

function runAsUser(pod: PodLike): Violation | undefined {
  const who = setters(
    pod.spec.securityContext?.runAsUser === 0,
    containersWhere(pod, ({ securityContext }) => securityContext?.runAsUser === 0),
  );
  return who === '' ? undefined : { reason: 'runAsUser=0', detail: `${who} must not set runAsUser=0` };
}

function seccompSet(pod: PodLike): Violation | undefined {
  const forbidden = seccompProfile(pod);
  if (forbidden !== undefined) return forbidden;
  const podType = pod.spec.securityContext?.seccompProfile?.type;
  if (podType !== undefined && isAllowedProfile(podType)) return undefined;
  const silent = containersWhere(pod, ({ securityContext }) => securityContext?.seccompProfile === undefined);
  if (silent.length === 0) return undefined;
  return {
    reason: 'seccompProfile',
    detail: `pod or ${named('container', silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  };
}

type Check = (pod: PodLike) => Violation | undefined;
const exceptOnWindows =
  (check: Check): Check =>
  (pod) =>
    isWindows(pod) ? undefined : check(pod);
const exceptInUserNamespace =
  (check: Check): Check =>
  (pod) =>
    inUserNamespace(pod) ? undefined : check(pod);

const restricted = (id: string, revisions: PodCheck['revisions']): PodCheck => ({
  id,
  level: 'restricted',
  revisions,
});

export const restrictedChecks: readonly PodCheck[] = [
  restricted('allowPrivilegeEscalation', [
    { sinceMinor: 8, check: allowPrivilegeEscalation },
    { sinceMinor: 25, check: exceptOnWindows(allowPrivilegeEscalation) },
  ]),
  restricted('capabilities_restricted', [
    { sinceMinor: 22, check: capabilities, replaces: ['capabilities_baseline'] },
    { sinceMinor: 25, check: exceptOnWindows(capabilities), replaces: ['capabilities_baseline'] },
  ]),
  restricted('procMount_restricted', [{ sinceMinor: 35, check: procMount, replaces: ['procMount'] }]),
  restricted('restrictedVolumes', [
    { sinceMinor: 0, check: restrictedVolumes, replaces: ['hostPathVolumes'] },
  ]),
  restricted('runAsNonRoot', [
    { sinceMinor: 0, check: runAsNonRoot },
    { sinceMinor: 35, check: exceptInUserNamespace(runAsNonRoot) },
  ]),
  restricted('runAsUser', [
    { sinceMinor: 23, check: runAsUser },
    { sinceMinor: 35, check: exceptInUserNamespace(runAsUser) },
  ]),
  restricted('seccompProfile_restricted', [
    { sinceMinor: 19, check: seccompSet, replaces: ['seccompProfile_baseline'] },
    { sinceMinor: 25, check: exceptOnWindows(seccompSet), replaces: ['seccompProfile_baseline'] },
  ]),
];
