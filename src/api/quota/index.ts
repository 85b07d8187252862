/** How objects count towards ResourceQuota: shared by admission (before a write) and the controller (recount). */
import type { QuotaEvaluator } from './evaluator.ts';
import { claimQuota, countQuota, serviceQuota } from './object-quota.ts';
import { podQuota } from './pod-quota.ts';

export { type QuotaEvaluator, type QuotaRequest, quotaMatches, scopesOf } from './evaluator.ts';
export {
  add as addResources,
  describe as describeResources,
  equals as equalResources,
  mask as maskResources,
  max as maxResources,
  type ResourceList,
  resourceList,
  subtractNonNegative as subtractResources,
  toJson as resourcesToJson,
  withoutZeros as nonZeroResources,
} from './resource-list.ts';

const SPECIAL: Readonly<Record<string, QuotaEvaluator | undefined>> = {
  pods: podQuota,
  services: serviceQuota,
  persistentvolumeclaims: claimQuota,
};

/** Computed resources and events are not counted. */
const IGNORED = new Set([
  '/bindings',
  '/componentstatuses',
  '/events',
  'events.k8s.io/events',
  'authentication.k8s.io/tokenreviews',
  'authentication.k8s.io/selfsubjectreviews',
  'authorization.k8s.io/subjectaccessreviews',
  'authorization.k8s.io/selfsubjectaccessreviews',
  'authorization.k8s.io/localsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectrulesreviews',
]);

/** Undefined: objects of this resource never count. */
export function quotaEvaluator(resource: {
  readonly group: string;
  readonly resource: string;
}): QuotaEvaluator | undefined {
  if (IGNORED.has(`${resource.group}/${resource.resource}`)) return undefined;
  return (resource.group === '' ? SPECIAL[resource.resource] : undefined) ?? countQuota(resource);
}
