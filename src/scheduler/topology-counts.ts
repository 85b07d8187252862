import type { NodeInfo } from './node-info.ts';

/** Numbers per value of node labels: how many pods, or how much weight, there is in each zone, on each host. */
export class TopologyCounts {
  readonly #byKey = new Map<string, Map<string, number>>();

  get isEmpty(): boolean {
    return this.#byKey.size === 0;
  }

  get keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  /** Nodes without the label belong nowhere. */
  add(node: NodeInfo, key: string, amount: number): void {
    const value = node.label(key);
    if (value === undefined) return;
    let counts = this.#byKey.get(key);
    if (counts === undefined) {
      counts = new Map();
      this.#byKey.set(key, counts);
    }
    const sum = (counts.get(value) ?? 0) + amount;
    if (sum === 0) counts.delete(value);
    else counts.set(value, sum);
    if (counts.size === 0) this.#byKey.delete(key);
  }

  at(node: NodeInfo, key: string): number {
    const counts = this.#byKey.get(key);
    if (counts === undefined) return 0;
    const value = node.label(key);
    return value === undefined ? 0 : (counts.get(value) ?? 0);
  }

  /** Over all keys. */
  sumAt(node: NodeInfo): number {
    let sum = 0;
    for (const key of this.#byKey.keys()) sum += this.at(node, key);
    return sum;
  }
}
