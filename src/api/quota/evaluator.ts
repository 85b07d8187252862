import type { KubeObject } from '#machinery';
import type { coreV1 } from '../types/index.ts';
import type { ResourceList } from './resource-list.ts';

export type ScopeRequirement = coreV1.ScopedResourceSelectorRequirement;

/** A write as far as quota looks at it. */
export interface QuotaRequest {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  readonly subresource: string;
  readonly object: KubeObject;
  readonly oldObject: KubeObject | undefined;
}

/** How objects of one resource count towards quota. All functions are pure. */
export interface QuotaEvaluator {
  /** Can this write change what is used? */
  handles(request: QuotaRequest): boolean;
  /** Which of these quota resources the kind counts towards. */
  matchingResources(names: readonly string[]): readonly string[];
  matchesScope(scope: ScopeRequirement, object: KubeObject): boolean;
  /** Why an object may not be counted at all, e.g. `must specify cpu for: web`. */
  constraintViolation?(resources: readonly string[], object: KubeObject): string | undefined;
  usage(object: KubeObject, nowMs: number): ResourceList;
}

/** Scopes of a quota as requirements: plain scopes ask for existence. */
export function scopesOf({ spec }: coreV1.ResourceQuota): readonly ScopeRequirement[] {
  return [
    // Plain scopes are the names of the generated union.
    ...(spec?.scopes ?? []).map(
      (scopeName): ScopeRequirement => ({
        scopeName: scopeName as ScopeRequirement['scopeName'],
        operator: 'Exists',
      }),
    ),
    ...(spec?.scopeSelector?.matchExpressions ?? []),
  ];
}

/** Does the quota limit at least one resource of the object's kind, and do all its scopes hold for the object? */
export function quotaMatches(
  quota: coreV1.ResourceQuota,
  evaluator: QuotaEvaluator,
  object: KubeObject,
): boolean {
  return (
    evaluator.matchingResources(Object.keys(quota.status?.hard ?? {})).length > 0 &&
    scopesOf(quota).every((scope) => evaluator.matchesScope(scope, object))
  );
}

/** Whether one of the values (none: the object has none) fits the requirement. */
export function valueMatches({ operator, values = [] }: ScopeRequirement, own: readonly string[]): boolean {
  switch (operator) {
    case 'In':
      return own.some((value) => values.includes(value));
    case 'NotIn':
      return own.length === 0 || own.some((value) => !values.includes(value));
    case 'Exists':
      return own.length > 0;
    case 'DoesNotExist':
      return own.length === 0;
    default:
      return false;
  }
}
