/** Whether one RBAC rule allows one request. `*` matches everything in verbs, groups, resources and paths. */
import type { rbacV1 } from '#api';
import type { AuthorizationAttributes } from './authorizer.ts';

const ALL = '*';

const matches = (allowed: readonly string[] | undefined, asked: string): boolean =>
  allowed !== undefined && (allowed.includes(ALL) || allowed.includes(asked));

function resourceMatches(
  allowed: readonly string[] | undefined,
  resource: string,
  subresource: string,
): boolean {
  if (allowed === undefined) return false;
  const combined = subresource === '' ? resource : `${resource}/${subresource}`;
  if (allowed.includes(ALL) || allowed.includes(combined)) return true;
  return subresource !== '' && allowed.includes(`*/${subresource}`);
}

/** A path matches itself, or a pattern whose only wildcard is its end: `/healthz/*`. */
export function pathMatches(pattern: string, path: string): boolean {
  if (pattern === ALL || pattern === path) return true;
  return pattern.endsWith(ALL) && path.startsWith(pattern.replace(/\*+$/, ''));
}

export function ruleAllows(rule: rbacV1.PolicyRule, attributes: AuthorizationAttributes): boolean {
  if (!matches(rule.verbs, attributes.verb)) return false;
  const { path } = attributes;
  if (path !== undefined) {
    return rule.nonResourceURLs?.some((pattern) => pathMatches(pattern, path)) === true;
  }
  if (!matches(rule.apiGroups, attributes.group ?? '')) return false;
  if (!resourceMatches(rule.resources, attributes.resource ?? '', attributes.subresource ?? '')) return false;
  const names = rule.resourceNames;
  return names === undefined || names.length === 0 || names.includes(attributes.name ?? '');
}
