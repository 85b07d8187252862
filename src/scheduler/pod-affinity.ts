/**
 * Affinity of a pod to other pods, with its selectors compiled.
 * Source: https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity
 */
import type { coreV1 } from '#api';
import { compileLabelSelector } from '#machinery';

type Labels = Readonly<Record<string, string>>;
type Matcher = (labels: Labels | undefined) => boolean;

export interface AffinityTerm {
  readonly topologyKey: string;
  readonly namespaces: ReadonlySet<string>;
  /** By the labels of the pod's namespace; absent: only those named. */
  readonly namespaceMatches?: Matcher;
  readonly matches: Matcher;
  /** 1 for required terms. */
  readonly weight: number;
}

export interface PodAffinities {
  readonly required: readonly AffinityTerm[];
  readonly requiredAnti: readonly AffinityTerm[];
  readonly preferred: readonly AffinityTerm[];
  readonly preferredAnti: readonly AffinityTerm[];
}

function compile(pod: coreV1.Pod, term: coreV1.PodAffinityTerm, weight = 1): AffinityTerm {
  const named = term.namespaces ?? [];
  // With neither names nor a selector the pod's own namespace is meant.
  const own = named.length === 0 && term.namespaceSelector === undefined;
  return {
    topologyKey: term.topologyKey,
    namespaces: new Set(own ? [pod.metadata.namespace ?? ''] : named),
    ...(term.namespaceSelector === undefined
      ? {}
      : { namespaceMatches: compileLabelSelector(term.namespaceSelector) }),
    matches: compileLabelSelector(term.labelSelector),
    weight,
  };
}

/** Undefined when the pod has no such wishes. */
export function affinityOf(pod: coreV1.Pod): PodAffinities | undefined {
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
  if (podAffinity === undefined && podAntiAffinity === undefined) return undefined;
  const required = (terms: readonly coreV1.PodAffinityTerm[] | undefined): readonly AffinityTerm[] =>
    (terms ?? []).map((term) => compile(pod, term));
  const preferred = (terms: readonly coreV1.WeightedPodAffinityTerm[] | undefined): readonly AffinityTerm[] =>
    (terms ?? []).map(({ podAffinityTerm, weight }) => compile(pod, podAffinityTerm, weight));
  const affinities: PodAffinities = {
    required: required(podAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    requiredAnti: required(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    preferred: preferred(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
    preferredAnti: preferred(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
  };
  return Object.values(affinities).some((terms) => terms.length > 0) ? affinities : undefined;
}

/** Whether the term speaks of this pod. `namespaceLabels`: of the pod's namespace. */
export function termMatches(
  term: AffinityTerm,
  pod: coreV1.Pod,
  namespaceLabels: (namespace: string) => Labels | undefined,
): boolean {
  const namespace = pod.metadata.namespace ?? '';
  return (
    (term.namespaces.has(namespace) || term.namespaceMatches?.(namespaceLabels(namespace)) === true) &&
    term.matches(pod.metadata.labels)
  );
}
