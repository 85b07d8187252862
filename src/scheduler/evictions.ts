/** Carries out what preemption decided: tells the victims why, and deletes them. */
import type { coreV1 } from '#api';
import { type Client, resources } from '#client';
import { isConflict, isNotFound } from '#machinery';
import type { PodEventSink } from './pod-event-sink.ts';
import { isTerminating } from './pod-state.ts';
import type { PodStatusWriter } from './pod-status.ts';

export interface EvictionsOptions {
  readonly client: Client;
  readonly events: PodEventSink;
  readonly status: PodStatusWriter;
  readonly schedulerName: string;
}

export class Evictions {
  readonly #options: EvictionsOptions;
  readonly #underWay = new Set<string>();

  constructor(options: EvictionsOptions) {
    this.#options = options;
  }

  /** Until its victims are told to go, a preemptor must not look for more of them. */
  isUnderWay(preemptorUid: string): boolean {
    return this.#underWay.has(preemptorUid);
  }

  /** Rejects with the first error, after all of them were tried. */
  async evict(preemptor: coreV1.Pod, nodeName: string, victims: readonly coreV1.Pod[]): Promise<void> {
    const { uid } = preemptor.metadata;
    const staying = victims.filter((victim) => !isTerminating(victim));
    if (staying.length === 0) return;
    this.#underWay.add(uid);
    try {
      const results = await Promise.allSettled(
        staying.map((victim) => this.#evictOne(victim, `Preempted by pod ${uid} on node ${nodeName}`)),
      );
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    } finally {
      this.#underWay.delete(uid);
    }
  }

  async #evictOne(victim: coreV1.Pod, message: string): Promise<void> {
    const { client, events, status, schedulerName } = this.#options;
    const { name, namespace = '', uid } = victim.metadata;
    await status.markPreempted(victim, schedulerName);
    try {
      await client.resource(resources.pods, namespace).delete(name, { preconditions: { uid } });
    } catch (error) {
      // Gone already, or another pod of that name has come.
      if (isNotFound(error) || isConflict(error)) return;
      throw error;
    }
    events.event(victim, 'Normal', 'Preempted', message, 'Preempting');
  }
}
