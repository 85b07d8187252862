/** LimitRange and ResourceQuota. */
import {
  duplicate,
  type FieldError,
  FieldPath,
  fieldForbidden,
  invalid,
  parseQuantity,
  required,
  validateQualifiedName,
} from '#machinery';
import type { coreV1 } from '../../types/index.ts';
import { addInvalid, collect, type Errors, FIELD_IS_IMMUTABLE, sortedEntries } from '../field-rules.ts';
import {
  allowsOvercommit,
  checkContainerResourceName,
  checkQuotaResourceName,
  checkResourceName,
  checkResourceQuantity,
  isStandardQuotaResource,
  type ResourceList,
} from '../resource-rules.ts';

type Item = coreV1.LimitRangeItem;

const limitsPath = new FieldPath('spec.limits');
const LIMIT_TYPES = ['Pod', 'Container', 'PersistentVolumeClaim'];

export const validateLimitRange = ({ spec }: coreV1.LimitRange): readonly FieldError[] =>
  collect((errors) => {
    const types = new Set<string>();
    for (const [i, item] of (spec.limits ?? []).entries()) {
      const path = limitsPath.index(i);
      checkLimitType(item.type, path.child('type'), errors);
      if (types.has(item.type)) errors.push(duplicate(path.child('type'), item.type));
      types.add(item.type);
      checkItemNames(item, path, errors);
      checkItemValues(item, path, errors);
    }
  });

function checkLimitType(type: string, at: FieldPath, errors: Errors): void {
  const messages = validateQualifiedName(type);
  addInvalid(messages, at, type, errors);
  if (messages.length > 0 || type.includes('/') || LIMIT_TYPES.includes(type)) return;
  errors.push(invalid(at, type, 'must be a standard limit type or fully qualified'));
}

function checkItemNames(item: Item, at: FieldPath, errors: Errors): void {
  const checkName =
    item.type === 'Pod' || item.type === 'Container' ? checkContainerResourceName : checkResourceName;
  const checkList = (field: keyof Item): void => {
    for (const [name] of sortedEntries(item[field] as ResourceList | undefined)) {
      checkName(name, at.child(field).key(name), errors);
    }
  };
  checkList('max');
  checkList('min');
  for (const field of ['default', 'defaultRequest'] as const) {
    if (item.type !== 'Pod') checkList(field);
    else if (Object.keys(item[field] ?? {}).length > 0) {
      errors.push(fieldForbidden(at.child(field), "may not be specified when `type` is 'Pod'"));
    }
  }
  if (item.type === 'PersistentVolumeClaim') {
    if (item.min?.['storage'] === undefined && item.max?.['storage'] === undefined) {
      const why = 'either minimum or maximum storage value is required, but neither was provided';
      errors.push(required(at.child('limits'), why));
    }
  }
  checkList('maxLimitRequestRatio');
}

function checkItemValues(item: Item, at: FieldPath, errors: Errors): void {
  const defaults = item.type === 'Pod' ? {} : (item.default ?? {});
  const requests = item.type === 'Pod' ? {} : (item.defaultRequest ?? {});
  const { min = {}, max = {}, maxLimitRequestRatio: ratios = {} } = item;
  const names = new Set([min, max, defaults, requests, ratios].flatMap((list) => Object.keys(list)));
  for (const name of [...names].toSorted()) {
    const values = {
      min: min[name],
      max: max[name],
      default: defaults[name],
      defaultRequest: requests[name],
    };
    checkOrder(values, name, at, errors);
    checkRatio(ratios[name], values, at.child('maxLimitRequestRatio').key(name), errors);
    const { default: limit, defaultRequest: request } = values;
    if (allowsOvercommit(name) || limit === undefined || request === undefined) continue;
    if (exceeds(limit, request) || exceeds(request, limit)) {
      const why = `default value ${limit} must equal to defaultRequest value ${request} in ${name}`;
      errors.push(invalid(at.child('defaultRequest').key(name), request, why));
    }
  }
}

type Values = Readonly<Record<'min' | 'max' | 'default' | 'defaultRequest', string | undefined>>;

const exceeds = (a: string | undefined, b: string | undefined): boolean =>
  a !== undefined && b !== undefined && parseQuantity(a).compare(parseQuantity(b)) > 0;

/** min ≤ default request ≤ default ≤ max. The value printed is not always that of the field. */
function checkOrder(values: Values, name: string, at: FieldPath, errors: Errors): void {
  const { min, max, default: limit, defaultRequest: request } = values;
  const report = (field: string, value: string | undefined, why: string): void => {
    errors.push(invalid(at.child(field).key(name), value, why));
  };
  if (exceeds(min, max)) report('min', min, `min value ${min} is greater than max value ${max}`);
  if (exceeds(min, request)) {
    report('defaultRequest', request, `min value ${min} is greater than default request value ${request}`);
  }
  if (exceeds(request, max)) {
    report('defaultRequest', request, `default request value ${request} is greater than max value ${max}`);
  }
  if (exceeds(request, limit)) {
    const why = `default request value ${request} is greater than default limit value ${limit}`;
    report('defaultRequest', request, why);
  }
  if (exceeds(min, limit)) report('default', min, `min value ${min} is greater than default value ${limit}`);
  if (exceeds(limit, max)) report('default', max, `default value ${limit} is greater than max value ${max}`);
}

function checkRatio(text: string | undefined, { min, max }: Values, at: FieldPath, errors: Errors): void {
  if (text === undefined) return;
  if (exceeds('1', text)) errors.push(invalid(at, text, `ratio ${text} is less than 1`));
  if (min === undefined || max === undefined) return;
  const limit = parseQuantity(max).milliValue() / parseQuantity(min).milliValue();
  if (parseQuantity(text).milliValue() / 1000 > limit) {
    errors.push(invalid(at, text, `ratio ${text} is greater than max/min = ${limit.toFixed(6)}`));
  }
}

type Quota = coreV1.ResourceQuota;
const specPath = new FieldPath('spec');

const SCOPES = new Set([
  'Terminating',
  'NotTerminating',
  'BestEffort',
  'NotBestEffort',
  'PriorityClass',
  'VolumeAttributesClass',
  'CrossNamespacePodAffinity',
]);
const POD_COMPUTE = new Set([
  'pods',
  'cpu',
  'memory',
  'limits.cpu',
  'limits.memory',
  'requests.cpu',
  'requests.memory',
]);
const CLAIMS = new Set(['persistentvolumeclaims', 'requests.storage']);

function scopeCovers(scope: string, resource: string): boolean {
  if (scope === 'BestEffort') return resource === 'pods';
  if (scope === 'VolumeAttributesClass') return CLAIMS.has(resource);
  return SCOPES.has(scope) ? POD_COMPUTE.has(resource) : true;
}

function checkHard(list: ResourceList | undefined, at: FieldPath, errors: Errors): void {
  for (const [name, quantity] of sortedEntries(list)) {
    checkQuotaResourceName(name, at.key(name), errors);
    checkResourceQuantity(name, quantity, at.key(name), errors);
  }
}

const conflicting = (scopes: readonly string[]): number =>
  [
    ['BestEffort', 'NotBestEffort'],
    ['Terminating', 'NotTerminating'],
  ].filter((pair) => pair.every((scope) => scopes.includes(scope))).length;

function checkQuotaSpec(spec: coreV1.ResourceQuotaSpec, errors: Errors): void {
  checkHard(spec.hard, specPath.child('hard'), errors);
  const resources = Object.keys(spec.hard ?? {})
    .toSorted()
    .filter(isStandardQuotaResource);
  const scopes: readonly string[] = spec.scopes ?? [];
  const path = specPath.child('scopes');
  for (const scope of scopes) {
    if (!SCOPES.has(scope)) errors.push(invalid(path, scopes, 'unsupported scope'));
    for (const name of resources) {
      if (!scopeCovers(scope, name))
        errors.push(invalid(path, scopes, 'unsupported scope applied to resource'));
    }
  }
  for (let i = 0; i < conflicting(scopes); i++) errors.push(invalid(path, scopes, 'conflicting scopes'));
  checkScopeSelector(spec, resources, errors);
}

const EXISTS_ONLY =
  "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
const WITH_VALUES = new Set(['PriorityClass', 'VolumeAttributesClass']);

function checkScopeSelector(
  spec: coreV1.ResourceQuotaSpec,
  resources: readonly string[],
  errors: Errors,
): void {
  const { scopeSelector } = spec;
  if (scopeSelector === undefined) return;
  const path = specPath.child('scopeSelector', 'matchExpressions');
  const expressions = scopeSelector.matchExpressions ?? [];
  const printed = {
    MatchExpressions: expressions.map(({ scopeName, operator, values }) => ({
      ScopeName: scopeName,
      Operator: operator,
      Values: values ?? null,
    })),
  };
  for (const expression of expressions) {
    const scope: string = expression.scopeName;
    if (!SCOPES.has(scope)) errors.push(invalid(path.child('scopeName'), scope, 'unsupported scope'));
    for (const name of resources) {
      if (scopeCovers(scope, name)) continue;
      errors.push(invalid(path, printed, 'unsupported scope applied to resource'));
    }
    checkScopeOperator(expression, path, errors);
  }
  const names = expressions.map(({ scopeName }) => scopeName);
  for (let i = 0; i < conflicting(names); i++) {
    errors.push(invalid(path, spec.scopes, 'conflicting scopes'));
  }
}

function checkScopeOperator(
  { scopeName, operator, values = [] }: coreV1.ScopedResourceSelectorRequirement,
  at: FieldPath,
  errors: Errors,
): void {
  const path = at.child('operator');
  if (SCOPES.has(scopeName) && !WITH_VALUES.has(scopeName) && operator !== 'Exists') {
    errors.push(invalid(path, operator, EXISTS_ONLY));
  }
  const op: string = operator;
  if (op === 'In' || op === 'NotIn') {
    if (values.length > 0) return;
    const why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
    errors.push(required(at.child('values'), why));
  } else if (op === 'Exists' || op === 'DoesNotExist') {
    if (values.length === 0) return;
    const why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
    errors.push(invalid(at.child('values'), values, why));
  } else errors.push(invalid(path, op, 'not a valid selector operator'));
}

export const validateResourceQuota = ({ spec }: Quota): readonly FieldError[] =>
  collect((errors) => checkQuotaSpec(spec, errors));

export const validateResourceQuotaUpdate = ({ spec }: Quota, old: Quota): readonly FieldError[] =>
  collect((errors) => {
    checkQuotaSpec(spec, errors);
    const scopes: readonly string[] = spec.scopes ?? [];
    const before: readonly string[] = old.spec.scopes ?? [];
    const isSame =
      scopes.every((scope) => before.includes(scope)) && before.every((scope) => scopes.includes(scope));
    if (!isSame) errors.push(invalid(specPath.child('scopes'), spec.scopes, FIELD_IS_IMMUTABLE));
  });

export const validateResourceQuotaStatus = ({ status }: Quota): readonly FieldError[] =>
  collect((errors) => {
    checkHard(status.hard, new FieldPath('status.hard'), errors);
    checkHard(status.used, new FieldPath('status.used'), errors);
  });
