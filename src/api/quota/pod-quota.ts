import { type KubeObject, parseQuantity, type Quantity } from '#machinery';
import type { coreV1 } from '../types/index.ts';
import { type QuotaEvaluator, type QuotaRequest, type ScopeRequirement, valueMatches } from './evaluator.ts';
import { podLimits, podRequests, QUANTITIES } from '../pod-resources.ts';
import { type ResourceList, resourceList } from './resource-list.ts';

const POD_RESOURCES = [
  'count/pods',
  'cpu',
  'memory',
  'ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  'pods',
];
/** If one of these is limited, every container must say how much it wants. No other resource is as strict. */
const REQUIRED_WHEN_LIMITED = [
  'cpu',
  'memory',
  'requests.cpu',
  'requests.memory',
  'limits.cpu',
  'limits.memory',
];
const COUNTED = ['cpu', 'memory', 'ephemeral-storage'];
const REQUESTS = 'requests.';
const ONE = parseQuantity('1');

// A pod comes from a caller that knows it is one; generated types have no index signature.
const podOf = (object: KubeObject): coreV1.Pod => object as unknown as coreV1.Pod;

const isNative = (name: string): boolean => !name.includes('/') || name.includes('kubernetes.io/');
const isExtended = (name: string): boolean =>
  (!isNative(name) && !name.startsWith(REQUESTS)) || name.startsWith('deviceclass.resource.kubernetes.io/');

/** `requests.nvidia.com/gpu`: extended resources are limited by their requests alone. */
const isExtendedQuota = (name: string): boolean =>
  name.startsWith(REQUESTS) && isExtended(name.slice(REQUESTS.length));

function computeUsage(requests: ResourceList, limits: ResourceList): ResourceList {
  const usage = new Map<string, Quantity>([['pods', ONE]]);
  for (const name of COUNTED) {
    const request = requests.get(name);
    if (request !== undefined) usage.set(name, request).set(`${REQUESTS}${name}`, request);
    const limit = limits.get(name);
    if (limit !== undefined) usage.set(`limits.${name}`, limit);
  }
  for (const [name, request] of requests) {
    if (name.startsWith('hugepages-')) usage.set(name, request).set(`${REQUESTS}${name}`, request);
    if (isExtended(name)) usage.set(`${REQUESTS}${name}`, request);
  }
  return usage;
}

export const isTerminating = ({ spec }: coreV1.Pod): boolean => (spec.activeDeadlineSeconds ?? -1) >= 0;

function isBestEffort({ spec }: coreV1.Pod): boolean {
  const isSet = (list: Readonly<Record<string, string>> | undefined): boolean =>
    ['cpu', 'memory'].some((name) => list?.[name] !== undefined && !parseQuantity(list[name]).isZero());
  const holders = [
    spec.resources,
    ...[...(spec.initContainers ?? []), ...spec.containers].map((c) => c.resources),
  ];
  return holders.every((resources) => !isSet(resources?.requests) && !isSet(resources?.limits));
}

function looksIntoOtherNamespaces({ spec }: coreV1.Pod): boolean {
  const { podAffinity, podAntiAffinity } = spec.affinity ?? {};
  const terms = [podAffinity, podAntiAffinity].flatMap((affinity) => [
    ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => term.podAffinityTerm),
  ]);
  return terms.some((term) => (term.namespaces?.length ?? 0) > 0 || term.namespaceSelector !== undefined);
}

function matchesScope(scope: ScopeRequirement, object: KubeObject): boolean {
  const pod = podOf(object);
  switch (scope.scopeName) {
    case 'Terminating':
      return isTerminating(pod);
    case 'NotTerminating':
      return !isTerminating(pod);
    case 'BestEffort':
      return isBestEffort(pod);
    case 'NotBestEffort':
      return !isBestEffort(pod);
    case 'CrossNamespacePodAffinity':
      return looksIntoOtherNamespaces(pod);
    case 'PriorityClass': {
      const name = pod.spec.priorityClassName ?? '';
      return valueMatches(scope, name === '' ? [] : [name]);
    }
    default:
      return false;
  }
}

function constraintViolation(resources: readonly string[], object: KubeObject): string | undefined {
  const { spec } = podOf(object);
  const podLevel = { ...spec.resources?.requests, ...spec.resources?.limits };
  if (Object.keys(podLevel).length > 0) return undefined;
  const required = REQUIRED_WHEN_LIMITED.filter((name) => resources.includes(name)).sort();
  const missing = required.flatMap((name) => {
    const containers = [...spec.containers, ...(spec.initContainers ?? [])].filter(
      (container) =>
        !computeUsage(
          resourceList(container.resources?.requests),
          resourceList(container.resources?.limits),
        ).has(name),
    );
    if (containers.length === 0) return [];
    return [`${name} for: ${[...new Set(containers.map((container) => container.name))].sort().join(',')}`];
  });
  return missing.length === 0 ? undefined : `must specify ${missing.join('; ')}`;
}

/** Ended pods cost nothing but their place in the store, and so do those whose node never confirms their end. */
function isCharged({ metadata, status }: coreV1.Pod, nowMs: number): boolean {
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded') return false;
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadata;
  if (deletionTimestamp === undefined || deletionGracePeriodSeconds === undefined) return true;
  return nowMs <= Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000;
}

export const podQuota: QuotaEvaluator = {
  handles({ operation, subresource, object, oldObject }: QuotaRequest): boolean {
    if (subresource === 'resize') return operation === 'UPDATE';
    if (subresource !== '') return false;
    if (operation !== 'UPDATE' || oldObject === undefined) return operation === 'CREATE';
    // The one update that moves a pod from one quota's scope to another's.
    return isTerminating(podOf(object)) !== isTerminating(podOf(oldObject));
  },
  matchingResources: (names) =>
    names.filter(
      (name) =>
        POD_RESOURCES.includes(name) ||
        name.startsWith('hugepages-') ||
        name.startsWith('requests.hugepages-') ||
        isExtendedQuota(name),
    ),
  matchesScope,
  constraintViolation,
  usage(object, nowMs) {
    const pod = podOf(object);
    if (!isCharged(pod, nowMs)) return new Map([['count/pods', ONE]]);
    const options = { useStatus: true, includeOverhead: true };
    const usage = computeUsage(podRequests(pod, QUANTITIES, options), podLimits(pod, QUANTITIES, options));
    return new Map([['count/pods', ONE], ...usage]);
  },
};
