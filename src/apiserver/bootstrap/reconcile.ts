/**
 * Default RBAC objects are kept complete: at every start what an upgrade or an accident left out is added, and what
 * an administrator added stays. `autoupdate: "false"` on an object means hands off.
 */
import type { rbacV1 } from '#api';
import type { KubeObject } from '#machinery';
import { uncoveredRules } from '../authorization/rule-coverage.ts';
import { typed, untyped } from '../typed-object.ts';
import { AUTOUPDATE_ANNOTATION } from './rbac-policy.ts';

export type BootstrapAction =
  | { readonly action: 'create'; readonly object: KubeObject }
  | { readonly action: 'update'; readonly object: KubeObject }
  /** A binding's role cannot be changed: delete the old one, create this. */
  | { readonly action: 'recreate'; readonly object: KubeObject }
  | { readonly action: 'none' };

const NONE: BootstrapAction = { action: 'none' };

/** What to do so that `existing` (undefined: not there) has at least what `wanted` says. */
export function reconcileBootstrapObject(
  wanted: KubeObject,
  existing: KubeObject | undefined,
): BootstrapAction {
  if (existing === undefined) return { action: 'create', object: wanted };
  // Priority classes and flow control belong to the administrator once they are there.
  if (!wanted.apiVersion.startsWith('rbac.')) return NONE;
  if (existing.metadata.annotations?.[AUTOUPDATE_ANNOTATION] === 'false') return NONE;
  const merged = mergeMetadata(wanted, existing);
  switch (wanted.kind) {
    case 'ClusterRole':
    case 'Role':
      return reconcileRole(typed(wanted), typed(existing), merged);
    case 'ClusterRoleBinding':
    case 'RoleBinding':
      return reconcileBinding(typed(wanted), typed(existing), merged);
    default:
      return NONE;
  }
}

/** The existing object with missing labels and annotations; the same reference when none is missing. */
function mergeMetadata(wanted: KubeObject, existing: KubeObject): KubeObject {
  const missing = (kind: 'labels' | 'annotations'): boolean =>
    Object.keys(wanted.metadata[kind] ?? {}).some((key) => existing.metadata[kind]?.[key] === undefined);
  if (!missing('labels') && !missing('annotations')) return existing;
  return {
    ...existing,
    metadata: {
      ...existing.metadata,
      labels: { ...wanted.metadata.labels, ...existing.metadata.labels },
      annotations: { ...wanted.metadata.annotations, ...existing.metadata.annotations },
    },
  };
}

function reconcileRole(
  wanted: rbacV1.ClusterRole,
  existing: rbacV1.ClusterRole,
  merged: KubeObject,
): BootstrapAction {
  let object = merged;
  const missing = uncoveredRules(existing.rules ?? [], wanted.rules ?? []);
  if (missing.length > 0) object = { ...object, rules: [...(existing.rules ?? []), ...missing] };
  if (wanted.aggregationRule === undefined && existing.aggregationRule !== undefined) {
    object = { ...object, aggregationRule: undefined };
  }
  const selectors = existing.aggregationRule?.clusterRoleSelectors ?? [];
  const known = new Set(selectors.map((selector) => JSON.stringify(selector)));
  const missingSelectors = (wanted.aggregationRule?.clusterRoleSelectors ?? []).filter(
    (selector) => !known.has(JSON.stringify(selector)),
  );
  if (missingSelectors.length > 0) {
    object = { ...object, aggregationRule: { clusterRoleSelectors: [...selectors, ...missingSelectors] } };
  }
  return object === untyped(existing) ? NONE : { action: 'update', object };
}

const subjectId = (subject: rbacV1.Subject): string =>
  [subject.kind, subject.apiGroup ?? '', subject.namespace ?? '', subject.name].join('\0');

function reconcileBinding(
  wanted: rbacV1.ClusterRoleBinding,
  existing: rbacV1.ClusterRoleBinding,
  merged: KubeObject,
): BootstrapAction {
  const { roleRef } = wanted;
  if (
    roleRef.kind !== existing.roleRef.kind ||
    roleRef.name !== existing.roleRef.name ||
    roleRef.apiGroup !== existing.roleRef.apiGroup
  ) {
    return { action: 'recreate', object: untyped(wanted) };
  }
  const subjects = existing.subjects ?? [];
  const known = new Set(subjects.map(subjectId));
  const missing = (wanted.subjects ?? []).filter((subject) => !known.has(subjectId(subject)));
  const object = missing.length === 0 ? merged : { ...merged, subjects: [...subjects, ...missing] };
  return object === untyped(existing) ? NONE : { action: 'update', object };
}
