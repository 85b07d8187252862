/** HorizontalPodAutoscaler, in the form of autoscaling/v2. */
import {
  type FieldError,
  FieldPath,
  fieldForbidden,
  invalid,
  notSupported,
  parseQuantity,
  required,
  validatePathSegmentName,
} from '#machinery';
import type { autoscalingV2 } from '../../types/index.ts';
import {
  addInvalid,
  checkNonNegative,
  checkPresent,
  checkSupported,
  collect,
  type Errors,
  IS_NEGATIVE,
} from '../field-rules.ts';
import { checkDns1123Label } from '../metadata-rules.ts';
import { checkContainerResourceName } from '../resource-rules.ts';

type Autoscaler = autoscalingV2.HorizontalPodAutoscaler;

const specPath = new FieldPath('spec');
const MAX_PERIOD_SECONDS = 1_800;
const MAX_WINDOW_SECONDS = 3_600;

interface Reference {
  readonly kind: string;
  readonly name: string;
  readonly apiVersion?: string;
}

function checkReference({ kind, name }: Reference, at: FieldPath, errors: Errors): void {
  for (const [field, value] of [
    ['kind', kind],
    ['name', name],
  ] as const) {
    if (checkPresent(value, at.child(field), errors)) {
      addInvalid(validatePathSegmentName(value), at.child(field), value, errors);
    }
  }
}

const hasNoGroup = (apiVersion: string): boolean => !/[^/]*[^/]\//.test(apiVersion);

function checkApiVersion(
  { apiVersion = '' }: Reference,
  needsGroup: boolean,
  at: FieldPath,
  errors: Errors,
): void {
  const path = at.child('apiVersion');
  if (apiVersion.split('/').length > 2) {
    errors.push(invalid(path, apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  } else if (needsGroup && hasNoGroup(apiVersion)) {
    errors.push(invalid(path, apiVersion, 'apiVersion must specify API group'));
  }
}

export const validateAutoscaler = ({ spec }: Autoscaler, old?: Autoscaler): readonly FieldError[] =>
  collect((errors) => {
    const { minReplicas, maxReplicas } = spec;
    const maxPath = specPath.child('maxReplicas');
    if (minReplicas !== undefined && minReplicas < 1) {
      errors.push(invalid(specPath.child('minReplicas'), minReplicas, 'must be greater than or equal to 1'));
    }
    if (maxReplicas === 0) errors.push(required(maxPath, 'must be set and greater than 0'));
    else if (maxReplicas < 0)
      errors.push(invalid(maxPath, maxReplicas, 'must be greater than or equal to 1'));
    if (minReplicas !== undefined && maxReplicas < minReplicas) {
      errors.push(invalid(maxPath, maxReplicas, 'must be greater than or equal to `minReplicas`'));
    }
    const target = spec.scaleTargetRef;
    const targetPath = specPath.child('scaleTargetRef');
    checkReference(target, targetPath, errors);
    const before = old?.spec.scaleTargetRef;
    // What an autoscaler pointed to before this was checked, it may go on pointing to.
    if (before === undefined || before.apiVersion !== target.apiVersion || before.kind !== target.kind) {
      checkApiVersion(target, target.kind !== 'ReplicationController', targetPath, errors);
    }
    const metrics = spec.metrics ?? [];
    for (const [i, metric] of metrics.entries()) {
      checkMetric(metric, specPath.child('metrics').index(i), errors);
    }
    const scalesFromZero = metrics.some(({ type }) => type === 'Object' || type === 'External');
    if (minReplicas === 0 && !scalesFromZero) {
      const why = 'must specify at least one Object or External metric to support scaling to zero replicas';
      errors.push(fieldForbidden(specPath.child('metrics'), why));
    }
    for (const field of ['scaleUp', 'scaleDown'] as const) {
      const rules = spec.behavior?.[field];
      if (rules !== undefined) checkRules(rules, specPath.child('behavior', field), errors);
    }
  });

export const validateAutoscalerStatus = ({ status }: Autoscaler): readonly FieldError[] =>
  collect((errors) => {
    for (const field of ['currentReplicas', 'desiredReplicas'] as const) {
      checkNonNegative(status[field], new FieldPath('status').child(field), errors);
    }
  });

function checkRules(rules: autoscalingV2.HPAScalingRules, at: FieldPath, errors: Errors): void {
  const { stabilizationWindowSeconds: window, policies = [], tolerance } = rules;
  const windowPath = at.child('stabilizationWindowSeconds');
  if (window !== undefined && window < 0) {
    errors.push(invalid(windowPath, window, 'must be greater than or equal to zero'));
  }
  if (window !== undefined && window > MAX_WINDOW_SECONDS) {
    errors.push(invalid(windowPath, window, `must be less than or equal to ${MAX_WINDOW_SECONDS}`));
  }
  checkSupported(rules.selectPolicy, ['Disabled', 'Max', 'Min'], at.child('selectPolicy'), errors);
  const path = at.child('policies');
  if (policies.length === 0) errors.push(required(path, 'must specify at least one Policy'));
  for (const [i, { type, value, periodSeconds }] of policies.entries()) {
    const item = path.index(i);
    checkSupported(type, ['Percent', 'Pods'], item.child('type'), errors);
    if (value <= 0) errors.push(invalid(item.child('value'), value, 'must be greater than zero'));
    const periodPath = item.child('periodSeconds');
    if (periodSeconds <= 0) errors.push(invalid(periodPath, periodSeconds, 'must be greater than zero'));
    if (periodSeconds > MAX_PERIOD_SECONDS) {
      const why = `must be less than or equal to ${MAX_PERIOD_SECONDS}`;
      errors.push(invalid(periodPath, periodSeconds, why));
    }
  }
  if (tolerance !== undefined && parseQuantity(tolerance).sign() < 0) {
    errors.push(invalid(at.child('tolerance'), tolerance, IS_NEGATIVE));
  }
}

const METRIC_TYPES = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource'];
const SOURCE_FIELDS = ['object', 'external', 'pods', 'resource', 'containerResource'] as const;
const FIELD_OF_TYPE: Readonly<Record<string, (typeof SOURCE_FIELDS)[number]>> = {
  Object: 'object',
  External: 'external',
  Pods: 'pods',
  Resource: 'resource',
  ContainerResource: 'containerResource',
};

function checkMetric(metric: autoscalingV2.MetricSpec, at: FieldPath, errors: Errors): void {
  const type: string = metric.type;
  const path = at.child('type');
  if (type === '') errors.push(required(path, 'must specify a metric source type'));
  if (!METRIC_TYPES.includes(type)) errors.push(notSupported(path, type, METRIC_TYPES));
  const present = SOURCE_FIELDS.filter((field) => metric[field] !== undefined);
  const [first] = present;
  if (first !== undefined) checkMetricSource(metric, first, at.child(first), errors);
  const expected = FIELD_OF_TYPE[type];
  if (expected === undefined) errors.push(notSupported(path, type, METRIC_TYPES));
  else if (metric[expected] === undefined) {
    errors.push(required(at.child(expected), 'must populate information for the given metric source'));
  }
  if (present.length === 1) return;
  for (const field of present) {
    if (field === expected) continue;
    errors.push(fieldForbidden(at.child(field), 'must populate the given metric source only'));
  }
}

function checkMetricSource(
  metric: autoscalingV2.MetricSpec,
  field: (typeof SOURCE_FIELDS)[number],
  at: FieldPath,
  errors: Errors,
): void {
  const { object, external, pods, resource, containerResource } = metric;
  const named =
    field === 'object' ? object : field === 'external' ? external : field === 'pods' ? pods : undefined;
  if (field === 'object' && object !== undefined) {
    checkReference(object.describedObject, at.child('describedObject'), errors);
    checkApiVersion(object.describedObject, false, at.child('describedObject'), errors);
  }
  if (named !== undefined) {
    const path = at.child('metric', 'name');
    if (checkPresent(named.metric.name, path, errors, 'must specify a metric name')) {
      addInvalid(validatePathSegmentName(named.metric.name), path, named.metric.name, errors);
    }
    checkTarget(named.target, at.child('target'), errors);
    checkNamedTarget(field, named.target, at.child('target'), errors);
    return;
  }
  const used = field === 'resource' ? resource : containerResource;
  if (used === undefined) return;
  const isNamed = checkPresent(used.name, at.child('name'), errors, 'must specify a resource name');
  if (field === 'containerResource') {
    if (isNamed) checkContainerResourceName(used.name, at.child('name'), errors);
    const container = containerResource?.container ?? '';
    if (checkPresent(container, at.child('container'), errors, 'must specify a container')) {
      checkDns1123Label(container, at.child('container'), errors);
    }
  }
  checkTarget(used.target, at.child('target'), errors);
  checkResourceTarget(used.target, at.child('target'), errors);
}

function checkNamedTarget(
  field: string,
  { value, averageValue }: autoscalingV2.MetricTarget,
  at: FieldPath,
  errors: Errors,
): void {
  const path = at.child('averageValue');
  if (field === 'pods') {
    if (averageValue === undefined) {
      errors.push(required(path, 'must specify a positive target averageValue'));
    }
    return;
  }
  if (value === undefined && averageValue === undefined) {
    const what =
      field === 'object' ? 'a target value or averageValue' : 'a target value for metric or a per-pod target';
    errors.push(required(path, `must set either ${what}`));
  }
  if (field === 'external' && value !== undefined && averageValue !== undefined) {
    const why = 'may not set both a target value for metric and a per-pod target';
    errors.push(fieldForbidden(at.child('value'), why));
  }
}

function checkResourceTarget(
  { averageUtilization, averageValue }: autoscalingV2.MetricTarget,
  at: FieldPath,
  errors: Errors,
): void {
  if (averageUtilization === undefined && averageValue === undefined) {
    const why = 'must set either a target raw value or a target utilization';
    errors.push(required(at.child('averageUtilization'), why));
  }
  if (averageUtilization !== undefined && averageValue !== undefined) {
    const why = 'may not set both a target raw value and a target utilization';
    errors.push(fieldForbidden(at.child('averageValue'), why));
  }
}

const TARGET_TYPES = ['Utilization', 'Value', 'AverageValue'];

function checkTarget(target: autoscalingV2.MetricTarget, at: FieldPath, errors: Errors): void {
  const type: string = target.type;
  if (type === '') errors.push(required(at.child('type'), 'must specify a metric target type'));
  if (!TARGET_TYPES.includes(type)) {
    errors.push(invalid(at.child('type'), type, 'must be either Utilization, Value, or AverageValue'));
  }
  for (const field of ['value', 'averageValue'] as const) {
    const value = target[field];
    if (value !== undefined && parseQuantity(value).sign() !== 1) {
      errors.push(invalid(at.child(field), value, 'must be positive'));
    }
  }
  const utilization = target.averageUtilization;
  if (utilization !== undefined && utilization < 1) {
    errors.push(invalid(at.child('averageUtilization'), utilization, 'must be greater than 0'));
  }
}
