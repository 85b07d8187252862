/**
 * Spreads pods over zones, hosts or whatever label a constraint names: hard constraints filter, soft ones score. Pods
 * without constraints of their own are spread softly by the services and controllers they belong to.
 * Source: https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
 */
import type { coreV1 } from '#api';
import { compileLabelSelector, deepEqual } from '#machinery';
import type { ClusterView } from '../cluster-view.ts';
import {
  MAX_SCORE,
  type NodeFilter,
  type NodeScorer,
  type SchedulerPlugin,
  type Snapshot,
} from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';
import { isTerminating } from '../pod-state.ts';
import { matchesNode } from './node-affinity.ts';
import { hasUntoleratedTaint } from './taint-toleration.ts';

const MISMATCH = "node(s) didn't match pod topology spread constraints";
const SKEWED = { reasons: [MISMATCH], unresolvable: false };
const LABEL_MISSING = { reasons: [`${MISMATCH} (missing required label)`], unresolvable: true };
const HOSTNAME = 'kubernetes.io/hostname';
const DEFAULTS = [
  { topologyKey: HOSTNAME, maxSkew: 3 },
  { topologyKey: 'topology.kubernetes.io/zone', maxSkew: 5 },
] as const;

type Matcher = (labels: Readonly<Record<string, string>> | undefined) => boolean;

interface Constraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly matches: Matcher;
  /** An empty selector matches the pod itself, but upstream counts nobody for it. */
  readonly countsNobody: boolean;
  /** Whether pods on this node count. */
  readonly includes: (node: coreV1.Node) => boolean;
}

function compile(pod: coreV1.Pod, constraint: coreV1.TopologySpreadConstraint): Constraint {
  const { labelSelector, matchLabelKeys = [] } = constraint;
  const same = Object.fromEntries(
    matchLabelKeys.flatMap((key) => {
      const value = pod.metadata.labels?.[key];
      return value === undefined ? [] : [[key, value] as const];
    }),
  );
  const selector =
    labelSelector === undefined
      ? undefined
      : { ...labelSelector, matchLabels: { ...labelSelector.matchLabels, ...same } };
  const honorsAffinity = (constraint.nodeAffinityPolicy ?? 'Honor') === 'Honor';
  const honorsTaints = constraint.nodeTaintsPolicy === 'Honor';
  return {
    topologyKey: constraint.topologyKey,
    maxSkew: constraint.maxSkew,
    minDomains: constraint.minDomains ?? 1,
    matches: compileLabelSelector(selector),
    countsNobody:
      selector !== undefined &&
      Object.keys(selector.matchLabels).length === 0 &&
      (selector.matchExpressions ?? []).length === 0,
    includes: (node) =>
      (!honorsAffinity || matchesNode(pod.spec, node)) &&
      (!honorsTaints || !hasUntoleratedTaint(node, pod.spec.tolerations)),
  };
}

function constraintsOf(
  pod: coreV1.Pod,
  when: coreV1.TopologySpreadConstraint['whenUnsatisfiable'],
): readonly Constraint[] {
  return (pod.spec.topologySpreadConstraints ?? [])
    .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === when)
    .map((constraint) => compile(pod, constraint));
}

const hasAllLabels = (node: coreV1.Node, constraints: readonly Constraint[]): boolean =>
  constraints.every(({ topologyKey }) => node.metadata.labels?.[topologyKey] !== undefined);

/** Terminating pods do not count: their replacements should be spread as if they were gone. */
function countOn(node: NodeInfo, namespace: string | undefined, constraint: Constraint): number {
  if (constraint.countsNobody) return 0;
  let count = 0;
  for (const { pod } of node.pods) {
    if (pod.metadata.namespace !== namespace || isTerminating(pod)) continue;
    if (constraint.matches(pod.metadata.labels)) count++;
  }
  return count;
}

class SpreadFilter implements NodeFilter {
  readonly #pod: coreV1.Pod;
  readonly #constraints: readonly Constraint[];
  /** Per constraint: pods in each domain. */
  readonly #counts: readonly Map<string, number>[];

  constructor(pod: coreV1.Pod, constraints: readonly Constraint[], snapshot: Snapshot) {
    this.#pod = pod;
    this.#constraints = constraints;
    this.#counts = constraints.map(() => new Map<string, number>());
    for (const node of snapshot.nodes) {
      if (!hasAllLabels(node.node, constraints)) continue;
      for (const [i, constraint] of constraints.entries())
        if (constraint.includes(node.node))
          this.#add(i, node, countOn(node, pod.metadata.namespace, constraint));
    }
  }

  pretend(other: coreV1.Pod, node: NodeInfo, change: 1 | -1): void {
    if (other.metadata.namespace !== this.#pod.metadata.namespace) return;
    if (!hasAllLabels(node.node, this.#constraints)) return;
    for (const [i, constraint] of this.#constraints.entries())
      if (constraint.matches(other.metadata.labels) && constraint.includes(node.node))
        this.#add(i, node, change);
  }

  check(node: NodeInfo): ReturnType<NodeFilter['check']> {
    for (const [i, { topologyKey, maxSkew, minDomains, matches }] of this.#constraints.entries()) {
      const value = node.label(topologyKey);
      if (value === undefined) return LABEL_MISSING;
      const counts = this.#counts[i];
      const self = matches(this.#pod.metadata.labels) ? 1 : 0;
      if ((counts?.get(value) ?? 0) + self - lowest(counts, minDomains) > maxSkew) return SKEWED;
    }
    return undefined;
  }

  #add(i: number, node: NodeInfo, amount: number): void {
    const { topologyKey } = this.#constraints[i] ?? { topologyKey: '' };
    const value = node.label(topologyKey) ?? '';
    const counts = this.#counts[i];
    counts?.set(value, (counts.get(value) ?? 0) + amount);
  }
}

/** With fewer domains than wanted, those missing count as empty ones. */
function lowest(counts: ReadonlyMap<string, number> | undefined, minDomains: number): number {
  if (counts === undefined || counts.size < minDomains) return 0;
  let least = Number.POSITIVE_INFINITY;
  for (const count of counts.values()) if (count < least) least = count;
  return least;
}

/** `needsAllLabels`: nodes that lack a label are not considered; for defaults they only lack that label's share. */
function spreadScorer(
  pod: coreV1.Pod,
  constraints: readonly Constraint[],
  feasible: readonly NodeInfo[],
  snapshot: Snapshot,
  needsAllLabels: boolean,
): NodeScorer {
  const ignored = (node: NodeInfo): boolean => needsAllLabels && !hasAllLabels(node.node, constraints);
  const considered = feasible.filter((node) => !ignored(node));
  const weighed = constraints.map((constraint) => {
    const { topologyKey } = constraint;
    if (topologyKey === HOSTNAME)
      return { constraint, counts: undefined, weight: Math.log(considered.length + 2) };
    const counts = new Map(considered.map((node) => [node.label(topologyKey) ?? '', 0]));
    for (const node of snapshot.nodes) {
      const value = node.label(topologyKey);
      const known = value === undefined ? undefined : counts.get(value);
      if (value === undefined || known === undefined || ignored(node)) continue;
      if (constraint.includes(node.node))
        counts.set(value, known + countOn(node, pod.metadata.namespace, constraint));
    }
    return { constraint, counts, weight: Math.log(counts.size + 2) };
  });
  return {
    weight: 2,
    score(node) {
      if (ignored(node)) return -1;
      let score = 0;
      for (const { constraint, counts, weight } of weighed) {
        const value = node.label(constraint.topologyKey);
        if (value === undefined) continue;
        const count =
          counts === undefined ? countOn(node, pod.metadata.namespace, constraint) : (counts.get(value) ?? 0);
        score += count * weight + (constraint.maxSkew - 1);
      }
      return Math.round(score);
    },
    normalize: emptiestFirst,
  };
}

/** Negative scores mark nodes that are not considered. */
function emptiestFirst(scores: readonly number[]): readonly number[] {
  let [min, max] = [Number.POSITIVE_INFINITY, 0];
  for (const score of scores) {
    if (score < 0) continue;
    min = Math.min(min, score);
    max = Math.max(max, score);
  }
  return scores.map((score) => {
    if (score < 0) return 0;
    return max === 0 ? MAX_SCORE : Math.floor((MAX_SCORE * (max + min - score)) / max);
  });
}

type SpreadView = Pick<ClusterView, 'groupSelector'>;

function softConstraints(pod: coreV1.Pod, view: SpreadView): readonly Constraint[] {
  if ((pod.spec.topologySpreadConstraints ?? []).length > 0) return constraintsOf(pod, 'ScheduleAnyway');
  const labelSelector = view.groupSelector(pod);
  if (labelSelector === undefined) return [];
  return DEFAULTS.map((preset) =>
    compile(pod, { ...preset, labelSelector, whenUnsatisfiable: 'ScheduleAnyway' }),
  );
}

export function podTopologySpread(view: SpreadView): SchedulerPlugin {
  return {
    name: 'PodTopologySpread',
    filterFor(pod, snapshot) {
      const constraints = constraintsOf(pod, 'DoNotSchedule');
      return constraints.length === 0 ? undefined : new SpreadFilter(pod, constraints, snapshot);
    },
    scorerFor(pod, feasible, snapshot) {
      const constraints = softConstraints(pod, view);
      if (constraints.length === 0) return undefined;
      const own = (pod.spec.topologySpreadConstraints ?? []).length > 0;
      return spreadScorer(pod, constraints, feasible, snapshot, own);
    },
    mayHelp(event, pod) {
      const constraints = constraintsOf(pod, 'DoNotSchedule');
      const counts = (other: coreV1.Pod): boolean =>
        other.metadata.namespace === pod.metadata.namespace &&
        constraints.some(({ matches }) => matches(other.metadata.labels));
      switch (event.type) {
        case 'node-added':
        case 'node-deleted':
          return hasAllLabels(event.node, constraints);
        case 'node-updated':
          return (
            !deepEqual(event.node.metadata.labels, event.old.metadata.labels) ||
            !deepEqual(event.node.spec.taints, event.old.spec.taints)
          );
        case 'assigned-pod-added':
        case 'assigned-pod-deleted':
          return counts(event.pod);
        case 'assigned-pod-updated':
          return counts(event.pod) !== counts(event.old);
        default:
          return false;
      }
    },
  };
}
