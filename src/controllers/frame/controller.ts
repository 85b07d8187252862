/**
 * What every controller is made of: informers fill a queue with keys, workers take a key, read the newest state from
 * the caches, compare it with what is wanted, act, and try again later when something failed. Level, not edge: a
 * reconcile never asks which event brought it here.
 */
import type { Client, EventRecorder, Informer, InformerFactory, WorkQueue } from '#client';
import type { Clock, Logger, Random } from '#platform';

/** What the frame gives a controller. */
export interface ControllerContext {
  /** Speaks as this controller's own service account. */
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly events: EventRecorder;
  readonly queue: WorkQueue;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface ReconcileResult {
  /** Look again after this long, even when nothing changes. */
  readonly requeueAfterMs: number;
}

/** What a controller gives the frame. */
export interface ControllerLoop {
  /** Must be synced before the first reconcile. */
  readonly informers: readonly Pick<Informer<unknown>, 'synced'>[];
  /** Throwing means: again later, with growing pauses. Aborting `signal` means: stop soon. */
  reconcile(key: string, options: { readonly signal: AbortSignal }): Promise<ReconcileResult | undefined>;
  /** Runs beside the workers once the caches are filled: periodic looks that no event brings about. */
  background?(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Removes handlers. */
  stop?(): void;
}

export interface Controller {
  /** As its events are signed: `deployment-controller`. */
  readonly name: string;
  /** Its service account in kube-system, as upstream names it. Default: the name. */
  readonly identity?: string;
  /** Keys worked on at once. */
  readonly workers: number;
  setup(context: ControllerContext): ControllerLoop;
}

export function defineController(controller: Controller): Controller {
  return controller;
}
