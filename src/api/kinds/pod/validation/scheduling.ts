/** Where a pod may run: affinity, tolerations, spreading, gates. */
import {
  duplicate,
  type FieldPath,
  fieldForbidden,
  invalid,
  notSupported,
  required,
  validateDns1123Label,
  validateDns1123Subdomain,
  validateLabelValue,
} from '#machinery';
import type { coreV1, metaV1 } from '../../../types/index.ts';
import { addInvalid, checkPositive, checkSupported, type Errors } from '../../field-rules.ts';
import { checkLabelSelector, checkQualifiedName } from '../../metadata-rules.ts';

function checkNodeRequirement(
  { key, operator, values = [] }: coreV1.NodeSelectorRequirement,
  checksValues: boolean,
  at: FieldPath,
  errors: Errors,
): void {
  const valuesPath = at.child('values');
  const op: string = operator;
  if (op === 'In' || op === 'NotIn') {
    if (values.length === 0) {
      errors.push(required(valuesPath, "must be specified when `operator` is 'In' or 'NotIn'"));
    }
  } else if (op === 'Exists' || op === 'DoesNotExist') {
    if (values.length > 0) {
      const why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
      errors.push(fieldForbidden(valuesPath, why));
    }
  } else if (op === 'Gt' || op === 'Lt') {
    if (values.length !== 1) {
      errors.push(required(valuesPath, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
    }
  } else errors.push(invalid(at.child('operator'), op, 'not a valid selector operator'));
  checkQualifiedName(key, at.child('key'), errors);
  if (!checksValues) return;
  for (const [i, value] of values.entries()) {
    addInvalid(validateLabelValue(value), valuesPath.index(i), value, errors);
  }
}

function checkNodeField(
  { key, operator, values = [] }: coreV1.NodeSelectorRequirement,
  at: FieldPath,
  errors: Errors,
): void {
  if (operator !== 'In' && operator !== 'NotIn') {
    errors.push(invalid(at.child('operator'), operator, 'not a valid selector operator'));
  } else if (values.length !== 1) {
    const why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
    errors.push(required(at.child('values'), why));
  }
  if (key !== 'metadata.name') {
    errors.push(invalid(at.child('key'), key, 'not a valid field selector key'));
    return;
  }
  for (const [i, value] of values.entries()) {
    addInvalid(validateDns1123Subdomain(value), at.child('values').index(i), value, errors);
  }
}

function checkNodeTerm(
  term: coreV1.NodeSelectorTerm,
  checksValues: boolean,
  at: FieldPath,
  errors: Errors,
): void {
  for (const [i, requirement] of (term.matchExpressions ?? []).entries()) {
    checkNodeRequirement(requirement, checksValues, at.child('matchExpressions').index(i), errors);
  }
  for (const [i, requirement] of (term.matchFields ?? []).entries()) {
    checkNodeField(requirement, at.child('matchFields').index(i), errors);
  }
}

export function checkNodeSelector(selector: coreV1.NodeSelector, at: FieldPath, errors: Errors): void {
  const path = at.child('nodeSelectorTerms');
  const terms: readonly coreV1.NodeSelectorTerm[] = selector.nodeSelectorTerms ?? [];
  if (terms.length === 0) errors.push(required(path, 'must have at least one node selector term'));
  for (const [i, term] of terms.entries()) checkNodeTerm(term, true, path.index(i), errors);
}

function checkWeight(weight: number, at: FieldPath, errors: Errors): void {
  if (weight <= 0 || weight > 100)
    errors.push(invalid(at.child('weight'), weight, 'must be in the range 1-100'));
}

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution';

export function checkAffinity(affinity: coreV1.Affinity | undefined, at: FieldPath, errors: Errors): void {
  if (affinity === undefined) return;
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity;
  if (nodeAffinity !== undefined) {
    const path = at.child('nodeAffinity');
    if (nodeAffinity[REQUIRED] !== undefined) {
      checkNodeSelector(nodeAffinity[REQUIRED], path.child(REQUIRED), errors);
    }
    for (const [i, term] of (nodeAffinity[PREFERRED] ?? []).entries()) {
      checkWeight(term.weight, path.child(PREFERRED).index(i), errors);
      checkNodeTerm(term.preference, false, path.child(PREFERRED).index(i).child('preference'), errors);
    }
  }
  checkPodAffinity(podAffinity, at.child('podAffinity'), errors);
  checkPodAffinity(podAntiAffinity, at.child('podAntiAffinity'), errors);
}

function checkPodAffinity(
  affinity: coreV1.PodAffinity | coreV1.PodAntiAffinity | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  if (affinity === undefined) return;
  for (const [i, term] of (affinity[REQUIRED] ?? []).entries()) {
    checkPodTerm(term, at.child(REQUIRED).index(i), errors);
  }
  for (const [i, term] of (affinity[PREFERRED] ?? []).entries()) {
    const path = at.child(PREFERRED).index(i);
    checkWeight(term.weight, path, errors);
    checkPodTerm(term.podAffinityTerm, path.child('podAffinityTerm'), errors);
  }
}

function checkPodTerm(term: coreV1.PodAffinityTerm, at: FieldPath, errors: Errors): void {
  checkLabelSelector(term.labelSelector, at.child('labelSelector'), errors);
  checkLabelSelector(term.namespaceSelector, at.child('namespaceSelector'), errors);
  for (const name of term.namespaces ?? []) {
    addInvalid(validateDns1123Label(name), at.child('namespace'), name, errors);
  }
  checkLabelKeys(term, at, errors);
  if (term.topologyKey === '') errors.push(required(at.child('topologyKey'), 'can not be empty'));
  checkQualifiedName(term.topologyKey, at.child('topologyKey'), errors);
}

/** Keys whose values are taken from the pod itself. */
function checkLabelKeys(term: coreV1.PodAffinityTerm, at: FieldPath, errors: Errors): void {
  const { matchLabelKeys = [], mismatchLabelKeys = [], labelSelector } = term;
  for (const [field, keys] of [
    ['matchLabelKeys', matchLabelKeys],
    ['mismatchLabelKeys', mismatchLabelKeys],
  ] as const) {
    if (keys.length === 0) continue;
    if (labelSelector === undefined) {
      errors.push(fieldForbidden(at.child(field), 'must not be specified when labelSelector is not set'));
      continue;
    }
    for (const [i, key] of keys.entries()) checkQualifiedName(key, at.child(field).index(i), errors);
  }
  const selected = new Set(Object.keys(labelSelector?.matchLabels ?? {}));
  for (const { key } of labelSelector?.matchExpressions ?? []) {
    const i = matchLabelKeys.lastIndexOf(key);
    if (i >= 0 && selected.has(key)) {
      errors.push(invalid(at.index(i), key, 'exists in both matchLabelKeys and labelSelector'));
    }
    selected.add(key);
  }
  for (const [i, key] of matchLabelKeys.entries()) {
    if (!mismatchLabelKeys.includes(key)) continue;
    const why = 'exists in both matchLabelKeys and mismatchLabelKeys';
    errors.push(invalid(at.child('matchLabelKeys').index(i), key, why));
  }
}

export function checkTaintEffect(effect: string, at: FieldPath, errors: Errors): void {
  checkSupported(effect, ['NoSchedule', 'PreferNoSchedule', 'NoExecute'], at, errors);
}

export function checkTolerations(
  tolerations: readonly coreV1.Toleration[] | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  for (const [i, toleration] of (tolerations ?? []).entries()) {
    const path = at.index(i);
    const { key = '', operator = '', value = '', effect = '', tolerationSeconds } = toleration;
    if (key !== '') checkQualifiedName(key, path.child('key'), errors);
    if (key === '' && operator !== 'Exists') {
      const why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
      errors.push(invalid(path.child('operator'), operator, why));
    }
    if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
      const why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
      errors.push(invalid(path.child('effect'), effect, why));
    }
    checkTolerationOperator(operator, value, path.child('operator'), errors);
    if (effect !== '') checkTaintEffect(effect, path.child('effect'), errors);
  }
}

function checkTolerationOperator(operator: string, value: string, at: FieldPath, errors: Errors): void {
  if (operator === '' || operator === 'Equal') {
    const messages = validateLabelValue(value);
    if (messages.length > 0) errors.push(invalid(at, value, messages.join(';')));
  } else if (operator === 'Exists') {
    if (value !== '') errors.push(invalid(at, value, "value must be empty when `operator` is 'Exists'"));
  } else if (operator === 'Lt' || operator === 'Gt') {
    errors.push(notSupported(at, operator, ['Equal', 'Exists', 'Lt', 'Gt']));
  } else errors.push(notSupported(at, operator, ['Equal', 'Exists']));
}

export function checkTopologySpread(
  constraints: readonly coreV1.TopologySpreadConstraint[] | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  if (constraints === undefined) return;
  for (const [i, constraint] of constraints.entries()) {
    const path = at.index(i);
    const { topologyKey, whenUnsatisfiable, minDomains } = constraint;
    checkPositive(constraint.maxSkew, path.child('maxSkew'), errors);
    if (topologyKey === '') errors.push(required(path.child('topologyKey'), 'can not be empty'));
    const actions = ['DoNotSchedule', 'ScheduleAnyway'];
    checkSupported(whenUnsatisfiable, actions, path.child('whenUnsatisfiable'), errors);
    const isRepeated = constraints
      .slice(i + 1)
      .some((other) => other.topologyKey === topologyKey && other.whenUnsatisfiable === whenUnsatisfiable);
    if (isRepeated) {
      const pair = `{${topologyKey}, ${whenUnsatisfiable}}`;
      errors.push(duplicate(path.child('{topologyKey, whenUnsatisfiable}'), pair));
    }
    if (minDomains !== undefined) {
      checkPositive(minDomains, path.child('minDomains'), errors);
      if (whenUnsatisfiable !== 'DoNotSchedule') {
        const why = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`;
        errors.push(invalid(path.child('minDomains'), minDomains, why));
      }
    }
    for (const field of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const) {
      checkSupported(constraint[field], ['Honor', 'Ignore'], path.child(field), errors);
    }
    checkSpreadKeys(
      constraint.matchLabelKeys ?? [],
      constraint.labelSelector,
      path.child('matchLabelKeys'),
      errors,
    );
    checkLabelSelector(constraint.labelSelector, path.child('labelSelector'), errors);
  }
}

function checkSpreadKeys(
  keys: readonly string[],
  selector: metaV1.LabelSelector | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  if (keys.length === 0) return;
  if (selector === undefined) {
    errors.push(fieldForbidden(at, 'must not be specified when labelSelector is not set'));
  }
  const selected = new Set([
    ...Object.keys(selector?.matchLabels ?? {}),
    ...(selector?.matchExpressions ?? []).map(({ key }) => key),
  ]);
  for (const [i, key] of keys.entries()) {
    checkQualifiedName(key, at.index(i), errors);
    if (selected.has(key)) {
      errors.push(invalid(at.index(i), key, 'exists in both matchLabelKeys and labelSelector'));
    }
  }
}

export function checkSchedulingGates(
  gates: readonly coreV1.PodSchedulingGate[] | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  const seen = new Set<string>();
  for (const [i, { name }] of (gates ?? []).entries()) {
    checkQualifiedName(name, at.index(i), errors);
    if (seen.has(name)) errors.push(duplicate(at.index(i), name));
    seen.add(name);
  }
}
