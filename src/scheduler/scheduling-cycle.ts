/**
 * One attempt to find a node for one pod: filter, score, choose. Synchronous; changes nothing.
 */
import type { coreV1 } from '#api';
import type { Random } from '#platform';
import type { FailedCycle, NodeFilter, SchedulerPlugin, Snapshot } from './framework.ts';
import type { Nominations } from './nominations.ts';
import type { NodeInfo } from './node-info.ts';
import { explain, ReasonCounts } from './reason-counts.ts';
import { WhatIf } from './what-if.ts';

export type CycleResult = { readonly node: NodeInfo } | NoFit;

export interface NoFit {
  readonly node: undefined;
  readonly message: string;
  readonly rejectedBy: readonly string[];
  readonly failed: FailedCycle;
}

/** Below this many nodes all are looked at. */
const MIN_FEASIBLE_NODES = 100;
const MIN_PERCENTAGE = 5;

/** Enough feasible nodes to stop looking: all of a small cluster, a shrinking share of a large one. */
function feasibleNodesToFind(nodeCount: number): number {
  if (nodeCount < MIN_FEASIBLE_NODES) return nodeCount;
  const percentage = Math.max(MIN_PERCENTAGE, 50 - Math.floor(nodeCount / 125));
  return Math.max(MIN_FEASIBLE_NODES, Math.floor((nodeCount * percentage) / 100));
}

interface NamedFilter {
  readonly plugin: string;
  readonly filter: NodeFilter;
}

interface Verdict {
  readonly plugin: string;
  readonly reasons: readonly string[];
  readonly unresolvable: boolean;
}

/** What filtering all nodes found out. */
interface Survey {
  readonly feasible: readonly NodeInfo[];
  readonly reasons: ReasonCounts;
  readonly rejectedBy: ReadonlySet<string>;
  readonly resolvable: readonly NodeInfo[];
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

  findNode(pod: coreV1.Pod, snapshot: Snapshot, nominations: Nominations): CycleResult {
    if (snapshot.nodes.length === 0) {
      const failed = { pod, snapshot, nominations, filters: [], resolvable: [] };
      return { node: undefined, message: 'no nodes available to schedule pods', rejectedBy: [], failed };
    }
    const filters: NamedFilter[] = [];
    for (const plugin of this.#plugins) {
      const filter = plugin.filterFor?.(pod, snapshot);
      if (filter === undefined) continue;
      if ('podRejected' in filter) {
        const message = `0/${snapshot.nodes.length} nodes are available: ${filter.podRejected}.`;
        const failed = { pod, snapshot, nominations, filters: [], resolvable: [] };
        return { node: undefined, message, rejectedBy: [plugin.name], failed };
      }
      filters.push({ plugin: plugin.name, filter });
    }
    const nominated = snapshot.get(nominations.nodeOf(pod.metadata.uid) ?? '');
    if (nominated !== undefined && judge(filters, nominated, pod, nominations) === undefined)
      return { node: nominated };
    return this.#choose(pod, snapshot, nominations, filters);
  }

  #choose(
    pod: coreV1.Pod,
    snapshot: Snapshot,
    nominations: Nominations,
    filters: readonly NamedFilter[],
  ): CycleResult {
    const { feasible, reasons, rejectedBy, resolvable } = this.#survey(pod, snapshot, nominations, filters);
    const [only] = feasible;
    if (only !== undefined)
      return { node: feasible.length === 1 ? only : this.#best(pod, feasible, snapshot, only) };
    return {
      node: undefined,
      message: explain(snapshot.nodes.length, reasons),
      rejectedBy: [...rejectedBy],
      failed: { pod, snapshot, nominations, filters: filters.map(({ filter }) => filter), resolvable },
    };
  }

  #survey(
    pod: coreV1.Pod,
    snapshot: Snapshot,
    nominations: Nominations,
    filters: readonly NamedFilter[],
  ): Survey {
    const reasons = new ReasonCounts();
    const rejectedBy = new Set<string>();
    const nodes = narrowed(filters, snapshot, reasons, rejectedBy);
    const enough = feasibleNodesToFind(nodes.length);
    const feasible: NodeInfo[] = [];
    const resolvable: NodeInfo[] = [];
    let looked = 0;
    for (; looked < nodes.length && feasible.length < enough; looked++) {
      const node = nodes[(this.#start + looked) % nodes.length];
      if (node === undefined) break;
      const verdict = judge(filters, node, pod, nominations);
      if (verdict === undefined) {
        feasible.push(node);
        continue;
      }
      rejectedBy.add(verdict.plugin);
      reasons.add(verdict.reasons);
      if (!verdict.unresolvable) resolvable.push(node);
    }
    this.#start = (this.#start + looked) % snapshot.nodes.length;
    return { feasible, reasons, rejectedBy, resolvable };
  }

  #best(pod: coreV1.Pod, feasible: readonly NodeInfo[], snapshot: Snapshot, first: NodeInfo): NodeInfo {
    const totals = new Float64Array(feasible.length);
    for (const plugin of this.#plugins) {
      const scorer = plugin.scorerFor?.(pod, feasible, snapshot);
      if (scorer === undefined) continue;
      const raw = feasible.map((node) => scorer.score(node));
      const scores = scorer.normalize?.(raw) ?? raw;
      for (let i = 0; i < totals.length; i++) totals[i] = (totals[i] ?? 0) + (scores[i] ?? 0) * scorer.weight;
    }
    return this.#anyOfBest(feasible, totals) ?? first;
  }

  /** Each of the best is equally likely; the dice are rolled once, for good ones are slow. */
  #anyOfBest(feasible: readonly NodeInfo[], totals: Float64Array): NodeInfo | undefined {
    let [best, ties] = [Number.NEGATIVE_INFINITY, 0];
    for (const total of totals) {
      if (total > best) [best, ties] = [total, 1];
      else if (total === best) ties++;
    }
    let skip = ties === 1 ? 0 : Math.floor(this.#random.next() * ties);
    for (let i = 0; i < totals.length; i++) if (totals[i] === best && skip-- === 0) return feasible[i];
    return undefined;
  }
}

/** All nodes, or the few that a filter names; those left out are accounted for. */
function narrowed(
  filters: readonly NamedFilter[],
  snapshot: Snapshot,
  reasons: ReasonCounts,
  rejectedBy: Set<string>,
): readonly NodeInfo[] {
  const narrowing = filters.filter(({ filter }) => filter.onlyNodes !== undefined);
  const [first, ...others] = narrowing;
  if (first === undefined) return snapshot.nodes;
  const nodes: NodeInfo[] = [];
  for (const name of first.filter.onlyNodes ?? []) {
    const node = snapshot.get(name);
    if (node !== undefined && others.every(({ filter }) => filter.onlyNodes?.has(name) === true))
      nodes.push(node);
  }
  const names = narrowing.map(({ plugin }) => plugin);
  for (const name of names) rejectedBy.add(name);
  const absent = `node(s) didn't satisfy plugin(s) [${names.toSorted().join(' ')}]`;
  reasons.add([absent], snapshot.nodes.length - nodes.length);
  return nodes;
}

/**
 * Whether the pod fits beside what is there, and also beside pods that the room was promised to; for affinity may be
 * satisfied by either alone.
 */
function judge(
  filters: readonly NamedFilter[],
  node: NodeInfo,
  pod: coreV1.Pod,
  nominations: Nominations,
): Verdict | undefined {
  const ahead = nominations.ahead(node.name, pod);
  if (ahead.length > 0) {
    const whatIf = new WhatIf(
      node,
      filters.map(({ filter }) => filter),
    );
    for (const other of ahead) whatIf.add(other);
    const verdict = firstVerdict(filters, whatIf.node);
    whatIf.undo();
    if (verdict !== undefined) return verdict;
  }
  return firstVerdict(filters, node);
}

function firstVerdict(filters: readonly NamedFilter[], node: NodeInfo): Verdict | undefined {
  for (const { plugin, filter } of filters) {
    const rejection = filter.check(node);
    if (rejection !== undefined) return { plugin, ...rejection };
  }
  return undefined;
}
