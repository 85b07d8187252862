/** What a Job asks about its pods. */
import type { batchV1, coreV1 } from '#api';
import { isFinished, isTerminating } from '../frame/pods.ts';
import { judgeFailure } from './pod-failure-policy.ts';

type Job = batchV1.Job;
type Pod = coreV1.Pod;

/** Keeps an ended pod until it is counted in the job's status. */
export const TRACKING_FINALIZER = 'batch.kubernetes.io/job-tracking';
export const COMPLETION_INDEX = 'batch.kubernetes.io/job-completion-index';
const FAILURE_COUNT = 'batch.kubernetes.io/job-index-failure-count';
const IGNORED_FAILURE_COUNT = 'batch.kubernetes.io/job-index-ignored-failure-count';
const MAX_INT32 = 2 ** 31 - 1;

export const isIndexed = ({ spec }: Job): boolean => spec.completionMode === 'Indexed';
export const isSuspended = ({ spec }: Job): boolean => spec.suspend === true;
export const limitsPerIndex = (job: Job): boolean =>
  isIndexed(job) && job.spec.backoffLimitPerIndex !== undefined;
/** A pod is replaced when it has ended, not when it begins to. */
export const replacesOnlyEnded = ({ spec }: Job): boolean =>
  spec.podReplacementPolicy === 'Failed' || spec.podFailurePolicy !== undefined;

export const isTracked = ({ metadata }: Pod): boolean =>
  metadata.finalizers?.includes(TRACKING_FINALIZER) === true;

/** On its way out, but its containers may still run. */
export const isEnding = (pod: Pod): boolean => isTerminating(pod) && !isFinished(pod);

export function hasFailed(pod: Pod, job: Job): boolean {
  if (pod.status.phase === 'Failed') return true;
  // One that is deleted may never get to say how it ended.
  return !replacesOnlyEnded(job) && isTerminating(pod) && pod.status.phase !== 'Succeeded';
}

/** Undefined: none, or none that could be. */
export function completionIndex({ metadata }: Pod): number | undefined {
  const text = metadata.annotations?.[COMPLETION_INDEX];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** Its index is one the job has (or had, before it was scaled down: then not). */
export function validIndex(pod: Pod, job: Job): number | undefined {
  const index = completionIndex(pod);
  return index !== undefined && index < (job.spec.completions ?? 0) ? index : undefined;
}

function countIn({ metadata }: Pod, annotation: string): number {
  const count = Number(metadata.annotations?.[annotation] ?? 0);
  return Number.isInteger(count) && count >= 0 && count <= MAX_INT32 ? count : 0;
}

/** Failures of this index before this pod, those that count. */
export const failuresBefore = (pod: Pod): number => countIn(pod, FAILURE_COUNT);
export const allFailuresBefore = (pod: Pod): number =>
  failuresBefore(pod) + countIn(pod, IGNORED_FAILURE_COUNT);

/** What the pod that replaces `failed` remembers of its index. */
export function failureAnnotations(job: Job, failed: Pod | undefined): Readonly<Record<string, string>> {
  if (failed === undefined) return { [FAILURE_COUNT]: '0' };
  const { counts } = judgeFailure(job.spec.podFailurePolicy, failed);
  const ignored = countIn(failed, IGNORED_FAILURE_COUNT) + (counts ? 0 : 1);
  return {
    [FAILURE_COUNT]: String(failuresBefore(failed) + (counts ? 1 : 0)),
    ...(ignored > 0 ? { [IGNORED_FAILURE_COUNT]: String(ignored) } : {}),
  };
}

/** Its failure is the last one its index may have. */
export function failsIndex(pod: Pod, job: Job): boolean {
  if (!hasFailed(pod, job)) return false;
  const { action, counts } = judgeFailure(job.spec.podFailurePolicy, pod);
  return action === 'FailIndex' || (counts && failuresBefore(pod) >= (job.spec.backoffLimitPerIndex ?? 0));
}
