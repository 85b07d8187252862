import {
  type Client,
  createEventRecorder,
  createWorkQueue,
  type InformerFactory,
  type WorkQueue,
} from '#client';
import { isConflict, isNamespaceTerminating } from '#machinery';
import type { Clock, Logger, Random } from '#platform';
import type { Controller, ControllerLoop } from './controller.ts';

export interface ControllerHost {
  /** The client a controller acts with, by its service account in kube-system: each has its own. */
  readonly clientFor: (identity: string) => Client;
  /** Shared by all; started by the caller. */
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface RunningControllers {
  /** Resolves when every controller has its caches and works. */
  readonly ready: Promise<void>;
  /** Resolves when nothing runs any more. */
  stop(): Promise<void>;
}

/** A failing key is logged loudly after this many tries; before, it is mostly a race that the next try wins. */
const TRIES_BEFORE_WARNING = 3;

export function runControllers(controllers: readonly Controller[], host: ControllerHost): RunningControllers {
  const stopped = new AbortController();
  const running = controllers.map((controller) => runController(controller, host, stopped.signal));
  const ready = Promise.all(running.map((one) => one.ready)).then(() => undefined);
  ready.catch(() => undefined);
  return {
    ready,
    async stop() {
      stopped.abort(new Error('controllers stopped'));
      await Promise.all(running.map((one) => one.finished));
    },
  };
}

interface RunningController {
  readonly ready: Promise<void>;
  readonly finished: Promise<void>;
}

function runController(controller: Controller, host: ControllerHost, signal: AbortSignal): RunningController {
  const { clock, random, informers } = host;
  const logger = host.logger.child({ controller: controller.name });
  const client = host.clientFor(controller.identity ?? controller.name);
  const queue = createWorkQueue({ clock, name: controller.name });
  const events = createEventRecorder({ client, component: controller.name, clock, random, logger });
  const loop = controller.setup({ client, informers, events, queue, clock, random, logger });
  const ready = Promise.all(loop.informers.map((informer) => informer.synced({ signal }))).then(
    () => undefined,
  );
  const work = async (): Promise<void> => {
    await ready;
    const workers = Array.from({ length: controller.workers }, () => runWorker(loop, queue, logger, signal));
    const background = loop.background?.({ signal }) ?? Promise.resolve();
    await Promise.all([
      ...workers,
      background.catch((error: unknown) => reportUnlessStopped(error, logger, signal)),
    ]);
  };
  const finished = work()
    .catch((error: unknown) => reportUnlessStopped(error, logger, signal))
    .finally(() => {
      queue.shutDown();
      events.stop();
      loop.stop?.();
    });
  return { ready, finished };
}

function reportUnlessStopped(error: unknown, logger: Logger, signal: AbortSignal): void {
  if (!signal.aborted) logger.error({ err: error }, 'controller ended');
}

async function runWorker(
  loop: ControllerLoop,
  queue: WorkQueue,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const key = await nextKey(queue, signal);
    if (key === undefined) return;
    try {
      const result = await loop.reconcile(key, { signal });
      queue.forget(key);
      if (result !== undefined) queue.addAfter(key, result.requeueAfterMs);
    } catch (error) {
      if (signal.aborted) return;
      const expected = isConflict(error) || isNamespaceTerminating(error);
      const loud = !expected && queue.retries(key) >= TRIES_BEFORE_WARNING;
      logger[loud ? 'warn' : 'debug']({ err: error, key }, 'reconcile failed, trying again');
      queue.addRateLimited(key);
    } finally {
      queue.done(key);
    }
  }
}

async function nextKey(queue: WorkQueue, signal: AbortSignal): Promise<string | undefined> {
  try {
    return await queue.get({ signal });
  } catch {
    return undefined;
  }
}
