/** LimitRange: containers get the namespace's defaults, then containers, pods and claims are held to its bounds. */
import { type coreV1, podLimits, podRequests, QUANTITIES, type ResourceList, resourceList } from '#api';
import { type KubeObject, type Quantity } from '#machinery';
import { joinProblems } from '../authorization/rbac-authorizer.ts';
import type { CacheReader } from '../reader.ts';
import { typed, untyped } from '../typed-object.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { refusal, resourceOf } from './refusal.ts';

const LIMIT_RANGES = { group: '', resource: 'limitranges' };
const ANNOTATION = 'kubernetes.io/limit-ranger';
const NONE: ResourceList = new Map();
const SPEC_ONLY = { useStatus: false, includeOverhead: false };

type Limits = Readonly<Record<string, string>>;

export function limitRanger(options: { readonly reader: CacheReader }): AdmissionPlugin {
  /** The ranges that apply to this write; none to objects that are being deleted. */
  function rangesFor(attributes: AdmissionAttributes): readonly coreV1.LimitRange[] {
    const { operation, oldObject, target } = attributes;
    if (oldObject?.metadata.deletionTimestamp !== undefined) return [];
    const resource = resourceOf(attributes);
    const applies =
      (operation === 'CREATE' && (resource === 'pods' || resource === 'persistentvolumeclaims')) ||
      (operation === 'UPDATE' && (resource === 'pods/resize' || resource === 'persistentvolumeclaims'));
    return applies ? options.reader.list<coreV1.LimitRange>(LIMIT_RANGES, target.namespace) : [];
  }

  return {
    name: 'LimitRanger',
    mutate(attributes: AdmissionAttributes): KubeObject | undefined {
      const { object, target } = attributes;
      if (object === undefined || target.resource !== 'pods') return object;
      let changed = object;
      for (const range of rangesFor(attributes)) {
        changed = untyped(applyDefaults(typed<coreV1.Pod>(changed), range));
      }
      return changed;
    },
    validate(attributes: AdmissionAttributes): void {
      const { object, target } = attributes;
      if (object === undefined) return;
      for (const range of rangesFor(attributes)) {
        const problems =
          target.resource === 'pods'
            ? podProblems(typed<coreV1.Pod>(object), range)
            : claimProblems(typed<coreV1.PersistentVolumeClaim>(object), range);
        if (problems.length > 0) throw refusal(attributes, joinProblems(problems));
      }
    },
  };
}

function applyDefaults(pod: coreV1.Pod, { spec }: coreV1.LimitRange): coreV1.Pod {
  const items = (spec?.limits ?? []).filter(({ type }) => type === 'Container');
  const requests: Limits = Object.assign({}, ...items.map((item) => item.defaultRequest ?? {}));
  const limits: Limits = Object.assign({}, ...items.map((item) => item.default ?? {}));
  if (Object.keys(requests).length === 0 && Object.keys(limits).length === 0) return pod;
  const notes: string[] = [];
  const fill = (container: coreV1.Container, kind: string): coreV1.Container => {
    const own = container.resources ?? {};
    const missing = (defaults: Limits, given: Limits | undefined): readonly string[] =>
      Object.keys(defaults)
        .filter((name) => given?.[name] === undefined)
        .sort();
    const [newRequests, newLimits] = [missing(requests, own.requests), missing(limits, own.limits)];
    if (newRequests.length === 0 && newLimits.length === 0) return container;
    if (newRequests.length > 0) notes.push(`${newRequests.join(', ')} request for ${kind} ${container.name}`);
    if (newLimits.length > 0) notes.push(`${newLimits.join(', ')} limit for ${kind} ${container.name}`);
    return {
      ...container,
      resources: {
        ...own,
        limits: { ...limits, ...own.limits },
        requests: { ...requests, ...own.requests },
      },
    };
  };
  const containers = (pod.spec.containers ?? []).map((container) => fill(container, 'container'));
  const initContainers = pod.spec.initContainers?.map((container) => fill(container, 'init container'));
  if (notes.length === 0) return pod;
  const annotations = {
    ...pod.metadata.annotations,
    [ANNOTATION]: `LimitRanger plugin set: ${notes.join('; ')}`,
  };
  return {
    ...pod,
    metadata: { ...pod.metadata, annotations },
    spec: { ...pod.spec, containers, ...(initContainers === undefined ? {} : { initContainers }) },
  };
}

interface Usage {
  readonly requests: ResourceList;
  readonly limits: ResourceList;
}

function podProblems(pod: coreV1.Pod, { spec }: coreV1.LimitRange): readonly string[] {
  return (spec?.limits ?? []).flatMap((item) => {
    if (item.type === 'Pod') {
      return itemProblems(item, {
        requests: podRequests(pod, QUANTITIES, SPEC_ONLY),
        limits: podLimits(pod, QUANTITIES, SPEC_ONLY),
      });
    }
    if (item.type !== 'Container') return [];
    return [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].flatMap(({ resources }) =>
      itemProblems(item, {
        requests: resourceList(resources?.requests),
        limits: resourceList(resources?.limits),
      }),
    );
  });
}

function claimProblems(
  { spec: claim }: coreV1.PersistentVolumeClaim,
  { spec }: coreV1.LimitRange,
): readonly string[] {
  const requests = resourceList(claim.resources?.requests);
  return (spec?.limits ?? [])
    .filter(({ type }) => type === 'PersistentVolumeClaim')
    .flatMap(({ type, min, max }) => [
      ...each(min, (name, bound) => belowMinimum(type, name, bound, { requests, limits: NONE })),
      ...each(max, (name, bound) => requestAboveMaximum(type, name, bound, requests)),
    ]);
}

const itemProblems = (item: coreV1.LimitRangeItem, usage: Usage): readonly string[] => [
  ...each(item.min, (name, bound) => belowMinimum(item.type, name, bound, usage)),
  ...each(item.max, (name, bound) => aboveMaximum(item.type, name, bound, usage)),
  ...each(item.maxLimitRequestRatio, (name, bound) => aboveRatio(item.type, name, bound, usage)),
];

const each = (
  bounds: Limits | undefined,
  problem: (name: string, bound: Quantity) => string | undefined,
): readonly string[] => [...resourceList(bounds)].flatMap(([name, bound]) => problem(name, bound) ?? []);

function belowMinimum(type: string, name: string, bound: Quantity, usage: Usage): string | undefined {
  const [request, limit] = [usage.requests.get(name), usage.limits.get(name)];
  const rule = `minimum ${name} usage per ${type} is ${bound.toString()}`;
  if (request === undefined) return `${rule}.  No request is specified`;
  if (request.compare(bound) < 0) return `${rule}, but request is ${request.toString()}`;
  if (limit !== undefined && limit.compare(bound) < 0) return `${rule}, but limit is ${limit.toString()}`;
  return undefined;
}

function aboveMaximum(type: string, name: string, bound: Quantity, usage: Usage): string | undefined {
  const [request, limit] = [usage.requests.get(name), usage.limits.get(name)];
  const rule = `maximum ${name} usage per ${type} is ${bound.toString()}`;
  if (limit === undefined) return `${rule}.  No limit is specified`;
  if (limit.compare(bound) > 0) return `${rule}, but limit is ${limit.toString()}`;
  if (request !== undefined && request.compare(bound) > 0) {
    return `${rule}, but request is ${request.toString()}`;
  }
  return undefined;
}

function requestAboveMaximum(
  type: string,
  name: string,
  bound: Quantity,
  requests: ResourceList,
): string | undefined {
  const request = requests.get(name);
  const rule = `maximum ${name} usage per ${type} is ${bound.toString()}`;
  if (request === undefined) return `${rule}.  No request is specified`;
  return request.compare(bound) > 0 ? `${rule}, but request is ${request.toString()}` : undefined;
}

function aboveRatio(type: string, name: string, bound: Quantity, usage: Usage): string | undefined {
  const [request, limit] = [usage.requests.get(name), usage.limits.get(name)];
  const rule = `${name} max limit to request ratio per ${type} is ${bound.toString()}`;
  if (request === undefined || request.isZero()) {
    return `${rule}, but no request is specified or request is 0`;
  }
  if (limit === undefined || limit.isZero()) return `${rule}, but no limit is specified or limit is 0`;
  const ratio = limit.toNumber() / request.toNumber();
  return ratio > bound.toNumber() ? `${rule}, but provided ratio is ${ratio.toFixed(6)}` : undefined;
}
