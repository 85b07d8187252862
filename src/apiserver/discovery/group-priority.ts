/** The order of API groups and versions in discovery, and what the APIService objects say about it. */

export interface GroupVersionPriority {
  readonly group: number;
  readonly version: number;
}

const GROUP_PRIORITIES: Readonly<Record<string, number>> = {
  '': 18000,
  apps: 17800,
  'events.k8s.io': 17750,
  'authentication.k8s.io': 17700,
  'authorization.k8s.io': 17600,
  autoscaling: 17500,
  batch: 17400,
  'certificates.k8s.io': 17300,
  'networking.k8s.io': 17200,
  policy: 17100,
  'rbac.authorization.k8s.io': 17000,
  'storage.k8s.io': 16800,
  'apiextensions.k8s.io': 16700,
  'admissionregistration.k8s.io': 16700,
  'scheduling.k8s.io': 16600,
  'coordination.k8s.io': 16500,
  'node.k8s.io': 16300,
  'discovery.k8s.io': 16200,
  'resource.k8s.io': 16200,
  'flowcontrol.apiserver.k8s.io': 16100,
  'internal.apiserver.k8s.io': 16000,
  'storagemigration.k8s.io': 15800,
};

const CUSTOM: GroupVersionPriority = { group: 1000, version: 100 };

export function priorityOf(group: string, version: string): GroupVersionPriority {
  const known = GROUP_PRIORITIES[group];
  if (known === undefined) return CUSTOM;
  if (group === '') return { group: known, version: 1 };
  if (group === 'autoscaling' && version === 'v2') return { group: known, version: 30 };
  if (version.includes('alpha')) return { group: known, version: 1 };
  return { group: known, version: version.includes('beta') ? 9 : 15 };
}

export const isBuiltinGroup = (group: string): boolean => GROUP_PRIORITIES[group] !== undefined;

/** Higher priority first, then by name. */
export function compareGroups(a: string, b: string): number {
  return priorityOf(b, '').group - priorityOf(a, '').group || (a < b ? -1 : a > b ? 1 : 0);
}

interface ParsedVersion {
  readonly stability: number;
  readonly major: number;
  readonly minor: number;
}

function parseVersion(version: string): ParsedVersion | undefined {
  const match = /^v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?$/.exec(version);
  if (match === null) return undefined;
  const stability = match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0;
  return { stability, major: Number(match[1]), minor: Number(match[3] ?? 0) };
}

/** v2 before v1 before v1beta1 before v1alpha1 before anything that is not such a version. */
export function compareVersions(a: string, b: string): number {
  const left = parseVersion(a);
  const right = parseVersion(b);
  if (left === undefined || right === undefined) {
    if (left !== undefined) return -1;
    if (right !== undefined) return 1;
    return a < b ? -1 : a > b ? 1 : 0;
  }
  return right.stability - left.stability || right.major - left.major || right.minor - left.minor;
}
