/** One look at a CronJob: tidy up what ended, and start what is due. */
import type { batchV1, coreV1, Draft } from '#api';
import { resources } from '#client';
import { deepEqual, isAlreadyExists, isNamespaceTerminating, isNotFound, parseTimestamp } from '#machinery';
import { formatTime, type WallTimeMs } from '#platform';
import type { ControllerContext, ReconcileResult } from '../frame/controller.ts';
import { controllerReference, isControlledBy } from '../frame/ownership.ts';
import { messageOf } from '../frame/pod-control.ts';
import { isConditionTrue, isJobFinished } from '../job/job-conditions.ts';
import {
  formatInZone,
  formatRfc1123,
  isTimeZone,
  type Missed,
  missedTimes,
  parseSchedule,
  type Schedule,
} from './cron-schedule.ts';

type CronJob = batchV1.CronJob;
type Job = batchV1.Job;

const SCHEDULED_AT = 'batch.kubernetes.io/cronjob-scheduled-timestamp';
/** Looked a little later than due, so that clocks which differ a little agree that it is. */
const SLACK_MS = 100;
/** From so many missed times on people are told. */
const MANY_MISSED = 100;

export class CronRun {
  readonly #context: ControllerContext;
  readonly #jobs: readonly Job[];
  readonly #nowMs: WallTimeMs;
  #cronJob: CronJob;
  #status: batchV1.CronJobStatus;

  constructor(context: ControllerContext, cronJob: CronJob, jobs: readonly Job[]) {
    this.#context = context;
    this.#cronJob = cronJob;
    this.#status = cronJob.status;
    this.#jobs = jobs;
    this.#nowMs = context.clock.now();
  }

  async run(): Promise<ReconcileResult | undefined> {
    await this.#removeSurplus();
    let failure: { readonly error: unknown } | undefined;
    let next: ReconcileResult | undefined;
    try {
      await this.#noteJobs();
      next = await this.#start();
    } catch (error) {
      failure = { error };
    }
    if (!deepEqual(this.#status, this.#cronJob.status))
      await this.#context.client
        .resource(resources.cronJobs)
        .updateStatus({ ...this.#cronJob, status: this.#status });
    if (failure !== undefined) throw failure.error;
    return next;
  }

  #event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#context.events.event(this.#cronJob, type, reason, message);
  }

  get #active(): readonly coreV1.ObjectReference[] {
    return this.#status.active ?? [];
  }

  #isActive(uid: string): boolean {
    return this.#active.some((reference) => reference.uid === uid);
  }

  #dropActive(uid: string | undefined): void {
    const { active: _, ...rest } = this.#status;
    const active = this.#active.filter((reference) => reference.uid !== uid);
    this.#status = active.length === 0 ? rest : { ...rest, active };
  }

  async #removeSurplus(): Promise<void> {
    const { successfulJobsHistoryLimit: successes, failedJobsHistoryLimit: failures } = this.#cronJob.spec;
    const ended = (type: 'Complete' | 'Failed'): readonly Job[] =>
      this.#jobs.filter(({ status }) => isConditionTrue(status.conditions, type)).toSorted(byStart);
    const surplus = [
      ...(successes === undefined ? [] : ended('Complete').slice(0, -successes || undefined)),
      ...(failures === undefined ? [] : ended('Failed').slice(0, -failures || undefined)),
    ];
    for (const job of surplus) await this.#deleteJob(job);
  }

  /** False when it could not be deleted. */
  async #deleteJob({ metadata }: Pick<Job, 'metadata'>): Promise<boolean> {
    try {
      await this.#context.client
        .resource(resources.jobs, metadata.namespace ?? '')
        .delete(metadata.name, { propagationPolicy: 'Background' });
    } catch (error) {
      if (!isNotFound(error)) {
        this.#event('Warning', 'FailedDelete', `Deleted job: ${messageOf(error)}`);
        return false;
      }
    }
    this.#dropActive(metadata.uid);
    this.#event('Normal', 'SuccessfulDelete', `Deleted job ${metadata.name}`);
    return true;
  }

  /** Brings the list of active jobs in line with those there are. */
  async #noteJobs(): Promise<void> {
    for (const job of this.#jobs) {
      if (isJobFinished(job)) this.#noteFinished(job);
      else if (!this.#isActive(job.metadata.uid)) await this.#noteUnexpected(job);
    }
    const known = new Set(this.#jobs.map(({ metadata }) => metadata.uid));
    for (const { name = '', namespace = '', uid } of this.#active) {
      if (uid === undefined || known.has(uid) || (await this.#getJob(name, namespace)) !== undefined)
        continue;
      this.#event('Normal', 'MissingJob', `Active job went missing: ${name}`);
      this.#dropActive(uid);
    }
  }

  #noteFinished({ metadata: { name, uid }, status }: Job): void {
    const succeeded = isConditionTrue(status.conditions, 'Complete');
    if (this.#isActive(uid)) {
      const condition = succeeded ? 'Complete' : 'Failed';
      this.#dropActive(uid);
      this.#event('Normal', 'SawCompletedJob', `Saw completed job: ${name}, condition: ${condition}`);
    }
    const at = status.completionTime;
    const last = this.#status.lastSuccessfulTime;
    if (!succeeded || at === undefined) return;
    if (last === undefined || parseTimestamp(at) > parseTimestamp(last))
      this.#status = { ...this.#status, lastSuccessfulTime: at };
  }

  /** Made just now, with a status that the cache does not show yet; or made by somebody else. */
  async #noteUnexpected({ metadata: { name, uid } }: Job): Promise<void> {
    const { namespace = '', name: ownName } = this.#cronJob.metadata;
    const fresh = await this.#context.client.resource(resources.cronJobs, namespace).get(ownName);
    if (fresh.status.active?.some((reference) => reference.uid === uid) === true) {
      this.#cronJob = fresh;
      this.#status = fresh.status;
      return;
    }
    const message = `Saw a job that the controller did not create or forgot: ${name}`;
    this.#event('Warning', 'UnexpectedJob', message);
  }

  async #getJob(name: string, namespace: string): Promise<Job | undefined> {
    try {
      return await this.#context.client.resource(resources.jobs, namespace).get(name);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async #start(): Promise<ReconcileResult | undefined> {
    const { metadata, spec } = this.#cronJob;
    if (metadata.deletionTimestamp !== undefined) return undefined;
    if (spec.timeZone !== undefined && !isTimeZone(spec.timeZone)) {
      const zone = JSON.stringify(spec.timeZone);
      const message = `invalid timeZone: ${zone}: unknown time zone ${spec.timeZone}`;
      this.#event('Warning', 'UnknownTimeZone', message);
      return undefined;
    }
    if (spec.suspend === true) return undefined;
    const schedule = this.#schedule();
    if (schedule === undefined) return undefined;
    const dueMs = this.#dueTime(schedule);
    if (dueMs === 'never') return undefined;
    if (dueMs === undefined) return this.#nextLook(schedule);
    if (this.#isTooLate(dueMs) || this.#isStarted(dueMs)) return this.#nextLook(schedule);
    const active = this.#active;
    if (spec.concurrencyPolicy === 'Forbid' && active.length > 0) {
      const message = 'Not starting job because prior execution is running and concurrency policy is Forbid';
      this.#event('Normal', 'JobAlreadyActive', message);
      return this.#nextLook(schedule);
    }
    if (spec.concurrencyPolicy === 'Replace') await this.#replace(active);
    return (await this.#createJob(dueMs)) ? this.#nextLook(schedule) : undefined;
  }

  #schedule(): Schedule | undefined {
    const { schedule, timeZone } = this.#cronJob.spec;
    if (schedule.includes('TZ')) {
      const message =
        `CRON_TZ or TZ used in schedule ${JSON.stringify(schedule)} is not officially supported, see ` +
        'https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details';
      this.#event('Warning', 'UnsupportedSchedule', message);
    }
    try {
      return parseSchedule(schedule, timeZone);
    } catch (error) {
      const message = `unparseable schedule: ${JSON.stringify(schedule)} : ${messageOf(error)}`;
      this.#event('Warning', 'UnparseableSchedule', message);
      return undefined;
    }
  }

  #missed(schedule: Schedule, notBeforeMs?: WallTimeMs): Missed {
    const { metadata } = this.#cronJob;
    const lastMs = parseTimestamp(this.#status.lastScheduleTime ?? metadata.creationTimestamp);
    return missedTimes(schedule, Math.max(lastMs, notBeforeMs ?? lastMs), this.#nowMs);
  }

  /** The last time that has come, not looking back further than the deadline allows. */
  #dueTime(schedule: Schedule): WallTimeMs | 'never' | undefined {
    const { startingDeadlineSeconds: deadline, schedule: text } = this.#cronJob.spec;
    try {
      const since = deadline === undefined ? undefined : this.#nowMs - deadline * 1000;
      const { lastMs, count } = this.#missed(schedule, since);
      if (lastMs !== undefined && count > MANY_MISSED) {
        const message =
          'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew';
        this.#event('Warning', 'TooManyMissedTimes', message);
      }
      return lastMs;
    } catch (error) {
      this.#event('Warning', 'InvalidSchedule', `invalid schedule: ${text} : ${messageOf(error)}`);
      return 'never';
    }
  }

  #nextLook(schedule: Schedule): ReconcileResult | undefined {
    const { sinceMs, lastMs, count } = this.#missed(schedule);
    const fromMs = lastMs ?? (count === 0 ? sinceMs : this.#nowMs);
    const next = schedule.next(fromMs);
    return next === undefined ? undefined : { requeueAfterMs: next + SLACK_MS - this.#nowMs };
  }

  #isTooLate(dueMs: WallTimeMs): boolean {
    const { startingDeadlineSeconds: deadline } = this.#cronJob.spec;
    if (deadline === undefined || dueMs + deadline * 1000 >= this.#nowMs) return false;
    const message = `Missed scheduled time to start a job: ${formatRfc1123(dueMs)}`;
    this.#event('Warning', 'MissSchedule', message);
    return true;
  }

  #isStarted(dueMs: WallTimeMs): boolean {
    const { lastScheduleTime } = this.#status;
    const name = this.#jobName(dueMs);
    if (lastScheduleTime !== undefined && parseTimestamp(lastScheduleTime) === dueMs) return true;
    return this.#active.some((reference) => reference.name === name);
  }

  async #replace(active: readonly coreV1.ObjectReference[]): Promise<void> {
    for (const { name = '', namespace = '' } of active) {
      const job = await this.#context.client.resource(resources.jobs, namespace).get(name);
      if (!(await this.#deleteJob(job))) throw new Error(`could not replace job ${namespace}/${name}`);
    }
  }

  /** The same for the same time: nobody starts it twice. */
  #jobName(dueMs: WallTimeMs): string {
    return `${this.#cronJob.metadata.name}-${Math.floor(dueMs / 60_000)}`;
  }

  #jobFor(dueMs: WallTimeMs): Draft<Job> {
    const { metadata, spec } = this.#cronJob;
    const { labels, annotations } = spec.jobTemplate.metadata ?? {};
    return {
      metadata: {
        name: this.#jobName(dueMs),
        namespace: metadata.namespace,
        ...(labels === undefined ? {} : { labels }),
        annotations: { ...annotations, [SCHEDULED_AT]: formatInZone(dueMs, spec.timeZone) },
        ownerReferences: [controllerReference(this.#cronJob)],
      },
      // Templates are validated; one without a spec is refused by the API server.
      spec: spec.jobTemplate.spec ?? { template: {} },
    };
  }

  /** False when somebody else made it and keeps the status. */
  async #createJob(dueMs: WallTimeMs): Promise<boolean> {
    const draft = this.#jobFor(dueMs);
    const { name = '', namespace = '' } = draft.metadata;
    const jobs = this.#context.client.resource(resources.jobs, namespace);
    let job: Job;
    try {
      job = await jobs.create(draft);
      this.#event('Normal', 'SuccessfulCreate', `Created job ${name}`);
    } catch (error) {
      if (!isAlreadyExists(error)) {
        if (!isNamespaceTerminating(error))
          this.#event('Warning', 'FailedCreate', `Error creating job: ${messageOf(error)}`);
        throw error;
      }
      job = await jobs.get(name);
      if (!isControlledBy(job, this.#cronJob) || this.#isActive(job.metadata.uid)) return false;
    }
    const { apiVersion, kind, metadata } = job;
    const { uid, resourceVersion } = metadata;
    const reference = { apiVersion, kind, namespace, name, uid, resourceVersion };
    this.#status = {
      ...this.#status,
      active: [...this.#active, reference],
      lastScheduleTime: formatTime(dueMs),
    };
    return true;
  }
}

/** Those that never began last. */
function byStart(a: Job, b: Job): number {
  const start = ({ status, metadata }: Job): string => `${status.startTime ?? '~'} ${metadata.name}`;
  return start(a) < start(b) ? -1 : 1;
}
