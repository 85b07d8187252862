/** What may be written into a Job's status: it ends once, consistently, and does not come back. */
import { type FieldError, FieldPath, duplicate, invalid, required } from '#machinery';
import type { batchV1 } from '../../types/index.ts';
import { checkNonNegative, collect, type Errors } from '../field-rules.ts';
import { type Indexes, overlapOf, parseIndexes } from './indexes.ts';
import { invalidWithoutValue } from './job-policies.ts';

type Job = batchV1.Job;

const path = new FieldPath('status');
const conditionsPath = path.child('conditions');

const isTrue = ({ status }: Job, type: string): boolean =>
  status.conditions?.some((condition) => condition.type === type && condition.status === 'True') === true;
const isFinished = (job: Job): boolean => isTrue(job, 'Complete') || isTrue(job, 'Failed');

/** Old values that break a rule may stay: only what a write changes is judged by it. */
function changed(job: Job, old: Job): Record<'finished' | 'indexes' | 'times' | 'counters', boolean> {
  const differs = (...fields: readonly (keyof batchV1.JobStatus)[]): boolean =>
    fields.some((field) => JSON.stringify(job.status[field]) !== JSON.stringify(old.status[field]));
  return {
    finished: isFinished(job) && !isFinished(old),
    indexes: differs('completedIndexes', 'failedIndexes'),
    times: differs('startTime', 'completionTime'),
    counters: differs('active', 'ready', 'terminating'),
  };
}

export const validateJobStatus = (job: Job, old: Job): readonly FieldError[] =>
  collect((errors) => {
    const { status } = job;
    for (const field of ['active', 'succeeded', 'failed', 'ready', 'terminating'] as const) {
      checkNonNegative(status[field], path.child(field), errors);
    }
    checkUncounted(status, errors);
    checkConditions(job, old, errors);
    checkTimes(job, old, errors);
    checkFinished(job, old, errors);
    if (changed(job, old).indexes) checkIndexes(job, errors);
    checkProgress(job, old, errors);
  });

function checkUncounted({ uncountedTerminatedPods }: batchV1.JobStatus, errors: Errors): void {
  const seen = new Set<string>();
  for (const field of ['succeeded', 'failed'] as const) {
    for (const [i, uid] of (uncountedTerminatedPods?.[field] ?? []).entries()) {
      const at = path.child('uncountedTerminatedPods', field).index(i);
      if (uid === '') errors.push(invalid(at, uid, 'must not be empty'));
      else if (seen.has(uid)) errors.push(duplicate(at, uid));
      seen.add(uid);
    }
  }
}

const EXCLUSIVE = [
  ['Complete', 'Failed', 'cannot set Complete=True and Failed=true conditions'],
  ['Complete', 'FailureTarget', 'cannot set Complete=True and FailureTarget=true conditions'],
  ['SuccessCriteriaMet', 'Failed', 'cannot set SuccessCriteriaMet=True and Failed=true conditions'],
  [
    'SuccessCriteriaMet',
    'FailureTarget',
    'cannot set SuccessCriteriaMet=True and FailureTarget=true conditions',
  ],
] as const;

function checkConditions(job: Job, old: Job, errors: Errors): void {
  const refuse = (detail: string): void => {
    errors.push(invalidWithoutValue(conditionsPath, detail));
  };
  for (const [one, other, detail] of EXCLUSIVE) {
    if (isTrue(job, one) && isTrue(job, other) && !(isTrue(old, one) && isTrue(old, other))) refuse(detail);
  }
  if (isTrue(job, 'Failed') && !isTrue(job, 'FailureTarget') && !isTrue(old, 'Failed')) {
    refuse('cannot set Failed=True condition without the FailureTarget=true condition');
  }
  if (isTrue(job, 'Complete') && !isTrue(job, 'SuccessCriteriaMet') && !isTrue(old, 'Complete')) {
    refuse('cannot set Complete=True condition without the SuccessCriteriaMet=true condition');
  }
  for (const type of ['Failed', 'Complete', 'FailureTarget']) {
    if (isTrue(old, type) && !isTrue(job, type)) refuse(`cannot disable the terminal ${type}=True condition`);
  }
  if (isTrue(old, 'SuccessCriteriaMet') && !isTrue(job, 'SuccessCriteriaMet')) {
    refuse('cannot disable the SuccessCriteriaMet=True condition');
  }
  const cameLate =
    isTrue(old, 'Complete') && !isTrue(old, 'SuccessCriteriaMet') && isTrue(job, 'SuccessCriteriaMet');
  if (cameLate) refuse('cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions');
}

function checkTimes(job: Job, old: Job, errors: Errors): void {
  const { startTime, completionTime } = job.status;
  const completionPath = path.child('completionTime');
  if (changed(job, old).times || changed(job, old).finished) {
    if (completionTime !== undefined && !isTrue(job, 'Complete')) {
      const why = 'cannot set completionTime when there is no Complete=True condition';
      errors.push(invalid(completionPath, completionTime, why));
    }
    if (completionTime === undefined && isTrue(job, 'Complete')) {
      errors.push(required(completionPath, 'completionTime is required for Complete jobs'));
    }
    if (startTime !== undefined && completionTime !== undefined) {
      if (Date.parse(completionTime) < Date.parse(startTime)) {
        errors.push(invalid(completionPath, completionTime, 'must be equal to or after `startTime`'));
      }
    }
  }
  const before = old.status.completionTime;
  if (completionTime !== undefined && before !== undefined && completionTime !== before) {
    errors.push(invalid(completionPath, completionTime, 'field is immutable'));
  }
  const moved = old.status.startTime !== undefined && old.status.startTime !== startTime;
  if (moved && job.spec.suspend !== true) {
    const why = 'field is immutable for unsuspended job once set';
    errors.push(invalid(path.child('startTime'), startTime, why));
  }
}

function checkFinished(job: Job, old: Job, errors: Errors): void {
  const { status } = job;
  const { active = 0, ready, terminating = 0, uncountedTerminatedPods } = status;
  if (isFinished(job) && (changed(job, old).finished || changed(job, old).counters)) {
    if (active > 0)
      errors.push(invalid(path.child('active'), active, 'active>0 is invalid for finished job'));
    if (terminating > 0) {
      const why = 'terminating>0 is invalid for finished job';
      errors.push(invalid(path.child('terminating'), terminating, why));
    }
  }
  if (changed(job, old).finished) {
    if (status.startTime === undefined) {
      errors.push(required(path.child('startTime'), 'startTime is required for finished job'));
    }
    const uncounted =
      (uncountedTerminatedPods?.succeeded?.length ?? 0) + (uncountedTerminatedPods?.failed?.length ?? 0);
    if (uncounted > 0) {
      const printed = {
        Succeeded: uncountedTerminatedPods?.succeeded ?? null,
        Failed: uncountedTerminatedPods?.failed ?? null,
      };
      const why = 'must be empty for finished job';
      errors.push(invalid(path.child('uncountedTerminatedPods'), printed, why));
    }
  }
  if (ready !== undefined && ready > active && changed(job, old).counters) {
    errors.push(invalid(path.child('ready'), ready, 'cannot set more ready pods than active'));
  }
}

function checkIndexes({ spec, status }: Job, errors: Errors): void {
  const { completedIndexes = '', failedIndexes } = status;
  const { completions } = spec;
  const parse = (field: string, text: string): Indexes | undefined => {
    const parsed = parseIndexes(text, completions ?? 0);
    if (typeof parsed !== 'string') return parsed;
    errors.push(invalid(path.child(field), text, `error parsing ${field}: ${parsed}`));
    return undefined;
  };
  const completed = completions === undefined ? undefined : parse('completedIndexes', completedIndexes);
  if (spec.completionMode !== 'Indexed' && completedIndexes !== '') {
    const why = 'cannot set non-empty completedIndexes when non-indexed completion mode';
    errors.push(invalid(path.child('completedIndexes'), completedIndexes, why));
  }
  if (failedIndexes === undefined) return;
  if (spec.backoffLimitPerIndex === undefined) {
    const why = 'cannot set non-null failedIndexes when backoffLimitPerIndex is null';
    errors.push(invalid(path.child('failedIndexes'), failedIndexes, why));
    return;
  }
  const failed = completions === undefined ? undefined : parse('failedIndexes', failedIndexes);
  const overlap = completed && failed && overlapOf(completed, failed);
  if (overlap !== undefined) {
    const why = `failedIndexes and completedIndexes overlap at index: ${overlap}`;
    errors.push(invalid(path.child('failedIndexes'), failedIndexes, why));
  }
}

function checkProgress({ status }: Job, old: Job, errors: Errors): void {
  for (const field of ['failed', 'succeeded'] as const) {
    const now = status[field] ?? 0;
    if (now < (old.status[field] ?? 0)) {
      errors.push(invalid(path.child(field), now, `cannot decrease the ${field} counter`));
    }
  }
}
