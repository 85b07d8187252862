/** ValidatingAdmissionPolicy, MutatingAdmissionPolicy and their bindings: their form, the expressions are not compiled. */
import {
  deepEqual,
  duplicate,
  type FieldError,
  FieldPath,
  fieldForbidden,
  invalid,
  notSupported,
  required,
  validateDns1035Label,
  validateDns1123Subdomain,
  validatePathSegmentName,
} from '#machinery';
import type { admissionregistrationV1 } from '../../types/index.ts';
import {
  addInvalid,
  checkOneOf,
  checkPresent,
  checkSupported,
  collect,
  type Errors,
  isEmpty,
} from '../field-rules.ts';
import { checkLabelSelector, checkQualifiedName } from '../metadata-rules.ts';
import {
  checkMatchConditions,
  checkMatchResources,
  checkMutatingOperations,
  FAILURE_POLICIES,
  REINVOCATION_POLICIES,
} from './rule-validation.ts';

type ValidatingPolicy = admissionregistrationV1.ValidatingAdmissionPolicy;
type MutatingPolicy = admissionregistrationV1.MutatingAdmissionPolicy;
type PolicySpec = Pick<
  admissionregistrationV1.MutatingAdmissionPolicySpec,
  'failurePolicy' | 'paramKind' | 'matchConstraints' | 'matchConditions' | 'variables'
>;

const specPath = new FieldPath('spec');
const matchPath = specPath.child('matchConstraints');

export const validateValidatingPolicy = (
  { metadata, spec }: ValidatingPolicy,
  old?: ValidatingPolicy,
): readonly FieldError[] =>
  collect((errors) => {
    checkScope(spec, errors);
    checkConditions(spec, old?.spec, errors);
    checkVariables(spec.variables ?? [], errors);
    const { validations = [], auditAnnotations = [] } = spec;
    if (validations.length + auditAnnotations.length === 0) {
      const why = 'validations or auditAnnotations must contain at least one item';
      errors.push(required(specPath.child('validations'), why));
      errors.push(required(specPath.child('auditAnnotations'), why));
      return;
    }
    for (const [i, rule] of validations.entries()) {
      checkValidation(rule, specPath.child('validations').index(i), errors);
    }
    checkAuditAnnotations(auditAnnotations, metadata.name, errors);
  });

export const validateMutatingPolicy = (
  { spec }: MutatingPolicy,
  old?: MutatingPolicy,
): readonly FieldError[] =>
  collect((errors) => {
    checkScope(spec, errors);
    checkMutatingOperations(spec.matchConstraints, matchPath, errors);
    checkConditions(spec, old?.spec, errors);
    checkVariables(spec.variables ?? [], errors);
    const mutations = spec.mutations ?? [];
    const path = specPath.child('mutations');
    if (mutations.length === 0) errors.push(required(path, 'mutations must contain at least one item'));
    for (const [i, mutation] of mutations.entries()) checkMutation(mutation, path.index(i), errors);
    checkOneOf(spec.reinvocationPolicy, REINVOCATION_POLICIES, specPath.child('reinvocationPolicy'), errors);
  });

function checkScope({ failurePolicy, paramKind, matchConstraints }: PolicySpec, errors: Errors): void {
  checkOneOf(failurePolicy, FAILURE_POLICIES, specPath.child('failurePolicy'), errors);
  if (paramKind !== undefined) checkParamKind(paramKind, specPath.child('paramKind'), errors);
  if (matchConstraints === undefined) {
    errors.push(required(matchPath));
    return;
  }
  checkMatchResources(matchConstraints, matchPath, errors);
  if ((matchConstraints.resourceRules ?? []).length === 0)
    errors.push(required(matchPath.child('resourceRules')));
}

function checkConditions(spec: PolicySpec, old: PolicySpec | undefined, errors: Errors): void {
  const isUnchanged =
    old !== undefined &&
    deepEqual(spec.paramKind, old.paramKind) &&
    deepEqual(spec.matchConditions ?? [], old.matchConditions ?? []);
  if (!isUnchanged)
    checkMatchConditions(spec.matchConditions ?? [], specPath.child('matchConditions'), errors);
}

function checkParamKind(
  { apiVersion = '', kind = '' }: admissionregistrationV1.ParamKind,
  at: FieldPath,
  errors: Errors,
): void {
  const path = at.child('apiVersion');
  if (checkPresent(apiVersion, path, errors)) checkGroupVersion(apiVersion, path, errors);
  if (!checkPresent(kind, at.child('kind'), errors)) return;
  const messages = validateDns1035Label(kind.toLowerCase());
  if (messages.length === 0) return;
  const why = `may have mixed case, but should otherwise match: ${messages.join(',')}`;
  errors.push(invalid(at.child('kind'), kind, why));
}

function checkGroupVersion(apiVersion: string, at: FieldPath, errors: Errors): void {
  const parts = apiVersion === '/' ? ['', ''] : apiVersion.split('/');
  if (parts.length > 2) {
    errors.push(invalid(at, apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
    return;
  }
  const version = parts.at(-1) ?? '';
  const group = parts.length === 2 ? (parts[0] ?? '') : '';
  const groupMessages = group === '' ? [] : validateDns1123Subdomain(group);
  if (groupMessages.length > 0) errors.push(invalid(at, group, groupMessages.join(',')));
  if (version === '') {
    errors.push(invalid(at, apiVersion, 'version must be specified'));
    return;
  }
  const versionMessages = validateDns1035Label(version);
  if (versionMessages.length > 0) errors.push(invalid(at, version, versionMessages.join(',')));
}

const IDENTIFIER = /^[_a-zA-Z][_a-zA-Z0-9]*$/;
const RESERVED = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

function checkVariables(variables: readonly admissionregistrationV1.Variable[], errors: Errors): void {
  for (const [i, { name, expression }] of variables.entries()) {
    const path = specPath.child('variables').index(i);
    if (isEmpty(name?.trim())) errors.push(required(path.child('name'), 'name is not specified'));
    else if (!IDENTIFIER.test(name) || RESERVED.has(name)) {
      errors.push(invalid(path.child('name'), name, 'must be a valid CEL identifier'));
    }
    checkPresent(expression?.trim(), path.child('expression'), errors, 'expression is not specified');
  }
}

const REASONS = ['Forbidden', 'Invalid', 'RequestEntityTooLarge'];

function checkValidation(
  { expression, message = '', messageExpression = '', reason }: admissionregistrationV1.Validation,
  at: FieldPath,
  errors: Errors,
): void {
  checkPresent(expression?.trim(), at.child('expression'), errors, 'expression is not specified');
  if (messageExpression !== '' && messageExpression.trim() === '') {
    errors.push(invalid(at.child('messageExpression'), messageExpression, 'must be non-empty if specified'));
  }
  if (message !== '' && message.trim() === '') {
    errors.push(invalid(at.child('message'), message, 'must be non-empty if specified'));
  } else if (/[\n\r]/.test(message.trim())) {
    errors.push(invalid(at.child('message'), message, 'must not contain line breaks'));
  }
  checkSupported(reason, REASONS, at.child('reason'), errors);
}

const MAX_ANNOTATIONS = 20;
const MAX_ANNOTATION_EXPRESSION = 5 * 1024;

function checkAuditAnnotations(
  annotations: readonly admissionregistrationV1.AuditAnnotation[],
  policyName: string,
  errors: Errors,
): void {
  const path = specPath.child('auditAnnotations');
  if (annotations.length > MAX_ANNOTATIONS) {
    errors.push(invalid(path, annotations, `must not have more than ${MAX_ANNOTATIONS} auditAnnotations`));
  }
  const keys = new Set<string>();
  for (const [i, { key, valueExpression }] of annotations.entries()) {
    const at = path.index(i);
    checkQualifiedName(`${policyName}/${key}`, at.child('key'), errors);
    const expression = valueExpression?.trim();
    const expressionPath = at.child('valueExpression');
    if (checkPresent(expression, expressionPath, errors, 'valueExpression is not specified')) {
      if (Buffer.byteLength(expression) > MAX_ANNOTATION_EXPRESSION) {
        errors.push(required(expressionPath, `must not exceed ${MAX_ANNOTATION_EXPRESSION} bytes in length`));
      }
    }
    if (keys.has(key)) errors.push(duplicate(at.child('key'), key));
    keys.add(key);
  }
}

/** Each type of patch has a field of its own; the other stays empty. */
const PATCHES = {
  ApplyConfiguration: ['applyConfiguration', 'jsonPatch'],
  JSONPatch: ['jsonPatch', 'applyConfiguration'],
} as const;

function checkMutation(mutation: admissionregistrationV1.Mutation, at: FieldPath, errors: Errors): void {
  const { patchType } = mutation;
  if (!checkPresent(patchType, at.child('patchType'), errors)) return;
  const fields = Object.hasOwn(PATCHES, patchType) ? PATCHES[patchType] : undefined;
  if (fields === undefined) {
    errors.push(notSupported(at.child('patchType'), patchType, Object.keys(PATCHES)));
    return;
  }
  const [own, other] = fields;
  const patch = mutation[own];
  if (patch === undefined)
    errors.push(required(at.child(own), `must be specified when patchType is ${patchType}`));
  else checkPresent(patch.expression?.trim(), at.child(own, 'expression'), errors);
  if (mutation[other] !== undefined) {
    errors.push(
      invalid(at.child(other), `{${other}}`, `must not be specified when patchType is ${patchType}`),
    );
  }
}

interface Binding {
  readonly spec: admissionregistrationV1.MutatingAdmissionPolicyBindingSpec;
}

function checkBinding({ spec }: Binding, errors: Errors): void {
  const { policyName = '', paramRef, matchResources } = spec;
  const path = specPath.child('policyName');
  if (checkPresent(policyName, path, errors)) {
    addInvalid(validateDns1123Subdomain(policyName), path, policyName, errors);
  }
  if (paramRef !== undefined) checkParamRef(paramRef, specPath.child('paramRef'), errors);
  if (matchResources !== undefined)
    checkMatchResources(matchResources, specPath.child('matchResources'), errors);
}

export const validateMutatingBinding = (binding: Binding): readonly FieldError[] =>
  collect((errors) => {
    checkBinding(binding, errors);
    checkMutatingOperations(binding.spec.matchResources, specPath.child('matchResources'), errors);
  });

const ACTIONS = ['Audit', 'Deny', 'Warn'];

export const validateValidatingBinding = (
  binding: admissionregistrationV1.ValidatingAdmissionPolicyBinding,
): readonly FieldError[] =>
  collect((errors) => {
    checkBinding(binding, errors);
    const actions = binding.spec.validationActions ?? [];
    const path = specPath.child('validationActions');
    for (const [i, action] of actions.entries()) {
      checkSupported(action, ACTIONS, path.index(i), errors);
      if (actions.indexOf(action) < i) errors.push(duplicate(path.index(i), action));
    }
    if (actions.includes('Deny') && actions.includes('Warn')) {
      const why =
        'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)';
      errors.push(invalid(path, actions, why));
    }
    if (actions.length === 0) errors.push(required(path, 'at least one validation action is required'));
  });

const EXCLUSIVE = 'name and selector are mutually exclusive';

function checkParamRef(
  { name = '', selector, parameterNotFoundAction = '' }: admissionregistrationV1.ParamRef,
  at: FieldPath,
  errors: Errors,
): void {
  const hasBoth = name !== '' && selector !== undefined;
  if (name !== '') addInvalid(validatePathSegmentName(name), at.child('name'), name, errors);
  if (hasBoth) errors.push(fieldForbidden(at.child('name'), EXCLUSIVE));
  checkLabelSelector(selector, at.child('selector'), errors);
  if (hasBoth) errors.push(fieldForbidden(at.child('selector'), EXCLUSIVE));
  if (name === '' && selector === undefined) {
    errors.push(required(at, 'one of name or selector must be specified'));
  }
  checkOneOf(parameterNotFoundAction, ['Deny', 'Allow'], at.child('parameterNotFoundAction'), errors);
}
