/** Quota of everything that is not a pod: services, claims, and plain counts. */
import { groupResourceName, type KubeObject, parseQuantity, type Quantity } from '#machinery';
import type { coreV1 } from '../types/index.ts';
import { type QuotaEvaluator, type ScopeRequirement, valueMatches } from './evaluator.ts';
import type { ResourceList } from './resource-list.ts';

const ONE = parseQuantity('1');
const ZERO = parseQuantity('0');
const STORAGE_CLASS_SUFFIX = '.storageclass.storage.k8s.io/';
const CLAIM_RESOURCES = ['persistentvolumeclaims', 'requests.storage'];
/** Resources that had a name in quotas before `count/…` came. */
const ALIASES = ['configmaps', 'resourcequotas', 'replicationcontrollers', 'secrets'];

const amount = (count: number): Quantity => parseQuantity(String(count));
const noScope = (): boolean => false;

/** `count/<resource>.<group>`, and the resource's old name where it has one. */
export function countQuota(resource: { readonly group: string; readonly resource: string }): QuotaEvaluator {
  const names = [`count/${groupResourceName(resource)}`];
  if (resource.group === '' && ALIASES.includes(resource.resource)) names.push(resource.resource);
  const usage: ResourceList = new Map(names.map((name) => [name, ONE]));
  return {
    handles: ({ operation, subresource }) => operation === 'CREATE' && subresource === '',
    matchingResources: (limited) => limited.filter((name) => names.includes(name)),
    matchesScope: noScope,
    usage: () => usage,
  };
}

function nodePorts({ spec }: coreV1.Service): number {
  const ports = spec?.ports ?? [];
  if (spec?.type === 'NodePort') return ports.length;
  if (spec?.type !== 'LoadBalancer') return 0;
  // Ports are not given yet: count what will be asked for.
  if (spec.allocateLoadBalancerNodePorts !== false) return ports.length;
  return ports.filter(({ nodePort }) => (nodePort ?? 0) !== 0).length;
}

export const serviceQuota: QuotaEvaluator = {
  handles: ({ operation, subresource }) =>
    subresource === '' && (operation === 'CREATE' || operation === 'UPDATE'),
  matchingResources: (limited) =>
    limited.filter((name) =>
      ['count/services', 'services', 'services.nodeports', 'services.loadbalancers'].includes(name),
    ),
  matchesScope: noScope,
  usage(object) {
    const service = object as unknown as coreV1.Service; // no index signature on generated types
    return new Map([
      ['count/services', ONE],
      ['services', ONE],
      ['services.nodeports', amount(nodePorts(service))],
      ['services.loadbalancers', service.spec?.type === 'LoadBalancer' ? ONE : ZERO],
    ]);
  },
};

const claimOf = (object: KubeObject): coreV1.PersistentVolumeClaim =>
  object as unknown as coreV1.PersistentVolumeClaim; // no index signature on generated types

/** What is asked, or what is already allocated to a claim that grew; in whole bytes. */
function claimedStorage({ spec, status }: coreV1.PersistentVolumeClaim): Quantity | undefined {
  const asked = spec.resources?.requests?.['storage'];
  if (asked === undefined) return undefined;
  const wanted = parseQuantity(asked);
  const allocated = status?.allocatedResources?.['storage'];
  const held = allocated === undefined ? wanted : parseQuantity(allocated);
  return (held.compare(wanted) > 0 ? held : wanted).roundUp(0);
}

function attributesClasses({ spec, status }: coreV1.PersistentVolumeClaim): readonly string[] {
  return [spec.volumeAttributesClassName ?? '', status?.currentVolumeAttributesClassName ?? ''].filter(
    (name) => name !== '',
  );
}

export const claimQuota: QuotaEvaluator = {
  handles({ operation, subresource, object, oldObject }) {
    if (subresource === '') return operation === 'CREATE' || operation === 'UPDATE';
    if (subresource !== 'status' || oldObject === undefined) return false;
    const [now, before] = [claimOf(object), claimOf(oldObject)];
    const held = ({ status }: coreV1.PersistentVolumeClaim) => status?.allocatedResources?.['storage'];
    const classes = (claim: coreV1.PersistentVolumeClaim) => attributesClasses(claim).join();
    return held(now) !== held(before) || classes(now) !== classes(before);
  },
  matchingResources: (limited) =>
    limited.filter(
      (name) =>
        name === 'count/persistentvolumeclaims' ||
        CLAIM_RESOURCES.includes(name) ||
        CLAIM_RESOURCES.some((resource) => name.endsWith(`${STORAGE_CLASS_SUFFIX}${resource}`)),
    ),
  matchesScope: (scope: ScopeRequirement, object) =>
    scope.scopeName === 'VolumeAttributesClass' && valueMatches(scope, attributesClasses(claimOf(object))),
  usage(object) {
    const claim = claimOf(object);
    const storageClass =
      claim.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ??
      claim.spec.storageClassName ??
      '';
    const usage = new Map<string, Quantity>([
      ['persistentvolumeclaims', ONE],
      ['count/persistentvolumeclaims', ONE],
    ]);
    const storage = claimedStorage(claim);
    if (storage !== undefined) usage.set('requests.storage', storage);
    if (storageClass !== '') {
      usage.set(`${storageClass}${STORAGE_CLASS_SUFFIX}persistentvolumeclaims`, ONE);
      if (storage !== undefined) usage.set(`${storageClass}${STORAGE_CLASS_SUFFIX}requests.storage`, storage);
    }
    return usage;
  },
};
