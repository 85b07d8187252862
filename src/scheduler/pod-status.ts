/** What the scheduler writes into pods: why one waits, which node is held for it, why another must go. */
import type { coreV1 } from '#api';
import { type Client, resources } from '#client';
import { isNotFound } from '#machinery';
import { type Clock, formatTime } from '#platform';

const STRATEGIC = 'application/strategic-merge-patch+json';

export interface UnscheduledReport {
  readonly reason: 'Unschedulable' | 'SchedulerError';
  readonly message: string;
  /** '' takes an earlier nomination away; absent leaves it. */
  readonly nominatedNode?: string;
}

export class PodStatusWriter {
  readonly #client: Client;
  readonly #clock: Clock;

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Writes nothing when the pod says so already. */
  async reportUnscheduled(pod: coreV1.Pod, report: UnscheduledReport): Promise<void> {
    const { reason, message, nominatedNode } = report;
    const current = pod.status.nominatedNodeName ?? '';
    const nomination =
      nominatedNode === undefined || nominatedNode === current
        ? {}
        : { nominatedNodeName: nominatedNode === '' ? null : nominatedNode };
    const condition = this.#condition(pod, { type: 'PodScheduled', status: 'False', reason, message });
    if (condition === undefined && !('nominatedNodeName' in nomination)) return;
    await this.#patch(pod, {
      ...(condition === undefined ? {} : { conditions: [condition] }),
      ...nomination,
    });
  }

  async clearNomination(pod: coreV1.Pod): Promise<void> {
    await this.#patch(pod, { nominatedNodeName: null });
  }

  async markPreempted(pod: coreV1.Pod, schedulerName: string): Promise<void> {
    const condition = this.#condition(pod, {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: `${schedulerName}: preempting to accommodate a higher priority pod`,
    });
    if (condition !== undefined) await this.#patch(pod, { conditions: [condition] });
  }

  /** Undefined when the pod has it already. */
  #condition(
    pod: coreV1.Pod,
    wanted: Required<Pick<coreV1.PodCondition, 'type' | 'status' | 'reason' | 'message'>>,
  ): object | undefined {
    const known = pod.status.conditions?.find(({ type }) => type === wanted.type);
    const { status, reason, message } = wanted;
    if (known?.status === status && known.reason === reason && known.message === message) return undefined;
    return {
      ...wanted,
      observedGeneration: pod.metadata.generation,
      lastProbeTime: null,
      lastTransitionTime: known?.status === status ? known.lastTransitionTime : formatTime(this.#clock.now()),
    };
  }

  /** A pod that is gone needs no status. */
  async #patch({ metadata }: coreV1.Pod, status: object): Promise<void> {
    const patch = { metadata: { uid: metadata.uid }, status };
    try {
      await this.#client
        .resource(resources.pods, metadata.namespace ?? '')
        .patch(metadata.name, STRATEGIC, patch, { subresource: 'status' });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}
