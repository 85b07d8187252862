/** Jobs and CronJobs: specs. */
import {
  deepEqual,
  type FieldError,
  FieldPath,
  invalid,
  notSupported,
  required,
  tooLong,
  validateDns1123Label,
} from '#machinery';
import type { batchV1, coreV1 } from '../../types/index.ts';
import { checkDomainPrefixedPath } from '../domain-path.ts';
import {
  checkImmutable,
  checkNonNegative,
  checkOneOf,
  checkPresent,
  checkSupported,
  collect,
  type Errors,
} from '../field-rules.ts';
import { checkLabelSelector, printedSelector } from '../metadata-rules.ts';
import { checkPodTemplate } from '../pod/validation/template.ts';
import { checkSelected, selects } from '../workloads/validation.ts';
import { checkPodFailurePolicy, checkSuccessPolicy } from './job-policies.ts';
import { checkSchedule, checkTimeZone } from './schedule.ts';

type Job = batchV1.Job;
type JobSpec = batchV1.JobSpec;

const specPath = new FieldPath('spec');
const namePath = new FieldPath('metadata.name');

const MAX_PARALLELISM = 100_000;
const MAX_FAILED_INDEXES = 100_000;
const COMPLETIONS_SOFT_LIMIT = 100_000;
const HIGH_COMPLETIONS_LIMIT = 10_000;
const MAX_MANAGED_BY = 63;

const COUNTS = [
  'parallelism',
  'completions',
  'activeDeadlineSeconds',
  'backoffLimit',
  'ttlSecondsAfterFinished',
  'backoffLimitPerIndex',
  'maxFailedIndexes',
] as const;

function checkJobSpec(spec: JobSpec, old: JobSpec | undefined, at: FieldPath, errors: Errors): void {
  for (const field of COUNTS) checkNonNegative(spec[field], at.child(field), errors);
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined) {
    errors.push(required(at.child('backoffLimitPerIndex'), 'when maxFailedIndexes is specified'));
  }
  if (spec.managedBy !== undefined) {
    checkDomainPrefixedPath(spec.managedBy, at.child('managedBy'), errors);
    if (Buffer.byteLength(spec.managedBy) > MAX_MANAGED_BY) {
      errors.push(tooLong(at.child('managedBy'), MAX_MANAGED_BY));
    }
  }
  checkCompletionMode(spec, at, errors);
  if (spec.podFailurePolicy !== undefined) {
    checkPodFailurePolicy(spec, at.child('podFailurePolicy'), errors);
  }
  if (spec.successPolicy !== undefined) {
    const path = at.child('successPolicy');
    if (spec.completionMode !== 'Indexed') {
      const printed = {
        Rules: spec.successPolicy.rules?.map((rule) => ({
          SucceededIndexes: rule.succeededIndexes ?? null,
          SucceededCount: rule.succeededCount ?? null,
        })),
      };
      errors.push(invalid(path, printed, 'requires indexed completion mode'));
    } else checkSuccessPolicy(spec, path, errors);
  }
  const replacements = spec.podFailurePolicy === undefined ? ['Failed', 'TerminatingOrFailed'] : ['Failed'];
  checkSupported(spec.podReplacementPolicy, replacements, at.child('podReplacementPolicy'), errors);
  checkPodTemplate(spec.template, old?.template, at.child('template'), errors);
  checkJobRestarts(spec, at.child('template', 'spec', 'restartPolicy'), errors);
}

function checkJobRestarts(spec: JobSpec, at: FieldPath, errors: Errors): void {
  const policy: string = spec.template.spec?.restartPolicy ?? '';
  if (policy === '' || policy === 'Always') {
    errors.push(required(at, 'valid values: "OnFailure", "Never"'));
  } else if (policy !== 'OnFailure' && policy !== 'Never') {
    errors.push(notSupported(at, policy, ['OnFailure', 'Never']));
  } else if (spec.podFailurePolicy !== undefined && policy !== 'Never') {
    errors.push(invalid(at, policy, 'only "Never" is supported when podFailurePolicy is specified'));
  }
}

function checkCompletionMode(spec: JobSpec, at: FieldPath, errors: Errors): void {
  const { completionMode, backoffLimitPerIndex, maxFailedIndexes } = spec;
  checkSupported(completionMode, ['NonIndexed', 'Indexed'], at.child('completionMode'), errors);
  if (completionMode === 'Indexed') {
    checkIndexed(spec, at, errors);
    return;
  }
  if (completionMode !== undefined && completionMode !== 'NonIndexed') return;
  const why = 'requires indexed completion mode';
  if (backoffLimitPerIndex !== undefined) {
    errors.push(invalid(at.child('backoffLimitPerIndex'), backoffLimitPerIndex, why));
  }
  if (maxFailedIndexes !== undefined) {
    errors.push(invalid(at.child('maxFailedIndexes'), maxFailedIndexes, why));
  }
}

function checkIndexed(spec: JobSpec, at: FieldPath, errors: Errors): void {
  const { completions, parallelism = 0, maxFailedIndexes, backoffLimitPerIndex } = spec;
  const failed = at.child('maxFailedIndexes');
  const atMost = (value: number, max: number, path: FieldPath, when = ''): void => {
    if (value > max) errors.push(invalid(path, value, `must be less than or equal to ${max}${when}`));
  };
  if (completions === undefined) {
    errors.push(required(at.child('completions'), 'when completion mode is Indexed'));
  }
  atMost(parallelism, MAX_PARALLELISM, at.child('parallelism'), ' when completion mode is Indexed');
  if (maxFailedIndexes !== undefined) {
    if (completions !== undefined && maxFailedIndexes > completions) {
      errors.push(invalid(failed, maxFailedIndexes, 'must be less than or equal to completions'));
    }
    atMost(maxFailedIndexes, MAX_FAILED_INDEXES, failed);
  }
  if (completions === undefined || completions <= COMPLETIONS_SOFT_LIMIT) return;
  if (backoffLimitPerIndex === undefined) return;
  const when = ` when completions are above ${COMPLETIONS_SOFT_LIMIT} and used with backoff limit per index`;
  if (maxFailedIndexes === undefined) {
    errors.push(required(failed, `must be specified when completions is above ${COMPLETIONS_SOFT_LIMIT}`));
  }
  atMost(parallelism, HIGH_COMPLETIONS_LIMIT, at.child('parallelism'), when);
  atMost(maxFailedIndexes ?? 0, HIGH_COMPLETIONS_LIMIT, failed, when);
}

function checkWholeJobSpec(spec: JobSpec, old: JobSpec | undefined, errors: Errors): void {
  checkJobSpec(spec, old, specPath, errors);
  if (spec.selector === undefined) errors.push(required(specPath.child('selector')));
  else checkLabelSelector(spec.selector, specPath.child('selector'), errors);
  checkSelected(spec.selector, spec.template, specPath.child('template'), errors);
}

const JOB_LABELS = ['controller-uid', 'job-name'] as const;
const PREFIX = 'batch.kubernetes.io/';

/** The selector that the server made must be the one it would make. */
function checkGeneratedSelector(job: Job, needsPrefixed: boolean, errors: Errors): void {
  const { selector, template, manualSelector } = job.spec;
  if (manualSelector === true || selector === undefined) return;
  const expected: Record<string, string> = {};
  for (const prefix of needsPrefixed ? ['', PREFIX] : ['']) {
    for (const label of JOB_LABELS) {
      const value = label === 'job-name' ? job.metadata.name : job.metadata.uid;
      expected[`${prefix}${label}`] = value;
      checkLabel(template, `${prefix}${label}`, value, errors);
    }
  }
  if (selects(selector, expected) === false) {
    const why = '`selector` not auto-generated';
    errors.push(invalid(specPath.child('selector'), printedSelector(selector), why));
  }
}

function checkLabel(template: coreV1.PodTemplateSpec, key: string, value: string, errors: Errors): void {
  const labels = template.metadata?.labels;
  const path = specPath.child('template', 'metadata', 'labels').key(key);
  const actual = labels?.[key];
  if (actual === undefined) errors.push(required(path, `must be '${value}'`));
  else if (actual !== value) errors.push(invalid(path, labels, `must be '${value}'`));
}

function checkJob(job: Job, old: Job | undefined, needsPrefixed: boolean, errors: Errors): void {
  checkGeneratedSelector(job, needsPrefixed, errors);
  checkWholeJobSpec(job.spec, old?.spec, errors);
  const { completionMode, completions = 0 } = job.spec;
  if (completionMode !== 'Indexed' || completions <= 0) return;
  const hostname = `${job.metadata.name}-${completions - 1}`;
  if (validateDns1123Label(hostname).length === 0) return;
  const why = `will not able to create pod with invalid DNS label: ${hostname}`;
  errors.push(invalid(namePath, job.metadata.name, why));
}

export const validateJob = (job: Job): readonly FieldError[] =>
  collect((errors) => checkJob(job, undefined, true, errors));

export const validateJobUpdate = (job: Job, old: Job): readonly FieldError[] =>
  collect((errors) => {
    const labels = old.spec.template.metadata?.labels;
    const needsPrefixed = JOB_LABELS.every((label) => labels?.[`${PREFIX}${label}`] !== undefined);
    checkJob(job, old, needsPrefixed, errors);
    checkWholeJobSpec(job.spec, old.spec, errors);
    checkCompletionsUpdate(job.spec, old.spec, errors);
    checkImmutable(job.spec.selector, old.spec.selector, specPath.child('selector'), errors);
    checkTemplateUpdate(job, old, errors);
    for (const field of [
      'completionMode',
      'podFailurePolicy',
      'backoffLimitPerIndex',
      'managedBy',
      'successPolicy',
    ] as const) {
      checkImmutable(job.spec[field], old.spec[field], specPath.child(field), errors);
    }
  });

function checkCompletionsUpdate(spec: JobSpec, old: JobSpec, errors: Errors): void {
  const path = specPath.child('completions');
  if (spec.completionMode !== 'Indexed') {
    checkImmutable(spec.completions, old.completions, path, errors);
  } else if (spec.completions !== old.completions && spec.completions !== undefined) {
    if (spec.completions === spec.parallelism) return;
    errors.push(invalid(path, spec.completions, 'can only be modified in tandem with spec.parallelism'));
  }
}

/** A suspended Job that runs nothing may be given other resources and another place. */
function checkTemplateUpdate(job: Job, old: Job, errors: Errors): void {
  const { status } = old;
  const isSuspended = old.spec.suspend === true;
  const wasSuspended = status.conditions?.some(
    ({ type, status: state }) => type === 'Suspended' && state === 'True',
  );
  const isMutable =
    isSuspended && (status.startTime === undefined || wasSuspended === true) && (status.active ?? 0) === 0;
  const { template } = job.spec;
  if (!isMutable) {
    checkImmutable(template, old.spec.template, specPath.child('template'), errors);
    return;
  }
  const { spec } = template;
  const before = old.spec.template.spec;
  if (spec === undefined || before === undefined) return;
  const munged = {
    ...before,
    affinity: withNodeAffinity(before.affinity, spec.affinity),
    nodeSelector: spec.nodeSelector,
    tolerations: spec.tolerations,
    schedulingGates: spec.schedulingGates,
    containers: withResources(before.containers, spec.containers),
    initContainers: withResources(before.initContainers, spec.initContainers),
  };
  if (!deepEqual(munged, spec)) {
    errors.push(invalid(specPath.child('template.spec'), spec, 'field is immutable'));
  }
}

function withNodeAffinity(
  old: coreV1.Affinity | undefined,
  next: coreV1.Affinity | undefined,
): object | undefined {
  const merged = { ...old, nodeAffinity: next?.nodeAffinity };
  const isNothing = Object.values(merged).every((part) => part === undefined);
  return isNothing && next === undefined ? undefined : merged;
}

function withResources(
  old: readonly coreV1.Container[] | undefined,
  next: readonly coreV1.Container[] | undefined,
): readonly object[] | undefined {
  if (old?.length !== next?.length) return old;
  return old?.map((container, i) =>
    next?.[i]?.name === container.name ? { ...container, resources: next[i].resources } : container,
  );
}

const MAX_CRON_JOB_NAME = 52;

export const validateCronJob = (object: batchV1.CronJob): readonly FieldError[] =>
  collect((errors) => {
    checkCronJob(object, undefined, errors);
    const { name } = object.metadata;
    if (Buffer.byteLength(name) > MAX_CRON_JOB_NAME) {
      errors.push(invalid(namePath, name, `must be no more than ${MAX_CRON_JOB_NAME} characters`));
    }
  });

export const validateCronJobUpdate = (object: batchV1.CronJob, old: batchV1.CronJob): readonly FieldError[] =>
  collect((errors) => checkCronJob(object, old, errors));

function checkCronJob({ spec }: batchV1.CronJob, old: batchV1.CronJob | undefined, errors: Errors): void {
  if (checkPresent(spec.schedule, specPath.child('schedule'), errors)) {
    const allowsZone = old?.spec.schedule.includes('TZ') === true;
    checkSchedule(spec, allowsZone, specPath.child('schedule'), errors);
  }
  checkNonNegative(spec.startingDeadlineSeconds, specPath.child('startingDeadlineSeconds'), errors);
  if (old === undefined || old.spec.timeZone !== spec.timeZone) {
    checkTimeZone(spec.timeZone, specPath.child('timeZone'), errors);
  }
  const policies = ['Allow', 'Forbid', 'Replace'];
  checkOneOf(spec.concurrencyPolicy, policies, specPath.child('concurrencyPolicy'), errors);
  checkJobTemplate(spec.jobTemplate.spec, old?.spec.jobTemplate.spec, errors);
  for (const field of ['successfulJobsHistoryLimit', 'failedJobsHistoryLimit'] as const) {
    checkNonNegative(spec[field], specPath.child(field), errors);
  }
}

function checkJobTemplate(spec: JobSpec | undefined, old: JobSpec | undefined, errors: Errors): void {
  const path = specPath.child('jobTemplate', 'spec');
  const own = spec ?? { template: {} };
  checkJobSpec(own, old, path, errors);
  if (own.selector !== undefined) {
    errors.push(invalid(path.child('selector'), own.selector, '`selector` will be auto-generated'));
  }
  if (own.manualSelector === true) {
    errors.push(notSupported(path.child('manualSelector'), true, ['nil', 'false']));
  }
}
