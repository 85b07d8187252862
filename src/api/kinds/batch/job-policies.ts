/** When a Job's pods may fail, and when it has succeeded before all of them have. */
import { duplicate, type FieldPath, invalid, notSupported, required, tooLong, tooMany } from '#machinery';
import type { batchV1 } from '../../types/index.ts';
import { checkNonNegative, type Errors } from '../field-rules.ts';
import { checkQualifiedName } from '../metadata-rules.ts';
import { parseIndexes } from './indexes.ts';

const MAX_RULES = 20;
const MAX_EXIT_CODES = 255;
const MAX_PATTERNS = 20;
const ACTIONS = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const STATUSES = ['False', 'True', 'Unknown'];
const OPERATORS = ['In', 'NotIn'];

const listed = (values: readonly string[]): string =>
  `valid values: [${values.map((value) => JSON.stringify(value)).join(' ')}]`;

/** An error whose value is not worth printing. */
const without = (at: FieldPath, detail: string) => {
  const error = invalid(at, null, '');
  return { ...error, body: `Invalid value: ${detail}` };
};
export { without as invalidWithoutValue };

export function checkPodFailurePolicy(spec: batchV1.JobSpec, at: FieldPath, errors: Errors): void {
  const rules: readonly batchV1.PodFailurePolicyRule[] = spec.podFailurePolicy?.rules ?? [];
  if (rules.length > MAX_RULES) errors.push(tooMany(at.child('rules'), rules.length, MAX_RULES));
  const podSpec = spec.template.spec;
  const names = new Set(
    [...(podSpec?.containers ?? []), ...(podSpec?.initContainers ?? [])].map(({ name }) => name),
  );
  for (const [i, rule] of rules.entries()) {
    checkFailureRule(rule, spec, names, at.child('rules').index(i), errors);
  }
}

function checkFailureRule(
  rule: batchV1.PodFailurePolicyRule,
  spec: batchV1.JobSpec,
  names: ReadonlySet<string>,
  at: FieldPath,
  errors: Errors,
): void {
  const action: string = rule.action;
  const path = at.child('action');
  if (action === '') errors.push(required(path, listed(ACTIONS)));
  else if (action === 'FailIndex') {
    if (spec.backoffLimitPerIndex === undefined) {
      errors.push(invalid(path, action, 'requires the backoffLimitPerIndex to be set'));
    }
  } else if (!ACTIONS.includes(action)) errors.push(notSupported(path, action, ACTIONS));
  const { onExitCodes } = rule;
  const onPodConditions = rule.onPodConditions ?? [];
  if (onExitCodes !== undefined) checkExitCodes(onExitCodes, names, at.child('onExitCodes'), errors);
  if (onPodConditions.length > 0) checkConditions(onPodConditions, at.child('onPodConditions'), errors);
  if (onExitCodes !== undefined && onPodConditions.length > 0) {
    errors.push(without(at, 'specifying both OnExitCodes and OnPodConditions is not supported'));
  }
  if (onExitCodes === undefined && onPodConditions.length === 0) {
    errors.push(without(at, 'specifying one of OnExitCodes and OnPodConditions is required'));
  }
}

function checkConditions(
  patterns: readonly batchV1.PodFailurePolicyOnPodConditionsPattern[],
  at: FieldPath,
  errors: Errors,
): void {
  if (patterns.length > MAX_PATTERNS) errors.push(tooMany(at, patterns.length, MAX_PATTERNS));
  for (const [i, pattern] of patterns.entries()) {
    const path = at.index(i).child('status');
    const status: string = pattern.status ?? '';
    checkQualifiedName(pattern.type, at.index(i).child('type'), errors);
    if (status === '') errors.push(required(path, listed(STATUSES)));
    else if (!STATUSES.includes(status)) errors.push(notSupported(path, status, STATUSES));
  }
}

function checkExitCodes(
  requirement: batchV1.PodFailurePolicyOnExitCodesRequirement,
  names: ReadonlySet<string>,
  at: FieldPath,
  errors: Errors,
): void {
  const { containerName } = requirement;
  const values: readonly number[] = requirement.values ?? [];
  const operator: string = requirement.operator;
  if (operator === '') errors.push(required(at.child('operator'), listed(OPERATORS)));
  else if (!OPERATORS.includes(operator)) {
    errors.push(notSupported(at.child('operator'), operator, OPERATORS));
  }
  if (containerName !== undefined && !names.has(containerName)) {
    const why = 'must be one of the container or initContainer names in the pod template';
    errors.push(invalid(at.child('containerName'), containerName, why));
  }
  const path = at.child('values');
  if (values.length === 0) errors.push(invalid(path, values, 'at least one value is required'));
  else if (values.length > MAX_EXIT_CODES) errors.push(tooMany(path, values.length, MAX_EXIT_CODES));
  const seen = new Set<number>();
  for (const [i, value] of values.entries()) {
    if (operator === 'In' && value === 0) {
      errors.push(invalid(path.index(i), value, 'must not be 0 for the In operator'));
    }
    if (seen.has(value)) errors.push(duplicate(path.index(i), value));
    seen.add(value);
  }
  if (values.some((value, i) => i > 0 && (values[i - 1] ?? 0) > value)) {
    errors.push(invalid(path, values, 'must be ordered'));
  }
}

const MAX_INDEXES_BYTES = 64 * 1024;

export function checkSuccessPolicy(spec: batchV1.JobSpec, at: FieldPath, errors: Errors): void {
  const rules = spec.successPolicy?.rules ?? [];
  const path = at.child('rules');
  if (rules.length === 0) {
    const why = 'at least one rules must be specified when the successPolicy is specified';
    errors.push(required(path, why));
  }
  if (rules.length > MAX_RULES) errors.push(tooMany(path, rules.length, MAX_RULES));
  const completions = spec.completions ?? 0;
  for (const [i, rule] of rules.entries()) checkSuccessRule(rule, completions, path.index(i), errors);
}

function checkSuccessRule(
  { succeededCount, succeededIndexes }: batchV1.SuccessPolicyRule,
  completions: number,
  at: FieldPath,
  errors: Errors,
): void {
  if (succeededCount === undefined && succeededIndexes === undefined) {
    errors.push(required(at, 'at least one of succeededCount or succeededIndexes must be specified'));
  }
  let total = 0;
  if (succeededIndexes !== undefined) {
    const path = at.child('succeededIndexes');
    if (Buffer.byteLength(succeededIndexes) > MAX_INDEXES_BYTES) {
      errors.push(tooLong(path, MAX_INDEXES_BYTES));
    }
    const parsed = parseIndexes(succeededIndexes, completions);
    if (typeof parsed === 'string') {
      errors.push(invalid(path, succeededIndexes, `error parsing succeededIndexes: ${parsed}`));
    } else total = parsed.total;
  }
  if (succeededCount === undefined) return;
  const path = at.child('succeededCount');
  checkNonNegative(succeededCount, path, errors);
  const limit = (number: number, what: string): void => {
    if (succeededCount <= number) return;
    errors.push(
      invalid(path, succeededCount, `must be less than or equal to ${number} (the number of ${what})`),
    );
  };
  limit(completions, 'specified completions');
  if (succeededIndexes !== undefined) {
    limit(total, 'indexes in the specified succeededIndexes field');
  }
}
