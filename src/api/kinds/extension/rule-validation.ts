/** Which requests a webhook or policy is about: rules, selectors, match conditions. */
import {
  duplicate,
  type FieldPath,
  invalid,
  notSupported,
  required,
  tooMany,
  validateDns1035Label,
  validatePathSegmentName,
} from '#machinery';
import type { admissionregistrationV1 } from '../../types/index.ts';
import { addInvalid, checkOneOf, checkPresent, checkSupported, type Errors } from '../field-rules.ts';
import { checkLabelSelector, checkQualifiedName } from '../metadata-rules.ts';

const OPERATIONS = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const SCOPES = ['*', 'Cluster', 'Namespaced'];
export const MATCH_POLICIES = ['Equivalent', 'Exact'];
export const FAILURE_POLICIES = ['Fail', 'Ignore'];
export const REINVOCATION_POLICIES = ['IfNeeded', 'Never'];

function checkAlone(list: readonly string[], what: string, at: FieldPath, errors: Errors): void {
  if (list.length > 1 && list.includes('*')) {
    errors.push(invalid(at, list, `if '*' is present, must not specify other ${what}`));
  }
}

export function checkRule(
  {
    operations = [],
    apiGroups = [],
    apiVersions = [],
    resources = [],
    scope,
  }: admissionregistrationV1.RuleWithOperations,
  at: FieldPath,
  errors: Errors,
): void {
  const operationsPath = at.child('operations');
  if (operations.length === 0) errors.push(required(operationsPath));
  checkAlone(operations, 'operations', operationsPath, errors);
  for (const [i, operation] of operations.entries()) {
    checkSupported(operation, OPERATIONS, operationsPath.index(i), errors);
  }
  const groupsPath = at.child('apiGroups');
  if (apiGroups.length === 0) errors.push(required(groupsPath));
  checkAlone(apiGroups, 'API groups', groupsPath, errors);
  const versionsPath = at.child('apiVersions');
  if (apiVersions.length === 0) errors.push(required(versionsPath));
  checkAlone(apiVersions, 'API versions', versionsPath, errors);
  for (const [i, version] of apiVersions.entries()) checkPresent(version, versionsPath.index(i), errors);
  checkResources(resources, at.child('resources'), errors);
  checkSupported(scope, SCOPES, at.child('scope'), errors);
}

// `pods`, `pods/status`, `pods/*`, `*/scale`, `*`, `*/*`: what one entry covers, no later one may name again.
function checkResources(resources: readonly string[], at: FieldPath, errors: Errors): void {
  if (resources.length === 0) errors.push(required(at));
  const allSubresourcesOf = new Set<string>();
  const subresourceOfAll = new Set<string>();
  let lastIsPlain = false;
  for (const [i, entry] of resources.entries()) {
    if (entry === '') {
      errors.push(required(at.index(i)));
      continue;
    }
    const slash = entry.indexOf('/');
    if (slash < 0) {
      // Upstream looks at the last plain entry only.
      lastIsPlain = entry !== '*';
      continue;
    }
    const resource = entry.slice(0, slash);
    const subresource = entry.slice(slash + 1);
    for (const [isCovered, wildcard] of [
      [allSubresourcesOf.has(resource), `${resource}/*`],
      [subresourceOfAll.has(subresource), `*/${subresource}`],
    ] as const) {
      if (isCovered) {
        errors.push(invalid(at.index(i), entry, `if '${wildcard}' is present, must not specify ${entry}`));
      }
    }
    if (subresource === '*') allSubresourcesOf.add(resource);
    if (resource === '*') subresourceOfAll.add(subresource);
  }
  if (resources.length > 1 && resources.includes('*/*')) {
    errors.push(invalid(at, resources, "if '*/*' is present, must not specify other resources"));
  }
  if (resources.includes('*') && lastIsPlain) {
    const why = "if '*' is present, must not specify other resources without subresources";
    errors.push(invalid(at, resources, why));
  }
}

const MAX_CONDITIONS = 64;

/** Their form: the expressions are not compiled. */
export function checkMatchConditions(
  conditions: readonly admissionregistrationV1.MatchCondition[],
  at: FieldPath,
  errors: Errors,
): void {
  if (conditions.length > MAX_CONDITIONS) errors.push(tooMany(at, conditions.length, MAX_CONDITIONS));
  const names = new Set<string>();
  for (const [i, { expression, name }] of conditions.entries()) {
    const path = at.index(i);
    checkPresent(expression?.trim(), path.child('expression'), errors);
    if (!checkPresent(name, path.child('name'), errors)) continue;
    checkQualifiedName(name, path.child('name'), errors);
    if (names.has(name)) errors.push(duplicate(path.child('name'), name));
    names.add(name);
  }
}

/** Of a policy or binding. */
export function checkMatchResources(
  match: admissionregistrationV1.MatchResources,
  at: FieldPath,
  errors: Errors,
): void {
  checkOneOf(match.matchPolicy, MATCH_POLICIES, at.child('matchPolicy'), errors);
  for (const field of ['namespaceSelector', 'objectSelector'] as const) {
    if (match[field] === undefined) errors.push(required(at.child(field)));
    else checkLabelSelector(match[field], at.child(field), errors);
  }
  for (const field of ['resourceRules', 'excludeResourceRules'] as const) {
    for (const [i, rule] of (match[field] ?? []).entries()) {
      const path = at.child(field).index(i);
      checkResourceNames(rule.resourceNames ?? [], path.child('resourceNames'), errors);
      checkRule(rule, path, errors);
    }
  }
}

function checkResourceNames(names: readonly string[], at: FieldPath, errors: Errors): void {
  for (const [i, name] of names.entries()) {
    addInvalid(validatePathSegmentName(name), at.index(i), name, errors);
    if (names.indexOf(name) < i) errors.push(duplicate(at.index(i), name));
  }
}

/** Mutation of what is being deleted makes no sense. */
export function checkMutatingOperations(
  match: admissionregistrationV1.MatchResources | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  const allowed = OPERATIONS.filter((operation) => operation !== 'DELETE');
  for (const { operations = [] } of match?.resourceRules ?? []) {
    for (const operation of operations) {
      if (!allowed.includes(operation)) {
        errors.push(notSupported(at.child('resourceRules', 'operations'), operation, allowed));
      }
    }
  }
}

/** Versions of the review object a webhook understands; one of `accepted` has to be among them. */
export function checkReviewVersions(
  versions: readonly string[],
  { accepted, whenEmpty }: { readonly accepted: readonly string[]; readonly whenEmpty: string },
  at: FieldPath,
  errors: Errors,
): void {
  if (versions.length === 0) {
    errors.push(required(at, whenEmpty));
    return;
  }
  for (const [i, version] of versions.entries()) {
    if (versions.indexOf(version) < i) errors.push(invalid(at.index(i), version, 'duplicate version'));
    else addInvalid(validateDns1035Label(version), at.index(i), version, errors);
  }
  if (accepted.length > 0 && !versions.some((version) => accepted.includes(version))) {
    errors.push(invalid(at, versions, `must include at least one of ${accepted.join(', ')}`));
  }
}
