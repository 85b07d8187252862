/** Roles and bindings. */
import {
  deepEqual,
  type FieldError,
  FieldPath,
  invalid,
  notSupported,
  required,
  validateDns1123Subdomain,
  validatePathSegmentName,
} from '#machinery';
import type { rbacV1 } from '../../types/index.ts';
import { addInvalid, checkPresent, collect, type Errors } from '../field-rules.ts';
import { checkLabelSelector } from '../metadata-rules.ts';

const GROUP = 'rbac.authorization.k8s.io';
const rulesPath = new FieldPath('rules');
const rolePath = new FieldPath('roleRef');

function checkRule(rule: rbacV1.PolicyRule, isNamespaced: boolean, at: FieldPath, errors: Errors): void {
  const { apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const verbs: readonly string[] = rule.verbs ?? [];
  if (verbs.length === 0) errors.push(required(at.child('verbs'), 'verbs must contain at least one value'));
  const path = at.child('nonResourceURLs');
  if (nonResourceURLs.length > 0) {
    if (isNamespaced) {
      const why = 'namespaced rules cannot apply to non-resource URLs';
      errors.push(invalid(path, nonResourceURLs, why));
    }
    if (apiGroups.length + resources.length + resourceNames.length > 0) {
      const why = 'rules cannot apply to both regular resources and non-resource URLs';
      errors.push(invalid(path, nonResourceURLs, why));
    }
    return;
  }
  if (apiGroups.length === 0) {
    errors.push(required(at.child('apiGroups'), 'resource rules must supply at least one api group'));
  }
  if (resources.length === 0) {
    errors.push(required(at.child('resources'), 'resource rules must supply at least one resource'));
  }
}

export const validateRole = ({ rules }: rbacV1.Role): readonly FieldError[] =>
  collect((errors) => {
    for (const [i, rule] of (rules ?? []).entries()) checkRule(rule, true, rulesPath.index(i), errors);
  });

export const validateClusterRole = ({ rules, aggregationRule }: rbacV1.ClusterRole): readonly FieldError[] =>
  collect((errors) => {
    for (const [i, rule] of (rules ?? []).entries()) checkRule(rule, false, rulesPath.index(i), errors);
    if (aggregationRule === undefined) return;
    const path = new FieldPath('aggregationRule.clusterRoleSelectors');
    const selectors = aggregationRule.clusterRoleSelectors ?? [];
    if (selectors.length === 0) {
      const why = 'at least one clusterRoleSelector required if aggregationRule is non-nil';
      errors.push(required(path, why));
    }
    for (const [i, selector] of selectors.entries()) {
      const before = errors.length;
      checkLabelSelector(selector, path.index(i), errors);
      if (errors.length > before) errors.push(invalid(path.index(i), null, 'invalid label selector.'));
    }
  });

interface Binding {
  readonly roleRef: rbacV1.RoleRef;
  readonly subjects?: readonly rbacV1.Subject[];
}

function checkBinding({ roleRef, subjects }: Binding, isNamespaced: boolean, errors: Errors): void {
  const { apiGroup, kind, name } = roleRef;
  if (apiGroup !== GROUP) errors.push(notSupported(rolePath.child('apiGroup'), apiGroup, [GROUP]));
  const kinds = isNamespaced ? ['Role', 'ClusterRole'] : ['ClusterRole'];
  if (!kinds.includes(kind)) errors.push(notSupported(rolePath.child('kind'), kind, kinds));
  if (checkPresent(name, rolePath.child('name'), errors)) {
    addInvalid(validatePathSegmentName(name), rolePath.child('name'), name, errors);
  }
  for (const [i, subject] of (subjects ?? []).entries()) {
    checkSubject(subject, isNamespaced, new FieldPath('subjects').index(i), errors);
  }
}

function checkSubject(subject: rbacV1.Subject, isNamespaced: boolean, at: FieldPath, errors: Errors): void {
  const { kind, name, apiGroup = '', namespace = '' } = subject;
  const isNamed = checkPresent(name, at.child('name'), errors);
  if (kind === 'ServiceAccount') {
    if (isNamed) addInvalid(validateDns1123Subdomain(name), at.child('name'), name, errors);
    if (apiGroup !== '') errors.push(notSupported(at.child('apiGroup'), apiGroup, ['']));
    if (!isNamespaced && namespace === '') errors.push(required(at.child('namespace')));
  } else if (kind === 'User' || kind === 'Group') {
    if (apiGroup !== GROUP) errors.push(notSupported(at.child('apiGroup'), apiGroup, [GROUP]));
  } else errors.push(notSupported(at.child('kind'), kind, ['ServiceAccount', 'User', 'Group']));
}

const validateBinding =
  (isNamespaced: boolean) =>
  (binding: Binding, old?: Binding): readonly FieldError[] =>
    collect((errors) => {
      checkBinding(binding, isNamespaced, errors);
      const { roleRef } = binding;
      if (old === undefined || deepEqual(roleRef, old.roleRef)) return;
      const printed = { APIGroup: roleRef.apiGroup, Kind: roleRef.kind, Name: roleRef.name };
      errors.push(invalid(rolePath, printed, 'cannot change roleRef'));
    });

export const validateRoleBinding = validateBinding(true);
export const validateClusterRoleBinding = validateBinding(false);
