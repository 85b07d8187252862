import type { batchV1, coreV1 } from '#api';
import { type Informer, objectKey, resources } from '#client';
import { compileLabelSelector, parseTimestamp } from '#machinery';
import { formatTime } from '#platform';
import { type ControllerContext, defineController, type ReconcileResult } from '../frame/controller.ts';
import { Expectations } from '../frame/expectations.ts';
import { controlledBy, indexByController, orphansIn } from '../frame/indexes.ts';
import { watchOwned } from '../frame/owned-objects.ts';
import { claim, controllerOfObject } from '../frame/ownership.ts';
import { PodControl } from '../frame/pod-control.ts';
import { conditionOf, isJobFinished, type JobEnd, withJobCondition } from './job-conditions.ts';
import { isSuspended, isTracked, TRACKING_FINALIZER } from './job-pods.ts';
import { decidedEnd, earlyEnd, type JobState, jobStateOf } from './job-state.ts';
import type { FailureRun } from './pod-backoff.ts';
import { PodManager, releasePod } from './pod-manager.ts';
import { StatusWriter } from './status-writer.ts';

type Job = batchV1.Job;
type Pod = coreV1.Pod;

const WORKERS = 5;
/** Marks keys of pods that outlived their job; names have no colon. */
const ORPHAN = 'orphan:';
const OWN_NAME = 'kubernetes.io/job-controller';
const COMPLETIONS_REACHED: JobEnd = {
  type: 'SuccessCriteriaMet',
  reason: 'CompletionsReached',
  message: 'Reached expected number of succeeded pods',
};

/** Runs pods until as many as wanted have succeeded. */
export const jobController = defineController({
  name: 'job-controller',
  workers: WORKERS,
  setup(context) {
    const loop = new JobLoop(context);
    return {
      informers: [loop.jobs, loop.pods],
      reconcile: (key) => loop.reconcile(key),
      stop: () => loop.stop(),
    };
  },
});

class JobLoop {
  readonly jobs: Informer<Job>;
  readonly pods: Informer<Pod>;
  readonly #context: ControllerContext;
  readonly #expectations: Expectations;
  readonly #podManager: PodManager;
  /** Uids of pods without finalizer that the cache still shows with it. */
  readonly #released = new Set<string>();
  /** By job; as many as there are unfinished jobs with failed pods. */
  readonly #runs = new Map<string, FailureRun>();
  /** Uids of finished jobs that the cache still shows unfinished. */
  readonly #finished = new Set<string>();
  readonly #removeHandlers: readonly (() => void)[];

  constructor(context: ControllerContext) {
    this.#context = context;
    const { informers, queue, client, clock, events } = context;
    this.jobs = informers.for(resources.jobs);
    this.pods = informers.for(resources.pods);
    indexByController(this.pods);
    this.#expectations = new Expectations(clock);
    const podControl = new PodControl(client, events);
    this.#podManager = new PodManager({ client, clock, podControl, expectations: this.#expectations });
    const onPod = (pod: Pod): void => this.#onPod(pod);
    this.#removeHandlers = [
      this.jobs.addHandler({
        onAdd: (job) => this.#onJob(job),
        onUpdate: (job) => this.#onJob(job),
        onDelete: (job) => this.#onJobGone(job),
      }),
      watchOwned({
        owned: this.pods,
        ownerKind: 'Job',
        owners: this.jobs,
        enqueue: (key) => queue.add(key),
        expectations: this.#expectations,
        adopters: (pod) => this.#adopters(pod),
      }),
      this.pods.addHandler({
        onAdd: onPod,
        onUpdate: onPod,
        onDelete: ({ metadata }) => void this.#released.delete(metadata.uid),
      }),
    ];
  }

  stop(): void {
    for (const remove of this.#removeHandlers) remove();
  }

  async reconcile(key: string): Promise<ReconcileResult | undefined> {
    if (key.startsWith(ORPHAN)) return this.#releaseOrphan(key.slice(ORPHAN.length));
    const job = this.jobs.get(key);
    if (job === undefined || isJobFinished(job)) {
      this.#expectations.forget(key);
      this.#runs.delete(key);
      if (job !== undefined) this.#finished.delete(job.metadata.uid);
      return undefined;
    }
    if (this.#finished.has(job.metadata.uid) || isManagedByOthers(job)) return undefined;
    const trusted = this.#expectations.satisfied(key);
    const state = jobStateOf({
      job,
      pods: await this.#claim(job),
      released: this.#released,
      run: this.#runs.get(key),
    });
    return this.#sync(key, state, trusted);
  }

  async #sync(key: string, state: JobState, trusted: boolean): Promise<ReconcileResult | undefined> {
    const { job } = state;
    let status = this.#started(job);
    const deadlineMs = this.#msToDeadline(job, status);
    let end = decidedEnd(job) ?? earlyEnd(state, deadlineMs <= 0);
    let nextMs = end === undefined ? deadlineMs : Number.POSITIVE_INFINITY;
    let error: unknown;
    if (end !== undefined) {
      const stopped = await this.#podManager.stopAll(state);
      error = stopped.error;
      // There may be pods left that still have to be told, or that are not in the cache yet.
      if (!stopped.done || !trusted) end = undefined;
    } else {
      const manages = trusted && job.metadata.deletionTimestamp === undefined;
      if (manages) {
        const managed = await this.#podManager.manage(key, state);
        error = managed.error;
        nextMs = Math.min(nextMs, managed.waitMs ?? Number.POSITIVE_INFINITY);
      }
      if (isComplete(state)) end = COMPLETIONS_REACHED;
      else if (manages) status = this.#suspension(job, status);
    }
    const { active, ready, terminating } = state;
    if (await this.#write(key, state, { ...status, active, ready, terminating }, end))
      this.#finished.add(job.metadata.uid);
    if (error !== undefined) throw error;
    return nextMs === Number.POSITIVE_INFINITY ? undefined : { requeueAfterMs: nextMs };
  }

  #write(key: string, state: JobState, status: batchV1.JobStatus, end: JobEnd | undefined): Promise<boolean> {
    const { client, clock, events } = this.#context;
    return new StatusWriter({
      client,
      clock,
      events,
      released: this.#released,
      onNoted: () => {
        if (state.run.failures > 0 || this.#runs.has(key)) this.#runs.set(key, state.run);
      },
    }).write(state, status, end);
  }

  #started({ status, spec }: Job): batchV1.JobStatus {
    if (status.startTime !== undefined || spec.suspend === true) return status;
    return { ...status, startTime: formatTime(this.#context.clock.now()) };
  }

  #msToDeadline(job: Job, { startTime }: batchV1.JobStatus): number {
    const seconds = job.spec.activeDeadlineSeconds;
    if (seconds === undefined || startTime === undefined || isSuspended(job)) return Number.POSITIVE_INFINITY;
    return parseTimestamp(startTime) + seconds * 1000 - this.#context.clock.now();
  }

  /** Tells in condition and event when the job is suspended or goes on; its time begins anew then. */
  #suspension(job: Job, status: batchV1.JobStatus): batchV1.JobStatus {
    const { clock, events } = this.#context;
    const now = formatTime(clock.now());
    const suspended = isSuspended(job);
    const what = suspended
      ? { reason: 'JobSuspended', message: 'Job suspended' }
      : { reason: 'JobResumed', message: 'Job resumed' };
    const known = status.conditions ?? [];
    const conditions = withJobCondition(
      known,
      conditionOf('Suspended', suspended ? 'True' : 'False', what, now),
    );
    if (conditions === known) return status;
    events.event(job, 'Normal', suspended ? 'Suspended' : 'Resumed', what.message);
    const { startTime: _, ...rest } = status;
    return { ...rest, conditions, ...(suspended ? {} : { startTime: now }) };
  }

  #claim(job: Job): Promise<readonly Pod[]> {
    const { client } = this.#context;
    const namespace = job.metadata.namespace ?? '';
    const candidates = [...controlledBy(this.pods, job.metadata.uid), ...orphansIn(this.pods, namespace)];
    return claim(candidates, {
      owner: job,
      matches: compileLabelSelector(job.spec.selector),
      finalizers: [TRACKING_FINALIZER],
      readOwner: () => client.resource(resources.jobs, namespace).get(job.metadata.name),
      patch: (pod, patch) =>
        client
          .resource(resources.pods, namespace)
          .patch(pod.metadata.name, 'application/strategic-merge-patch+json', patch),
    });
  }

  #onJob(job: Job): void {
    this.#context.queue.add(objectKey(job));
    if (isJobFinished(job)) this.#releasePodsOf(job);
  }

  #onJobGone(job: Job): void {
    this.#finished.delete(job.metadata.uid);
    this.#context.queue.add(objectKey(job));
    this.#releasePodsOf(job);
  }

  #releasePodsOf(job: Job): void {
    for (const pod of controlledBy(this.pods, job.metadata.uid))
      if (isTracked(pod)) this.#context.queue.add(ORPHAN + objectKey(pod));
  }

  #onPod(pod: Pod): void {
    if (!isTracked(pod)) this.#released.delete(pod.metadata.uid);
    else if (this.#isOrphan(pod)) this.#context.queue.add(ORPHAN + objectKey(pod));
  }

  /** No job will ever count it. */
  #isOrphan(pod: Pod): boolean {
    const owner = controllerOfObject(pod);
    if (owner === undefined) return true;
    if (owner.kind !== 'Job' || !owner.apiVersion.startsWith('batch/')) return false;
    const job = this.jobs.get(`${pod.metadata.namespace ?? ''}/${owner.name}`);
    if (job?.metadata.uid !== owner.uid) return true;
    return isJobFinished(job) && !isManagedByOthers(job);
  }

  async #releaseOrphan(podKey: string): Promise<undefined> {
    const pod = this.pods.get(podKey);
    if (pod !== undefined && this.#isOrphan(pod)) await releasePod(this.#context.client, pod);
    return undefined;
  }

  #adopters(pod: Pod): readonly string[] {
    return this.jobs
      .list(pod.metadata.namespace)
      .filter((job) => compileLabelSelector(job.spec.selector)(pod.metadata.labels))
      .map(objectKey);
  }
}

function isManagedByOthers({ spec }: Job): boolean {
  return spec.managedBy !== undefined && spec.managedBy !== OWN_NAME;
}

function isComplete({ job, succeeded, active }: JobState): boolean {
  const { completions } = job.spec;
  return active === 0 && (completions === undefined ? succeeded > 0 : succeeded >= completions);
}
