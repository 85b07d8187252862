/**
 * The scheduler's picture of the cluster: nodes with the pods on them.
 *
 * A pod that was just given a node is *assumed* there before the API server has heard of it, so that the next pod
 * does not take the same room. The informer later confirms the assumption; a failed binding forgets it.
 */
import type { coreV1 } from '#api';
import type { Snapshot } from './framework.ts';
import { NodeInfo } from './node-info.ts';

/** Finished pods hold no resources. */
const isFinished = (pod: coreV1.Pod): boolean =>
  pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed';

export class SchedulerCache implements Snapshot {
  readonly #nodes = new Map<string, NodeInfo>();
  /** uid → node, for every pod counted on a node, assumed or confirmed. */
  readonly #placements = new Map<string, string>();
  /** Pods bound to a node that is not known (yet): counted when it comes. */
  readonly #homeless = new Map<string, coreV1.Pod>();
  readonly #assumed = new Set<string>();
  #ordered: readonly NodeInfo[] | undefined;

  get nodes(): readonly NodeInfo[] {
    this.#ordered ??= [...this.#nodes.values()];
    return this.#ordered;
  }

  get(name: string): NodeInfo | undefined {
    return this.#nodes.get(name);
  }

  setNode(node: coreV1.Node): void {
    const known = this.#nodes.get(node.metadata.name);
    if (known !== undefined) {
      known.setNode(node);
      return;
    }
    const info = new NodeInfo(node);
    this.#nodes.set(node.metadata.name, info);
    this.#ordered = undefined;
    for (const [uid, pod] of this.#homeless) {
      if (pod.spec.nodeName !== info.name) continue;
      this.#homeless.delete(uid);
      this.#place(pod, info);
    }
  }

  removeNode(name: string): void {
    const info = this.#nodes.get(name);
    if (info === undefined) return;
    this.#nodes.delete(name);
    this.#ordered = undefined;
    for (const pod of info.pods) {
      this.#placements.delete(pod.metadata.uid);
      this.#homeless.set(pod.metadata.uid, pod);
    }
  }

  /** A pod with a node, as the API server has it. Confirms an assumption. */
  setPod(pod: coreV1.Pod): void {
    this.#assumed.delete(pod.metadata.uid);
    if (isFinished(pod)) {
      this.removePod(pod.metadata.uid);
      return;
    }
    const node = this.#nodes.get(pod.spec.nodeName ?? '');
    this.#unplace(pod.metadata.uid);
    if (node === undefined) this.#homeless.set(pod.metadata.uid, pod);
    else this.#place(pod, node);
  }

  removePod(uid: string): void {
    this.#assumed.delete(uid);
    this.#homeless.delete(uid);
    this.#unplace(uid);
  }

  assume(pod: coreV1.Pod, nodeName: string): void {
    const node = this.#nodes.get(nodeName);
    if (node === undefined) return;
    this.#assumed.add(pod.metadata.uid);
    this.#place(pod, node);
  }

  /** The binding failed: the room is free again, unless the API server has confirmed it meanwhile. */
  forget(uid: string): void {
    if (!this.#assumed.delete(uid)) return;
    this.#unplace(uid);
  }

  isAssumed(uid: string): boolean {
    return this.#assumed.has(uid);
  }

  #place(pod: coreV1.Pod, node: NodeInfo): void {
    node.addPod(pod);
    this.#placements.set(pod.metadata.uid, node.name);
  }

  #unplace(uid: string): void {
    const nodeName = this.#placements.get(uid);
    if (nodeName === undefined) return;
    this.#placements.delete(uid);
    this.#nodes.get(nodeName)?.removePod(uid);
  }
}
