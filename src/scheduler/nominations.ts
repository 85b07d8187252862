/**
 * Pods that wait for their victims to leave a node. Room on that node is kept from pods that are less important,
 * since otherwise whoever is tried first would take what was just freed at others' expense.
 */
import type { coreV1 } from '#api';
import { priorityOf } from './pod-state.ts';

interface Nomination {
  readonly pod: coreV1.Pod;
  readonly nodeName: string;
}

const NONE: readonly coreV1.Pod[] = [];

/** Bounded by the pods of the cluster. */
export class Nominations {
  readonly #byPod = new Map<string, Nomination>();
  readonly #byNode = new Map<string, Set<string>>();

  /** '' takes the nomination away. */
  set(pod: coreV1.Pod, nodeName: string): void {
    const { uid } = pod.metadata;
    this.remove(uid);
    if (nodeName === '') return;
    this.#byPod.set(uid, { pod, nodeName });
    const uids = this.#byNode.get(nodeName);
    if (uids === undefined) this.#byNode.set(nodeName, new Set([uid]));
    else uids.add(uid);
  }

  remove(uid: string): void {
    const nomination = this.#byPod.get(uid);
    if (nomination === undefined) return;
    this.#byPod.delete(uid);
    const uids = this.#byNode.get(nomination.nodeName);
    uids?.delete(uid);
    if (uids?.size === 0) this.#byNode.delete(nomination.nodeName);
  }

  nodeOf(uid: string): string | undefined {
    return this.#byPod.get(uid)?.nodeName;
  }

  /** Pods nominated for the node that `pod` must leave room for. */
  ahead(nodeName: string, pod: coreV1.Pod): readonly coreV1.Pod[] {
    const { uid } = pod.metadata;
    return this.#select(
      nodeName,
      (other) => other.metadata.uid !== uid && priorityOf(other) >= priorityOf(pod),
    );
  }

  /** Pods nominated for the node that must give way to `pod`. */
  behind(nodeName: string, pod: coreV1.Pod): readonly coreV1.Pod[] {
    return this.#select(nodeName, (other) => priorityOf(other) < priorityOf(pod));
  }

  #select(nodeName: string, wanted: (pod: coreV1.Pod) => boolean): readonly coreV1.Pod[] {
    const uids = this.#byNode.get(nodeName);
    if (uids === undefined) return NONE;
    const selected: coreV1.Pod[] = [];
    for (const uid of uids) {
      const pod = this.#byPod.get(uid)?.pod;
      if (pod !== undefined && wanted(pod)) selected.push(pod);
    }
    return selected;
  }
}
