/**
 * Pods that want to be near other pods or away from them, where near means: on nodes with the same value of a label.
 * Anti-affinity holds both ways: a pod that is there and wants to be alone keeps newcomers away.
 */
import type { coreV1 } from '#api';
import type { ClusterView } from '../cluster-view.ts';
import {
  MAX_SCORE,
  type NodeFilter,
  type NodeScorer,
  type SchedulerPlugin,
  type Snapshot,
} from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';
import { type AffinityTerm, affinityOf, termMatches } from '../pod-affinity.ts';
import { TopologyCounts } from '../topology-counts.ts';

const NO_AFFINITY = { reasons: ["node(s) didn't match pod affinity rules"], unresolvable: true };
const ANTI_AFFINITY = { reasons: ["node(s) didn't match pod anti-affinity rules"], unresolvable: false };
const OTHERS_ANTI_AFFINITY = {
  reasons: ["node(s) didn't satisfy existing pods anti-affinity rules"],
  unresolvable: false,
};
/** What a pod's required affinity to the newcomer counts for when the newcomer is scored. */
const REQUIRED_WEIGHT = 1;
const NO_TERMS: readonly AffinityTerm[] = [];

type Matches = (term: AffinityTerm, pod: coreV1.Pod) => boolean;

class AffinityFilter implements NodeFilter {
  readonly #pod: coreV1.Pod;
  readonly #matches: Matches;
  readonly #required: readonly AffinityTerm[];
  readonly #anti: readonly AffinityTerm[];
  /** Where pods are that the newcomer wants to be near, wants to avoid, and that want to avoid the newcomer. */
  readonly #wanted = new TopologyCounts();
  readonly #avoided = new TopologyCounts();
  readonly #avoiding = new TopologyCounts();

  constructor(pod: coreV1.Pod, snapshot: Snapshot, matches: Matches) {
    this.#pod = pod;
    this.#matches = matches;
    const affinities = affinityOf(pod);
    this.#required = affinities?.required ?? NO_TERMS;
    this.#anti = affinities?.requiredAnti ?? NO_TERMS;
    for (const node of snapshot.nodesWithRequiredAntiAffinity) {
      for (const { pod: other, affinities: theirs } of node.podsWithAffinity)
        this.#countAvoiding(theirs?.requiredAnti ?? NO_TERMS, node, 1, other);
    }
    if (this.#required.length === 0 && this.#anti.length === 0) return;
    for (const node of snapshot.nodes) for (const { pod: other } of node.pods) this.#countOwn(other, node, 1);
  }

  get isIdle(): boolean {
    return this.#required.length === 0 && this.#anti.length === 0 && this.#avoiding.isEmpty;
  }

  pretend(other: coreV1.Pod, node: NodeInfo, change: 1 | -1): void {
    this.#countAvoiding(affinityOf(other)?.requiredAnti ?? NO_TERMS, node, change, other);
    this.#countOwn(other, node, change);
  }

  check(node: NodeInfo): ReturnType<NodeFilter['check']> {
    if (!this.#hasWanted(node)) return NO_AFFINITY;
    if (this.#anti.some(({ topologyKey }) => this.#avoided.at(node, topologyKey) > 0)) return ANTI_AFFINITY;
    for (const key of this.#avoiding.keys) if (this.#avoiding.at(node, key) > 0) return OTHERS_ANTI_AFFINITY;
    return undefined;
  }

  #hasWanted(node: NodeInfo): boolean {
    let allThere = true;
    for (const { topologyKey } of this.#required) {
      if (node.label(topologyKey) === undefined) return false;
      if (this.#wanted.at(node, topologyKey) <= 0) allThere = false;
    }
    // The first pod of a group that wants to be together would otherwise wait for itself.
    return allThere || (this.#wanted.isEmpty && this.#matchesAllRequired(this.#pod));
  }

  #matchesAllRequired(other: coreV1.Pod): boolean {
    return this.#required.length > 0 && this.#required.every((term) => this.#matches(term, other));
  }

  #countAvoiding(terms: readonly AffinityTerm[], node: NodeInfo, change: 1 | -1, other: coreV1.Pod): void {
    if (other.metadata.uid === this.#pod.metadata.uid) return;
    for (const term of terms)
      if (this.#matches(term, this.#pod)) this.#avoiding.add(node, term.topologyKey, change);
  }

  #countOwn(other: coreV1.Pod, node: NodeInfo, change: 1 | -1): void {
    if (this.#matchesAllRequired(other))
      for (const { topologyKey } of this.#required) this.#wanted.add(node, topologyKey, change);
    for (const term of this.#anti)
      if (this.#matches(term, other)) this.#avoided.add(node, term.topologyKey, change);
  }
}

/** Sums of weights per topology: attraction positive, repulsion negative; undefined when nothing pulls anywhere. */
function pullOf(pod: coreV1.Pod, snapshot: Snapshot, matches: Matches): TopologyCounts | undefined {
  const affinities = affinityOf(pod);
  const own = [
    ...(affinities?.preferred ?? []).map((term) => ({ term, weight: term.weight })),
    ...(affinities?.preferredAnti ?? []).map((term) => ({ term, weight: -term.weight })),
  ];
  const pull = new TopologyCounts();
  if (own.length > 0) {
    for (const node of snapshot.nodes) {
      for (const { pod: other } of node.pods)
        for (const { term, weight } of own)
          if (matches(term, other)) pull.add(node, term.topologyKey, weight);
    }
  }
  for (const node of snapshot.nodesWithAffinity) {
    for (const { affinities: theirs } of node.podsWithAffinity) {
      if (theirs === undefined) continue;
      const count = (terms: readonly AffinityTerm[], sign: number): void => {
        for (const term of terms)
          if (matches(term, pod)) pull.add(node, term.topologyKey, sign * term.weight);
      };
      count(theirs.required, REQUIRED_WEIGHT);
      count(theirs.preferred, 1);
      count(theirs.preferredAnti, -1);
    }
  }
  return pull.isEmpty ? undefined : pull;
}

function spreadOut(scores: readonly number[]): readonly number[] {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const score of scores) {
    min = Math.min(min, score);
    max = Math.max(max, score);
  }
  if (max === min) return scores.map(() => 0);
  return scores.map((score) => Math.floor((MAX_SCORE * (score - min)) / (max - min)));
}

export function interPodAffinity(view: Pick<ClusterView, 'namespaceLabels'>): SchedulerPlugin {
  const matches: Matches = (term, pod) => termMatches(term, pod, view.namespaceLabels);
  return {
    name: 'InterPodAffinity',
    filterFor(pod, snapshot) {
      if (snapshot.nodesWithRequiredAntiAffinity.size === 0 && affinityOf(pod) === undefined)
        return undefined;
      const filter = new AffinityFilter(pod, snapshot, matches);
      return filter.isIdle ? undefined : filter;
    },
    scorerFor(pod, _feasible, snapshot): NodeScorer | undefined {
      if (snapshot.nodesWithAffinity.size === 0 && affinityOf(pod) === undefined) return undefined;
      const pull = pullOf(pod, snapshot, matches);
      if (pull === undefined) return undefined;
      return { weight: 2, score: (node) => pull.sumAt(node), normalize: spreadOut };
    },
    mayHelp(event, pod) {
      const own = affinityOf(pod);
      switch (event.type) {
        case 'node-added':
        case 'node-updated':
        case 'assigned-pod-updated':
          return true;
        case 'assigned-pod-added':
          return own?.required.some((term) => matches(term, event.pod)) === true;
        case 'assigned-pod-deleted':
          return (
            own?.requiredAnti.some((term) => matches(term, event.pod)) === true ||
            affinityOf(event.pod)?.requiredAnti.some((term) => matches(term, pod)) === true
          );
        default:
          return false;
      }
    },
  };
}
