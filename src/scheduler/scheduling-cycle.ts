/**
 * One attempt to find a node for one pod: filter, score, choose. Pure and synchronous.
 */
import type { coreV1 } from '#api';
import type { Random } from '#platform';
import type { NodeFilter, SchedulerPlugin, Snapshot } from './framework.ts';
import type { NodeInfo } from './node-info.ts';

export type CycleResult =
  | { readonly node: NodeInfo }
  | { readonly node: undefined; readonly message: string; readonly rejectedBy: readonly string[] };

/** Below this many nodes all are looked at. */
const MIN_FEASIBLE_NODES = 100;
const MIN_PERCENTAGE = 5;

/** Enough feasible nodes to stop looking: all of a small cluster, a shrinking share of a large one. */
function feasibleNodesToFind(nodeCount: number): number {
  if (nodeCount < MIN_FEASIBLE_NODES) return nodeCount;
  const percentage = Math.max(MIN_PERCENTAGE, 50 - Math.floor(nodeCount / 125));
  return Math.max(MIN_FEASIBLE_NODES, Math.floor((nodeCount * percentage) / 100));
}

interface ActiveFilter {
  readonly plugin: string;
  readonly filter: NodeFilter;
}

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.` Reasons are sorted as text. */
function explain(nodeCount: number, reasons: ReadonlyMap<string, number>): string {
  if (nodeCount === 0) return 'no nodes available to schedule pods';
  const counted = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort();
  return `0/${nodeCount} nodes are available: ${counted.join(', ')}.`;
}

export class SchedulingCycle {
  readonly #plugins: readonly SchedulerPlugin[];
  readonly #random: Random;
  /** Where the next search begins, so that all nodes get their turn in a large cluster. */
  #start = 0;

  constructor(plugins: readonly SchedulerPlugin[], random: Random) {
    this.#plugins = plugins;
    this.#random = random;
  }

  findNode(pod: coreV1.Pod, snapshot: Snapshot): CycleResult {
    const filters: ActiveFilter[] = [];
    for (const plugin of this.#plugins) {
      const filter = plugin.filterFor?.(pod, snapshot);
      if (filter !== undefined) filters.push({ plugin: plugin.name, filter });
    }
    const { feasible, reasons, rejectedBy } = this.#filter(filters, snapshot.nodes);
    const [only] = feasible;
    if (only === undefined) {
      return {
        node: undefined,
        message: explain(snapshot.nodes.length, reasons),
        rejectedBy: [...rejectedBy],
      };
    }
    return { node: feasible.length === 1 ? only : this.#best(pod, feasible, snapshot, only) };
  }

  #filter(filters: readonly ActiveFilter[], nodes: readonly NodeInfo[]) {
    const enough = feasibleNodesToFind(nodes.length);
    const feasible: NodeInfo[] = [];
    const reasons = new Map<string, number>();
    const rejectedBy = new Set<string>();
    let looked = 0;
    for (; looked < nodes.length && feasible.length < enough; looked++) {
      const node = nodes[(this.#start + looked) % nodes.length];
      if (node === undefined) break;
      const rejecting = rejects(filters, node);
      if (rejecting === undefined) {
        feasible.push(node);
        continue;
      }
      rejectedBy.add(rejecting.plugin);
      for (const reason of rejecting.reasons) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    if (nodes.length > 0) this.#start = (this.#start + looked) % nodes.length;
    return { feasible, reasons, rejectedBy };
  }

  #best(pod: coreV1.Pod, feasible: readonly NodeInfo[], snapshot: Snapshot, first: NodeInfo): NodeInfo {
    const totals = feasible.map(() => 0);
    for (const plugin of this.#plugins) {
      const scorer = plugin.scorerFor?.(pod, snapshot);
      if (scorer === undefined) continue;
      const raw = feasible.map((node) => scorer.score(node));
      const scores = scorer.normalize?.(raw) ?? raw;
      for (const [i, score] of scores.entries()) totals[i] = (totals[i] ?? 0) + score * scorer.weight;
    }
    // Reservoir sampling: each of the best nodes is equally likely.
    let [best, bestTotal, ties] = [first, totals[0] ?? 0, 1];
    for (const [i, node] of feasible.entries()) {
      const total = totals[i] ?? 0;
      if (i === 0 || total < bestTotal) continue;
      ties = total > bestTotal ? 1 : ties + 1;
      if (total > bestTotal || this.#random.next() < 1 / ties) best = node;
      bestTotal = total;
    }
    return best;
  }
}

function rejects(
  filters: readonly ActiveFilter[],
  node: NodeInfo,
): { readonly plugin: string; readonly reasons: readonly string[] } | undefined {
  for (const { plugin, filter } of filters) {
    const rejection = filter(node);
    if (rejection !== undefined) return { plugin, reasons: rejection.reasons };
  }
  return undefined;
}
