/** A job and its pods as one reconcile sees them. */
import type { batchV1, coreV1 } from '#api';
import { isActive, isReady } from '../frame/pods.ts';
import { CompletionIndexes } from './completion-indexes.ts';
import { isConditionTrue, type JobEnd, jobCondition } from './job-conditions.ts';
import {
  allFailuresBefore,
  completionIndex,
  failsIndex,
  hasFailed,
  isEnding,
  isIndexed,
  isTracked,
  limitsPerIndex,
  validIndex,
} from './job-pods.ts';
import { continueRun, type FailureRun, finishedAtMs } from './pod-backoff.ts';
import { judgeFailure } from './pod-failure-policy.ts';
import { successByPolicy } from './success-policy.ts';

type Job = batchV1.Job;
type Pod = coreV1.Pod;

export interface IndexState {
  /** As the status has them. */
  readonly counted: CompletionIndexes;
  readonly succeeded: CompletionIndexes;
  /** Only where failures are limited per index. */
  readonly failed?: CompletionIndexes;
  /** The last failed pod of each index that waits for a replacement, which takes over its count of failures. */
  readonly replaceable: ReadonlyMap<number, Pod>;
}

export interface JobState {
  readonly job: Job;
  readonly pods: readonly Pod[];
  readonly activePods: readonly Pod[];
  readonly succeeded: number;
  readonly failed: number;
  readonly indexes?: IndexState;
  readonly run: FailureRun;
  /** Pods whose finalizer is gone although the cache still shows it. */
  readonly released: ReadonlySet<string>;
  /** Counts below change as pods are created and deleted. */
  active: number;
  ready: number;
  terminating: number;
}

export interface JobStateInput {
  readonly job: Job;
  readonly pods: readonly Pod[];
  readonly released: ReadonlySet<string>;
  readonly run: FailureRun | undefined;
}

export function jobStateOf({ job, pods, released, run }: JobStateInput): JobState {
  const { status, spec } = job;
  const activePods = pods.filter(isActive);
  const uncounted = {
    succeeded: new Set(status.uncountedTerminatedPods?.succeeded),
    failed: new Set(status.uncountedTerminatedPods?.failed),
  };
  const uncountable = (pod: Pod): boolean =>
    !isTracked(pod) ||
    released.has(pod.metadata.uid) ||
    (isIndexed(job) && validIndex(pod, job) === undefined);
  const countable = pods.filter((pod) => !uncountable(pod));
  const succeededPods = countable.filter(
    (pod) => pod.status.phase === 'Succeeded' && !uncounted.succeeded.has(pod.metadata.uid),
  );
  const failedPods = countable.filter(
    (pod) => hasFailed(pod, job) && !uncounted.failed.has(pod.metadata.uid),
  );
  const counting = failedPods.filter((pod) => judgeFailure(spec.podFailurePolicy, pod).counts);
  const indexes = isIndexed(job) ? indexStateOf(job, pods, countable, activePods) : undefined;
  return {
    job,
    pods,
    activePods,
    succeeded:
      indexes?.succeeded.size ?? (status.succeeded ?? 0) + succeededPods.length + uncounted.succeeded.size,
    failed: (status.failed ?? 0) + counting.length + uncounted.failed.size,
    ...(indexes === undefined ? {} : { indexes }),
    run: continueRun(run, succeededPods, failedPods),
    released,
    active: activePods.length,
    ready: activePods.filter(isReady).length,
    terminating: pods.filter(isEnding).length,
  };
}

function indexStateOf(
  job: Job,
  pods: readonly Pod[],
  countable: readonly Pod[],
  activePods: readonly Pod[],
): IndexState {
  const completions = job.spec.completions ?? 0;
  const counted = CompletionIndexes.parse(job.status.completedIndexes, completions);
  const tracked = pods.filter(isTracked);
  const ended = tracked.filter((pod) => pod.status.phase === 'Succeeded');
  const succeeded = counted.union(validIndexes(ended, job));
  if (!limitsPerIndex(job)) return { counted, succeeded, replaceable: new Map() };
  const failed = CompletionIndexes.parse(job.status.failedIndexes, completions).union(
    validIndexes(
      tracked.filter((pod) => failsIndex(pod, job)),
      job,
    ),
  );
  const active = new Set(activePods.map(completionIndex));
  const replaceable = new Map<number, Pod>();
  for (const pod of countable) {
    const index = validIndex(pod, job);
    if (index === undefined || !hasFailed(pod, job)) continue;
    if (succeeded.has(index) || failed.has(index) || active.has(index)) continue;
    const known = replaceable.get(index);
    if (known === undefined || isLaterFailure(pod, known)) replaceable.set(index, pod);
  }
  return { counted, succeeded, failed, replaceable };
}

function validIndexes(pods: readonly Pod[], job: Job): CompletionIndexes {
  return CompletionIndexes.of(pods.map((pod) => validIndex(pod, job)).filter((index) => index !== undefined));
}

const isLaterFailure = (pod: Pod, than: Pod): boolean =>
  allFailuresBefore(than) <= allFailuresBefore(pod) && finishedAtMs(pod) >= finishedAtMs(than);

/** What an earlier reconcile decided, for good. */
export function decidedEnd({ status: { conditions } }: Job): JobEnd | undefined {
  for (const type of ['SuccessCriteriaMet', 'FailureTarget'] as const) {
    if (!isConditionTrue(conditions, type)) continue;
    const { reason = '', message = '' } = jobCondition(conditions, type) ?? {};
    return { type, reason, message };
  }
  return undefined;
}

const failure = (reason: string, message: string): JobEnd => ({ type: 'FailureTarget', reason, message });

/** Whether the job has come to an end before all its completions are there. The order is upstream's. */
export function earlyEnd(state: JobState, deadlinePassed: boolean): JobEnd | undefined {
  const { job, pods, indexes } = state;
  const { spec } = job;
  for (const pod of spec.podFailurePolicy === undefined ? [] : pods) {
    const reason = hasFailed(pod, job) ? judgeFailure(spec.podFailurePolicy, pod).jobFailure : undefined;
    if (reason !== undefined) return failure('PodFailurePolicy', reason);
  }
  if (state.failed > (spec.backoffLimit ?? 0) || restartsExceedLimit(job, pods))
    return failure('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  if (deadlinePassed) return failure('DeadlineExceeded', 'Job was active longer than specified deadline');
  return indexes === undefined ? undefined : (indexFailure(job, indexes) ?? policySuccess(job, indexes));
}

function indexFailure({ spec }: Job, { failed, succeeded }: IndexState): JobEnd | undefined {
  if (failed === undefined) return undefined;
  if (spec.maxFailedIndexes !== undefined && failed.size > spec.maxFailedIndexes)
    return failure(
      'MaxFailedIndexesExceeded',
      'Job has exceeded the specified maximal number of failed indexes',
    );
  const isEveryIndexDone = failed.size + succeeded.size >= (spec.completions ?? 0);
  return failed.size > 0 && isEveryIndexDone ? failure('FailedIndexes', 'Job has failed indexes') : undefined;
}

function policySuccess({ spec }: Job, { succeeded }: IndexState): JobEnd | undefined {
  const message = successByPolicy(spec.successPolicy, succeeded, spec.completions ?? 0);
  return message === undefined ? undefined : { type: 'SuccessCriteriaMet', reason: 'SuccessPolicy', message };
}

/** Containers that are restarted in place do not fail their pod, but use up the limit as well. */
function restartsExceedLimit({ spec }: Job, pods: readonly Pod[]): boolean {
  if (spec.template.spec?.restartPolicy !== 'OnFailure') return false;
  let restarts = 0;
  for (const { status } of pods) {
    if (status.phase !== 'Running' && status.phase !== 'Pending') continue;
    for (const { restartCount } of [
      ...(status.initContainerStatuses ?? []),
      ...(status.containerStatuses ?? []),
    ])
      restarts += restartCount;
  }
  const limit = spec.backoffLimit ?? 0;
  return limit === 0 ? restarts > 0 : restarts >= limit;
}
