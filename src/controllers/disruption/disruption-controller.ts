import type { coreV1, policyV1 } from '#api';
import { type Informer, objectKey, resources } from '#client';
import {
  compileLabelSelector,
  formatLabelSelector,
  isConflict,
  parseTimestamp,
  requirementsOf,
} from '#machinery';
import { formatTime } from '#platform';
import { type ControllerContext, defineController, type ReconcileResult } from '../frame/controller.ts';
import { patchPodCondition } from '../frame/pod-conditions.ts';
import { messageOf } from '../frame/pod-control.ts';
import { isFinished, isTerminating, podCondition } from '../frame/pods.ts';
import {
  budgetStatus,
  countHealthy,
  desiredHealthy,
  disruptedPods,
  failedStatus,
  needsScale,
} from './budget-status.ts';
import { ScaleFinder } from './expected-scale.ts';

type Budget = policyV1.PodDisruptionBudget;
type Pod = coreV1.Pod;

const WORKERS = 1;
/** Marks keys of pods; names have no colon. */
const POD = 'pod:';
/** A pod that was to be disrupted and is not deleted by then will not be. */
const STALE_CONDITION_MS = 120_000;
const UNMANAGED_ADVICE =
  'As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. ' +
  'To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.';

/** Keeps the status by which evictions are granted. */
export const disruptionController = defineController({
  name: 'controllermanager',
  identity: 'disruption-controller',
  workers: WORKERS,
  setup(context) {
    const loop = new DisruptionLoop(context);
    return {
      informers: [loop.budgets, loop.pods, ...loop.scales.informers],
      reconcile: (key) => loop.reconcile(key),
      stop: () => loop.stop(),
    };
  },
});

class DisruptionLoop {
  readonly budgets: Informer<Budget>;
  readonly pods: Informer<Pod>;
  readonly scales: ScaleFinder;
  readonly #context: ControllerContext;
  readonly #removeHandlers: readonly (() => void)[];

  constructor(context: ControllerContext) {
    this.#context = context;
    const { informers, queue, client } = context;
    this.budgets = informers.for(resources.podDisruptionBudgets);
    this.pods = informers.for(resources.pods);
    this.scales = new ScaleFinder(client, informers);
    const enqueue = (budget: Budget): void => queue.add(objectKey(budget));
    const onPod = (pod: Pod): void => this.#onPod(pod);
    this.#removeHandlers = [
      this.budgets.addHandler({ onAdd: enqueue, onUpdate: enqueue }),
      this.pods.addHandler({
        onAdd: onPod,
        onUpdate: (pod, old) => {
          if (pod.metadata.labels !== old.metadata.labels) this.#enqueueFor(old);
          onPod(pod);
        },
        onDelete: (pod) => this.#enqueueFor(pod),
      }),
    ];
  }

  stop(): void {
    for (const remove of this.#removeHandlers) remove();
  }

  async reconcile(key: string): Promise<ReconcileResult | undefined> {
    if (key.startsWith(POD)) return this.#forgetDisruption(key.slice(POD.length));
    const budget = this.budgets.get(key);
    if (budget === undefined) return undefined;
    try {
      return await this.#sync(budget);
    } catch (error) {
      if (isConflict(error)) throw error;
      const status = failedStatus(budget, messageOf(error), this.#context.clock.now());
      await this.#write(budget, status);
      return undefined;
    }
  }

  async #sync(budget: Budget): Promise<ReconcileResult | undefined> {
    const { clock, events } = this.#context;
    const matches = compileLabelSelector(budget.spec.selector);
    const pods = this.pods.list(budget.metadata.namespace).filter(({ metadata }) => matches(metadata.labels));
    if (pods.length === 0) events.event(budget, 'Normal', 'NoPods', 'No matching pods found');
    const expected = await this.#expected(budget, pods);
    const desired = desiredHealthy(budget, expected);
    const now = clock.now();
    const { pending, overdue, nextMs } = disruptedPods(budget, pods, now);
    for (const pod of overdue) {
      const { namespace, name } = budget.metadata;
      const message = `Pod was expected by PDB ${namespace}/${name} to be deleted but it wasn't`;
      events.event(pod, 'Warning', 'NotDeleted', message);
    }
    const counts = { expected, desired, healthy: countHealthy(pods, pending), pending };
    await this.#write(budget, budgetStatus(budget, counts, now));
    return nextMs === undefined ? undefined : { requeueAfterMs: nextMs - now + 1 };
  }

  async #expected(budget: Budget, pods: readonly Pod[]): Promise<number> {
    if (!needsScale(budget)) return pods.length;
    const { events } = this.#context;
    try {
      const { count, unmanaged } = await this.scales.expected(pods);
      if (unmanaged.length > 0) {
        const selector = formatLabelSelector({ requirements: requirementsOf(budget.spec.selector ?? {}) });
        const message =
          `Pods selected by this PodDisruptionBudget (selector: ${selector}) were found to be unmanaged. ` +
          UNMANAGED_ADVICE;
        events.event(budget, 'Warning', 'UnmanagedPods', message);
      }
      return count;
    } catch (error) {
      const message = `Failed to calculate the number of expected pods: ${messageOf(error)}`;
      events.event(budget, 'Warning', 'CalculateExpectedPodCountFailed', message);
      throw error;
    }
  }

  async #write(budget: Budget, status: Budget['status']): Promise<void> {
    if (status === budget.status) return;
    await this.#context.client.resource(resources.podDisruptionBudgets).updateStatus({ ...budget, status });
  }

  #onPod(pod: Pod): void {
    this.#enqueueFor(pod);
    const left = this.#msToForget(pod);
    if (left !== undefined) this.#context.queue.addAfter(POD + objectKey(pod), left);
  }

  #enqueueFor({ metadata }: Pod): void {
    for (const budget of this.budgets.list(metadata.namespace))
      if (compileLabelSelector(budget.spec.selector)(metadata.labels))
        this.#context.queue.add(objectKey(budget));
  }

  /** Until an announced disruption of the pod counts as called off; undefined when none is announced. */
  #msToForget(pod: Pod): number | undefined {
    const condition = podCondition(pod, 'DisruptionTarget');
    if (condition?.status !== 'True' || condition.lastTransitionTime === undefined) return undefined;
    // The kubelet's own may take as long as they like.
    if (isTerminating(pod) || isFinished(pod) || condition.reason === 'TerminationByKubelet')
      return undefined;
    const sinceMs = parseTimestamp(condition.lastTransitionTime);
    return Math.max(0, sinceMs + STALE_CONDITION_MS - this.#context.clock.now());
  }

  async #forgetDisruption(podKey: string): Promise<ReconcileResult | undefined> {
    const pod = this.pods.get(podKey);
    const left = pod === undefined ? undefined : this.#msToForget(pod);
    if (pod === undefined || left === undefined) return undefined;
    if (left > 0) return { requeueAfterMs: left };
    const { client, clock } = this.#context;
    const condition = { type: 'DisruptionTarget', status: 'False', reason: '', message: '' };
    await patchPodCondition(client, pod, condition, { now: formatTime(clock.now()) });
    return undefined;
  }
}
