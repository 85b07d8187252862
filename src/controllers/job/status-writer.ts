/**
 * Counts ended pods, exactly once (KEP-2307). A pod that ended is first noted by uid in the status, then let go by
 * taking off its finalizer, and only then added to the counter. Whoever dies in between finds out from status and
 * finalizer which of these steps were taken.
 */
import type { batchV1, coreV1 } from '#api';
import { type Client, type EventRecorder, resources } from '#client';
import { deepEqual } from '#machinery';
import { type Clock, formatTime } from '#platform';
import { CompletionIndexes } from './completion-indexes.ts';
import { conditionOf, isConditionTrue, type JobEnd, withJobCondition } from './job-conditions.ts';
import { hasFailed, isIndexed, isTracked, limitsPerIndex, validIndex } from './job-pods.ts';
import type { JobState } from './job-state.ts';
import { judgeFailure } from './pod-failure-policy.ts';
import { releasePod } from './pod-manager.ts';

type Job = batchV1.Job;
type Pod = coreV1.Pod;
type JobStatus = batchV1.JobStatus;

/** Uids noted in a status at once: about 20 KB. The next reconcile goes on. */
const MAX_UNCOUNTED = 500;

export interface StatusWriterOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly events: EventRecorder;
  /** Uids of pods that were let go and whose change has not come in yet. */
  readonly released: Set<string>;
  /** Called once what the reconcile decided is written down. */
  readonly onNoted: () => void;
}

interface Counted {
  readonly status: JobStatus;
  readonly toRelease: readonly Pod[];
  /** There was no room for all. */
  readonly more: boolean;
}

export class StatusWriter {
  readonly #options: StatusWriterOptions;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** `status` has what the reconcile found out otherwise. Returns true when the job is finished now. */
  async write(state: JobState, status: JobStatus, end: JobEnd | undefined): Promise<boolean> {
    const now = formatTime(this.#options.clock.now());
    const held = new Set(
      state.pods
        .filter((pod) => isTracked(pod) && !state.released.has(pod.metadata.uid))
        .map(({ metadata }) => metadata.uid),
    );
    const counted = noteEnded(state, withoutReleased(status, held), end);
    const noted = end === undefined ? counted.status : withInterim(counted.status, end, now);
    const job = await this.#flush(state.job, noted);
    const releaseError = await this.#release(counted.toRelease, held);
    let final = withoutReleased(noted, held);
    const isFinished =
      releaseError === undefined && end !== undefined && !counted.more && isOver(final, state);
    if (isFinished) final = withEnd(final, end, now);
    const written = await this.#flush(job, final);
    if (isFinished) this.#tell(written, end);
    if (releaseError !== undefined) throw releaseError;
    return isFinished;
  }

  async #flush(job: Job, status: JobStatus): Promise<Job> {
    const next = cleaned(status);
    if (deepEqual(next, cleaned(job.status))) return job;
    const written = await this.#options.client
      .resource(resources.jobs)
      .updateStatus({ ...job, status: next });
    this.#options.onNoted();
    return written;
  }

  /** Takes those out of `held` that were let go; returns the first failure. */
  async #release(pods: readonly Pod[], held: Set<string>): Promise<unknown> {
    const { client, released } = this.#options;
    let firstError: unknown;
    await Promise.all(
      pods.map(async (pod) => {
        const { uid } = pod.metadata;
        released.add(uid);
        try {
          await releasePod(client, pod);
          held.delete(uid);
        } catch (error) {
          released.delete(uid);
          firstError ??= error;
        }
      }),
    );
    return firstError;
  }

  #tell(job: Job, { type, reason, message }: JobEnd): void {
    const { events } = this.#options;
    if (type === 'FailureTarget') {
      events.event(job, 'Warning', reason, message);
      return;
    }
    const { completions } = job.spec;
    if (completions !== undefined && (job.status.succeeded ?? 0) > completions) {
      const tooMany = 'Too many succeeded pods running after completion count reached';
      events.event(job, 'Warning', 'TooManySucceededPods', tooMany);
    }
    events.event(job, 'Normal', 'Completed', 'Job completed');
  }
}

/** Notes the pods that have ended and may go. */
function noteEnded(state: JobState, status: JobStatus, end: JobEnd | undefined): Counted {
  const { job, indexes } = state;
  const succeeded = [...(status.uncountedTerminatedPods?.succeeded ?? [])];
  const failed = [...(status.uncountedTerminatedPods?.failed ?? [])];
  const newIndexes = new Set<number>();
  const toRelease: Pod[] = [];
  let more = false;
  const pods = isIndexed(job)
    ? state.pods.toSorted((a, b) => (validIndex(a, job) ?? 0) - (validIndex(b, job) ?? 0))
    : state.pods;
  for (const pod of pods) {
    const { uid } = pod.metadata;
    if (!isTracked(pod) || state.released.has(uid) || !mayGo(state, pod, end)) continue;
    if (newIndexes.size + succeeded.length + failed.length >= MAX_UNCOUNTED) {
      more = true;
      break;
    }
    toRelease.push(pod);
    const index = validIndex(pod, job);
    if (pod.status.phase === 'Succeeded' && !failed.includes(uid)) {
      if (!isIndexed(job)) {
        if (!succeeded.includes(uid)) succeeded.push(uid);
      } else if (index !== undefined && indexes?.counted.has(index) === false) {
        newIndexes.add(index);
      }
    } else if (countsAsFailed(state, pod, end) && !failed.includes(uid)) {
      failed.push(uid);
    }
  }
  const noted = { ...status, uncountedTerminatedPods: { succeeded, failed } };
  if (indexes === undefined) return { status: noted, toRelease, more };
  // What is left for next time is not in the status yet.
  const completed = more ? indexes.counted.union(CompletionIndexes.of(newIndexes)) : indexes.succeeded;
  return { status: withIndexes(noted, completed, indexes.failed), toRelease, more };
}

function withIndexes(
  status: JobStatus,
  completed: CompletionIndexes,
  failed: CompletionIndexes | undefined,
): JobStatus {
  return {
    ...status,
    succeeded: completed.size,
    completedIndexes: String(completed),
    ...(failed === undefined ? {} : { failedIndexes: String(failed) }),
  };
}

function countsAsFailed({ job }: JobState, pod: Pod, end: JobEnd | undefined): boolean {
  // When a job fails, so does every pod that had not ended.
  if (!hasFailed(pod, job) && end?.type !== 'FailureTarget') return false;
  if (isIndexed(job) && validIndex(pod, job) === undefined) return false;
  return judgeFailure(job.spec.podFailurePolicy, pod).counts;
}

/** A failed pod whose index waits for a replacement stays, for its count of failures is handed on. */
function mayGo({ job, indexes }: JobState, pod: Pod, end: JobEnd | undefined): boolean {
  if (job.metadata.deletionTimestamp !== undefined || end !== undefined) return true;
  if (pod.status.phase === 'Succeeded') return true;
  if (!hasFailed(pod, job)) return false;
  const index = validIndex(pod, job);
  return !limitsPerIndex(job) || index === undefined || indexes?.replaceable.get(index) !== pod;
}

/** Counts those noted pods that are let go. */
function withoutReleased(status: JobStatus, held: ReadonlySet<string>): JobStatus {
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
  const stillSucceeded = succeeded.filter((uid) => held.has(uid));
  const stillFailed = failed.filter((uid) => held.has(uid));
  return {
    ...status,
    succeeded: (status.succeeded ?? 0) + succeeded.length - stillSucceeded.length,
    failed: (status.failed ?? 0) + failed.length - stillFailed.length,
    uncountedTerminatedPods: { succeeded: stillSucceeded, failed: stillFailed },
  };
}

function withInterim(status: JobStatus, end: JobEnd, now: string): JobStatus {
  if (isConditionTrue(status.conditions, end.type)) return status;
  return { ...status, conditions: [...(status.conditions ?? []), conditionOf(end.type, 'True', end, now)] };
}

/** Every pod is counted and none runs any more. */
function isOver({ uncountedTerminatedPods }: JobStatus, { terminating }: JobState): boolean {
  const { succeeded = [], failed = [] } = uncountedTerminatedPods ?? {};
  return succeeded.length === 0 && failed.length === 0 && terminating === 0;
}

function withEnd(status: JobStatus, end: JobEnd, now: string): JobStatus {
  const type = end.type === 'FailureTarget' ? 'Failed' : 'Complete';
  return {
    ...status,
    conditions: withJobCondition(status.conditions ?? [], conditionOf(type, 'True', end, now)),
    ...(type === 'Complete' ? { completionTime: now } : {}),
  };
}

/** As it is written: nothing that is zero or empty but what is always shown. */
function cleaned(status: JobStatus): JobStatus {
  const { active, succeeded, failed, conditions, completedIndexes, uncountedTerminatedPods, ...rest } =
    status;
  const uncounted = uncountedTerminatedPods ?? {};
  return {
    ...rest,
    ...(conditions === undefined || conditions.length === 0 ? {} : { conditions }),
    ...(active === undefined || active === 0 ? {} : { active }),
    ...(succeeded === undefined || succeeded === 0 ? {} : { succeeded }),
    ...(failed === undefined || failed === 0 ? {} : { failed }),
    ...(completedIndexes === undefined || completedIndexes === '' ? {} : { completedIndexes }),
    uncountedTerminatedPods: {
      ...((uncounted.succeeded?.length ?? 0) === 0 ? {} : { succeeded: uncounted.succeeded }),
      ...((uncounted.failed?.length ?? 0) === 0 ? {} : { failed: uncounted.failed }),
    },
  };
}
