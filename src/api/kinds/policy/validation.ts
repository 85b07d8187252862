/** PodDisruptionBudget, PriorityClass, RuntimeClass. */
import { duplicate, type FieldError, FieldPath, fieldForbidden, invalid } from '#machinery';
import type { nodeV1, policyV1, schedulingV1 } from '../../types/index.ts';
import {
  checkImmutable,
  checkIntOrPercent,
  checkNonNegative,
  checkNotAboveHundredPercent,
  checkOneOf,
  checkPresent,
  checkSupported,
  collect,
} from '../field-rules.ts';
import { checkDns1123Label, checkLabels, checkLabelSelector } from '../metadata-rules.ts';
import { checkContainerResources } from '../pod/validation/container-resources.ts';
import { checkTolerations } from '../pod/validation/scheduling.ts';

const specPath = new FieldPath('spec');

export const validateDisruptionBudget = ({ spec }: policyV1.PodDisruptionBudget): readonly FieldError[] =>
  collect((errors) => {
    const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy } = spec;
    if (minAvailable !== undefined && maxUnavailable !== undefined) {
      const printed = {
        MinAvailable: minAvailable,
        Selector: selector ?? null,
        MaxUnavailable: maxUnavailable,
        UnhealthyPodEvictionPolicy: unhealthyPodEvictionPolicy ?? null,
      };
      errors.push(invalid(specPath, printed, 'minAvailable and maxUnavailable cannot be both set'));
    }
    for (const field of ['minAvailable', 'maxUnavailable'] as const) {
      const value = spec[field];
      if (value === undefined) continue;
      checkIntOrPercent(value, specPath.child(field), errors);
      checkNotAboveHundredPercent(value, specPath.child(field), errors);
    }
    checkLabelSelector(selector, specPath.child('selector'), errors);
    const policies = ['AlwaysAllow', 'IfHealthyBudget'];
    checkSupported(
      unhealthyPodEvictionPolicy,
      policies,
      specPath.child('unhealthyPodEvictionPolicy'),
      errors,
    );
  });

export const validateDisruptionBudgetStatus = ({
  status,
}: policyV1.PodDisruptionBudget): readonly FieldError[] =>
  collect((errors) => {
    const fields = ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const;
    for (const field of fields) {
      checkNonNegative(status[field], new FieldPath('status').child(field), errors);
    }
  });

const SYSTEM = 'system-';
const HIGHEST_USER_PRIORITY = 1_000_000_000;
const SYSTEM_CLASSES: Readonly<Record<string, number>> = {
  'system-node-critical': 2_000_001_000,
  'system-cluster-critical': 2_000_000_000,
};
const valuePath = new FieldPath('value');
const preemptionPath = new FieldPath('preemptionPolicy');

/** Undefined: it is one of the classes the system itself has. */
function systemClassProblem({
  metadata,
  value,
  globalDefault,
}: schedulingV1.PriorityClass): string | undefined {
  const { name } = metadata;
  const known = SYSTEM_CLASSES[name];
  if (known === undefined) return `${name} is not a known system priority class`;
  if (known !== value) return `value of ${name} PriorityClass must be ${known}`;
  return globalDefault === true ? `globalDefault of ${name} PriorityClass must be false` : undefined;
}

export const validatePriorityClass = (object: schedulingV1.PriorityClass): readonly FieldError[] =>
  collect((errors) => {
    const { metadata, value, preemptionPolicy } = object;
    if (metadata.name.startsWith(SYSTEM)) {
      const problem = systemClassProblem(object);
      if (problem !== undefined) {
        const head = `priority class names with '${SYSTEM}' prefix are reserved for system use only. error: `;
        errors.push(fieldForbidden(new FieldPath('metadata.name'), `${head}${problem}`));
      }
    } else if (value > HIGHEST_USER_PRIORITY) {
      const why = `maximum allowed value of a user defined priority is ${HIGHEST_USER_PRIORITY}`;
      errors.push(fieldForbidden(valuePath, why));
    }
    if (preemptionPolicy !== undefined) {
      checkOneOf(preemptionPolicy, ['PreemptLowerPriority', 'Never'], preemptionPath, errors);
    }
  });

export const validatePriorityClassUpdate = (
  object: schedulingV1.PriorityClass,
  old: schedulingV1.PriorityClass,
): readonly FieldError[] =>
  collect((errors) => {
    if (object.value !== old.value)
      errors.push(fieldForbidden(valuePath, 'may not be changed in an update.'));
    checkImmutable(object.preemptionPolicy, old.preemptionPolicy, preemptionPath, errors);
  });

const handlerPath = new FieldPath('handler');

export const validateRuntimeClass = (object: nodeV1.RuntimeClass): readonly FieldError[] =>
  collect((errors) => {
    const { handler, overhead, scheduling } = object;
    if (checkPresent(handler, handlerPath, errors)) checkDns1123Label(handler, handlerPath, errors);
    if (overhead !== undefined) {
      const limits = overhead.podFixed ?? {};
      checkContainerResources({ limits }, new Set(), new FieldPath('overhead'), errors);
    }
    if (scheduling === undefined) return;
    const path = new FieldPath('scheduling');
    checkLabels(scheduling.nodeSelector, path.child('nodeSelector'), errors);
    checkTolerations(scheduling.tolerations, path.child('tolerations'), errors);
    const seen = new Set<string>();
    for (const [i, toleration] of (scheduling.tolerations ?? []).entries()) {
      const { key = '', operator = '', value = '', effect = '', tolerationSeconds = null } = toleration;
      const id = JSON.stringify([key, operator, value, effect]);
      const printed = {
        Key: key,
        Operator: operator,
        Value: value,
        Effect: effect,
        TolerationSeconds: tolerationSeconds,
      };
      if (seen.has(id)) errors.push(duplicate(path.child('tolerations').index(i), printed));
      seen.add(id);
    }
  });

export const validateRuntimeClassUpdate = (
  object: nodeV1.RuntimeClass,
  old: nodeV1.RuntimeClass,
): readonly FieldError[] =>
  collect((errors) => checkImmutable(object.handler, old.handler, handlerPath, errors));
