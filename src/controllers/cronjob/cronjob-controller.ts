import type { batchV1 } from '#api';
import { type Informer, objectKey, resources } from '#client';
import { type ControllerContext, defineController, type ReconcileResult } from '../frame/controller.ts';
import { controlledBy, indexByController } from '../frame/indexes.ts';
import { watchOwned } from '../frame/owned-objects.ts';
import { CronRun } from './cron-run.ts';

const WORKERS = 5;

/** Makes a Job whenever its time has come. */
export const cronJobController = defineController({
  name: 'cronjob-controller',
  workers: WORKERS,
  setup(context) {
    const loop = new CronJobLoop(context);
    return {
      informers: [loop.cronJobs, loop.jobs],
      reconcile: (key) => loop.reconcile(key),
      stop: () => loop.stop(),
    };
  },
});

class CronJobLoop {
  readonly cronJobs: Informer<batchV1.CronJob>;
  readonly jobs: Informer<batchV1.Job>;
  readonly #context: ControllerContext;
  readonly #removeHandlers: readonly (() => void)[];

  constructor(context: ControllerContext) {
    this.#context = context;
    const { informers, queue } = context;
    this.cronJobs = informers.for(resources.cronJobs);
    this.jobs = informers.for(resources.jobs);
    indexByController(this.jobs);
    const enqueue = (cronJob: batchV1.CronJob): void => queue.add(objectKey(cronJob));
    this.#removeHandlers = [
      this.cronJobs.addHandler({ onAdd: enqueue, onUpdate: enqueue }),
      watchOwned({
        owned: this.jobs,
        ownerKind: 'CronJob',
        owners: this.cronJobs,
        enqueue: (key) => queue.add(key),
      }),
    ];
  }

  stop(): void {
    for (const remove of this.#removeHandlers) remove();
  }

  async reconcile(key: string): Promise<ReconcileResult | undefined> {
    const cronJob = this.cronJobs.get(key);
    if (cronJob === undefined) return undefined;
    const jobs = controlledBy(this.jobs, cronJob.metadata.uid);
    return new CronRun(this.#context, cronJob, jobs).run();
  }
}
