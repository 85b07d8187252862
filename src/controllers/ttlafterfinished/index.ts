import type { batchV1 } from '#api';
import { objectKey, resources } from '#client';
import { isNotFound, parseTimestamp } from '#machinery';
import { defineController } from '../frame/controller.ts';

const WORKERS = 5;

/** When the job ended, in epoch milliseconds; undefined while it has not. */
function finishedAtMs({ status }: batchV1.Job): number | undefined {
  const ended = status.conditions?.find(
    ({ type, status: value }) => (type === 'Complete' || type === 'Failed') && value === 'True',
  );
  return ended?.lastTransitionTime === undefined ? undefined : parseTimestamp(ended.lastTransitionTime);
}

/** Deletes jobs, and their pods with them, some time after they ended (`ttlSecondsAfterFinished`). */
export const ttlAfterFinishedController = defineController({
  name: 'ttl-after-finished-controller',
  workers: WORKERS,
  setup({ client, informers, queue, clock }) {
    const jobs = informers.for(resources.jobs);
    const expiresAtMs = (job: batchV1.Job): number | undefined => {
      const { ttlSecondsAfterFinished: ttl } = job.spec;
      const at = finishedAtMs(job);
      return ttl === undefined || at === undefined ? undefined : at + ttl * 1000;
    };
    const enqueue = (job: batchV1.Job): void => {
      if (job.metadata.deletionTimestamp === undefined && expiresAtMs(job) !== undefined)
        queue.add(objectKey(job));
    };
    const remove = jobs.addHandler({ onAdd: enqueue, onUpdate: enqueue });
    return {
      informers: [jobs],
      async reconcile(key) {
        const cached = jobs.get(key);
        if (cached === undefined || cached.metadata.deletionTimestamp !== undefined) return undefined;
        const dueMs = expiresAtMs(cached);
        if (dueMs === undefined) return undefined;
        const leftMs = dueMs - clock.now();
        if (leftMs > 0) return { requeueAfterMs: leftMs };
        const { name, namespace = '' } = cached.metadata;
        const live = client.resource(resources.jobs, namespace);
        try {
          // Someone may have lengthened its life since.
          const job = await live.get(name);
          const due = expiresAtMs(job);
          if (due === undefined || due > clock.now()) return undefined;
          const { uid, resourceVersion } = job.metadata;
          await live.delete(name, {
            propagationPolicy: 'Foreground',
            preconditions: { uid, resourceVersion },
          });
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
        return undefined;
      },
      stop: remove,
    };
  },
});
