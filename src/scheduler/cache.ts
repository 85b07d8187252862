/**
 * The scheduler's picture of the cluster: nodes with the pods on them.
 *
 * A pod that was just given a node is *assumed* there before the API server has heard of it, so that the next pod
 * does not take the same room. The informer later confirms the assumption; a failed binding forgets it.
 */
import type { coreV1 } from '#api';
import { deepEqual } from '#machinery';
import type { Snapshot } from './framework.ts';
import { NodeInfo } from './node-info.ts';
import { isFinished } from './pod-state.ts';

export class SchedulerCache implements Snapshot {
  readonly #nodes = new Map<string, NodeInfo>();
  /** uid → node, for every pod counted on a node, assumed or confirmed. */
  readonly #placements = new Map<string, NodeInfo>();
  /** Pods bound to a node that is not known (yet): counted when it comes. */
  readonly #homeless = new Map<string, coreV1.Pod>();
  readonly #assumed = new Set<string>();
  readonly #imageCounts = new Map<string, number>();
  readonly nodesWithAffinity = new Set<NodeInfo>();
  readonly nodesWithRequiredAntiAffinity = new Set<NodeInfo>();
  #ordered: readonly NodeInfo[] | undefined;

  get nodes(): readonly NodeInfo[] {
    this.#ordered ??= [...this.#nodes.values()];
    return this.#ordered;
  }

  get(name: string): NodeInfo | undefined {
    return this.#nodes.get(name);
  }

  nodesWithImage(name: string): number {
    return this.#imageCounts.get(name) ?? 0;
  }

  setNode(node: coreV1.Node): void {
    const known = this.#nodes.get(node.metadata.name);
    if (known !== undefined) {
      if (!deepEqual(known.node.status.images, node.status.images)) {
        this.#countImages(known.node, -1);
        this.#countImages(node, 1);
      }
      known.setNode(node);
      return;
    }
    const info = new NodeInfo(node);
    this.#nodes.set(node.metadata.name, info);
    this.#ordered = undefined;
    this.#countImages(node, 1);
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
    this.#countImages(info.node, -1);
    for (const { pod } of info.pods) {
      this.#placements.delete(pod.metadata.uid);
      this.#homeless.set(pod.metadata.uid, pod);
    }
    this.nodesWithAffinity.delete(info);
    this.nodesWithRequiredAntiAffinity.delete(info);
  }

  /** A pod with a node, as the API server has it. Confirms an assumption. */
  setPod(pod: coreV1.Pod): void {
    const { uid } = pod.metadata;
    if (isFinished(pod)) {
      this.removePod(uid);
      return;
    }
    this.#assumed.delete(uid);
    this.#homeless.delete(uid);
    const node = this.#nodes.get(pod.spec.nodeName ?? '');
    if (node !== this.#placements.get(uid)) this.#unplace(uid);
    if (node === undefined) this.#homeless.set(uid, pod);
    else this.#place(pod, node);
  }

  removePod(uid: string): void {
    this.#assumed.delete(uid);
    this.#homeless.delete(uid);
    this.#unplace(uid);
  }

  /** `pod.spec.nodeName` names the node. */
  assume(pod: coreV1.Pod): void {
    const node = this.#nodes.get(pod.spec.nodeName ?? '');
    if (node === undefined) return;
    this.#assumed.add(pod.metadata.uid);
    this.#place(pod, node);
  }

  /** The binding failed: the room is free again, unless the API server has confirmed it meanwhile. */
  forget(uid: string): void {
    if (this.#assumed.has(uid)) this.removePod(uid);
  }

  isAssumed(uid: string): boolean {
    return this.#assumed.has(uid);
  }

  #place(pod: coreV1.Pod, node: NodeInfo): void {
    node.addPod(pod);
    this.#placements.set(pod.metadata.uid, node);
    this.#noteAffinity(node);
  }

  #unplace(uid: string): void {
    const node = this.#placements.get(uid);
    if (node === undefined) return;
    this.#placements.delete(uid);
    node.removePod(uid);
    this.#noteAffinity(node);
  }

  #noteAffinity(node: NodeInfo): void {
    if (node.hasAffinity) this.nodesWithAffinity.add(node);
    else this.nodesWithAffinity.delete(node);
    if (node.hasRequiredAntiAffinity) this.nodesWithRequiredAntiAffinity.add(node);
    else this.nodesWithRequiredAntiAffinity.delete(node);
  }

  #countImages(node: coreV1.Node, change: 1 | -1): void {
    for (const image of node.status.images ?? []) {
      for (const name of image.names) {
        const count = (this.#imageCounts.get(name) ?? 0) + change;
        if (count === 0) this.#imageCounts.delete(name);
        else this.#imageCounts.set(name, count);
      }
    }
  }
}
