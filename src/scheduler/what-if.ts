/** A node tried out with other pods on it than are there: filters and a copy of the node, changed and put back. */
import type { coreV1 } from '#api';
import type { NodeFilter, Rejection } from './framework.ts';
import type { NodeInfo } from './node-info.ts';

export class WhatIf {
  readonly node: NodeInfo;
  readonly #filters: readonly NodeFilter[];
  readonly #changes = new Map<string, { readonly pod: coreV1.Pod; readonly change: 1 | -1 }>();

  constructor(node: NodeInfo, filters: readonly NodeFilter[]) {
    this.node = node.clone();
    this.#filters = filters;
  }

  add(pod: coreV1.Pod): void {
    this.node.addPod(pod);
    this.#pretend(pod, 1);
  }

  remove(pod: coreV1.Pod): void {
    this.node.removePod(pod.metadata.uid);
    this.#pretend(pod, -1);
  }

  rejection(): Rejection | undefined {
    for (const filter of this.#filters) {
      const rejection = filter.check(this.node);
      if (rejection !== undefined) return rejection;
    }
    return undefined;
  }

  /** Must be called in the end: the filters go on to be asked about the world as it is. */
  undo(): void {
    for (const { pod, change } of this.#changes.values()) this.#pretend(pod, change === 1 ? -1 : 1);
  }

  #pretend(pod: coreV1.Pod, change: 1 | -1): void {
    for (const filter of this.#filters) filter.pretend?.(pod, this.node, change);
    const { uid } = pod.metadata;
    if (this.#changes.has(uid)) this.#changes.delete(uid);
    else this.#changes.set(uid, { pod, change });
  }
}
