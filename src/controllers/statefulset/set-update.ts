/**
 * One step of a StatefulSet towards what it should be. By default strictly in order: a pod is created when all before
 * it are available, deleted when all after it are gone, and replaced from the last to the first. With the Parallel
 * policy creation and deletion wait for nobody; replacing does.
 */
import type { appsV1, coreV1, Draft } from '#api';
import type { WallTimeMs } from '#platform';
import { isAvailable, isFinished, isReady, isTerminating } from '../frame/pods.ts';
import { type Revision, templateOf } from '../frame/revisions.ts';
import { firstOrdinal, isInRange, newPod, ordinalOf, podName, replicasOf, revisionOf } from './identity.ts';
import { claimPodOf, type StatefulPods } from './stateful-pods.ts';

type StatefulSet = appsV1.StatefulSet;
type Pod = coreV1.Pod;

export interface SetUpdateOptions {
  readonly set: StatefulSet;
  readonly pods: readonly Pod[];
  /** What pods below the partition are made from, and what all others are to be. */
  readonly currentRevision: Revision;
  readonly updateRevision: Revision;
  readonly statefulPods: StatefulPods;
  readonly nowMs: WallTimeMs;
}

interface Replica {
  readonly ordinal: number;
  readonly pod: Pod | undefined;
}

export class SetUpdate {
  readonly #options: SetUpdateOptions;
  readonly #inOrder: boolean;
  readonly #replicas: readonly Replica[];
  /** Beyond the wanted ordinals, highest first. */
  readonly #condemned: readonly Pod[];
  #deletedForUpdate = 0;

  constructor(options: SetUpdateOptions) {
    const { set, pods } = options;
    this.#options = options;
    this.#inOrder = set.spec.podManagementPolicy !== 'Parallel';
    const byOrdinal = new Map(pods.map((pod) => [ordinalOf(pod), pod]));
    const first = firstOrdinal(set);
    this.#replicas = Array.from({ length: replicasOf(set) }, (_, at) => ({
      ordinal: first + at,
      pod: byOrdinal.get(first + at),
    }));
    this.#condemned = pods
      .filter((pod) => ordinalOf(pod) >= 0 && !isInRange(set, ordinalOf(pod)))
      .toSorted((a, b) => ordinalOf(b) - ordinalOf(a));
  }

  /** Old pods that were told to go; they no longer count as current. */
  get deletedForUpdate(): number {
    return this.#deletedForUpdate;
  }

  /** Does what can be done now; what it waits for brings the next reconcile. */
  async run(): Promise<void> {
    const { set, statefulPods } = this.#options;
    if (await this.#each(this.#replicas, (replica) => this.#keepReplica(replica))) return;
    await Promise.all(
      this.#condemned.map((pod) => statefulPods.keepClaims(set, claimPodOf(set, pod), ordinalOf(pod))),
    );
    if (await this.#each(this.#condemned, (pod) => this.#scaleDown(pod))) return;
    if (set.spec.updateStrategy?.type !== 'OnDelete') await this.#replaceNext();
  }

  /** In order: until one has to be waited for. Otherwise all at once. True: that is all for now. */
  async #each<T>(items: readonly T[], step: (item: T) => Promise<boolean>): Promise<boolean> {
    if (this.#inOrder) {
      for (const item of items) if (await step(item)) return true;
      return false;
    }
    const results = await Promise.allSettled(items.map(step));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return false;
  }

  async #keepReplica({ ordinal, pod }: Replica): Promise<boolean> {
    const { set, statefulPods } = this.#options;
    if (pod === undefined) {
      const name = podName(set, ordinal);
      if (statefulPods.mustWaitForClaims(set, ordinal, name)) return true;
      await statefulPods.create(set, this.#newPod(ordinal));
      return true;
    }
    if (isFinished(pod)) {
      // It is made anew, whatever it ended with, when it is gone.
      if (!isTerminating(pod)) await statefulPods.delete(set, pod);
      return true;
    }
    if (pod.status.phase === 'Pending') {
      await statefulPods.createClaims(set, ordinal, pod.metadata.name);
      await statefulPods.keepClaims(set, claimPodOf(set, pod), ordinal);
    }
    if (this.#inOrder && !this.#isAvailable(pod)) return true;
    await statefulPods.repair(set, pod);
    return false;
  }

  async #scaleDown(pod: Pod): Promise<boolean> {
    const { set, statefulPods } = this.#options;
    if (isTerminating(pod)) return this.#inOrder;
    // An ailing pod may go, but only if it is the first of all that ail: the others may depend on it.
    if (this.#inOrder && !this.#isAvailable(pod) && pod !== this.#firstUnavailable()) return true;
    await statefulPods.delete(set, pod);
    return true;
  }

  async #replaceNext(): Promise<void> {
    const { set, statefulPods, updateRevision } = this.#options;
    const partition = set.spec.updateStrategy?.rollingUpdate?.partition ?? 0;
    for (const { pod } of this.#replicas.slice(partition).toReversed()) {
      if (pod === undefined) return;
      if (revisionOf(pod) !== updateRevision.metadata.name && !isTerminating(pod)) {
        await statefulPods.delete(set, pod);
        this.#deletedForUpdate++;
        return;
      }
      if (!this.#isAvailable(pod)) return;
    }
  }

  #newPod(ordinal: number): Draft<Pod> {
    const { set, currentRevision, updateRevision } = this.#options;
    const { type, rollingUpdate } = set.spec.updateStrategy ?? {};
    const first = firstOrdinal(set);
    const keepsCurrent =
      rollingUpdate === undefined
        ? type === 'RollingUpdate' && ordinal < first + (set.status.currentReplicas ?? 0)
        : ordinal < first + (rollingUpdate.partition ?? 0);
    const revision = keepsCurrent ? currentRevision : updateRevision;
    return newPod(set, ordinal, templateOf(revision) ?? set.spec.template, revision.metadata.name);
  }

  #firstUnavailable(): Pod | undefined {
    const existing = this.#replicas.map(({ pod }) => pod).filter((pod) => pod !== undefined);
    return [...existing, ...this.#condemned.toReversed()].find((pod) => !this.#isAvailable(pod));
  }

  #isAvailable(pod: Pod): boolean {
    const { set, nowMs } = this.#options;
    return (
      !isTerminating(pod) &&
      pod.status.phase === 'Running' &&
      isAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs)
    );
  }
}

/** The counts of a status over the pods as they were found. */
export function setStatus(
  { set, pods, currentRevision, updateRevision, nowMs }: SetUpdateOptions,
  collisionCount: number | undefined,
  deletedForUpdate: number,
): appsV1.StatefulSetStatus {
  const ready = pods.filter((pod) => pod.status.phase === 'Running' && isReady(pod));
  const minReadySeconds = set.spec.minReadySeconds ?? 0;
  const live = pods.filter((pod) => !isTerminating(pod));
  const ofRevision = ({ metadata }: Revision): number =>
    live.filter((pod) => revisionOf(pod) === metadata.name).length;
  const updated = ofRevision(updateRevision);
  const wanted = replicasOf(set);
  const isComplete =
    set.spec.updateStrategy?.type !== 'OnDelete' &&
    updated === wanted &&
    ready.length === wanted &&
    pods.length === wanted;
  const current = isComplete ? updated : ofRevision(currentRevision) - deletedForUpdate;
  const { generation } = set.metadata;
  const { conditions } = set.status;
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    replicas: pods.length,
    ...(ready.length === 0 ? {} : { readyReplicas: ready.length }),
    ...(current === 0 ? {} : { currentReplicas: current }),
    ...(updated === 0 ? {} : { updatedReplicas: updated }),
    currentRevision: isComplete ? updateRevision.metadata.name : currentRevision.metadata.name,
    updateRevision: updateRevision.metadata.name,
    collisionCount: collisionCount ?? 0,
    ...(conditions === undefined ? {} : { conditions }),
    availableReplicas: ready.filter((pod) => isAvailable(pod, minReadySeconds, nowMs)).length,
  };
}
