/** What a Pod Security check is, and the words its findings are put in (https://kubernetes.io/docs/concepts/security/pod-security-standards/). */
import type { coreV1 } from '#api';

/** A pod, or the template of one. */
export interface PodLike {
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: coreV1.PodSpec;
}

/** What is wrong with a pod: `reason (detail)`. */
export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

export type CheckPod = (pod: PodLike) => Violation | undefined;

export interface PodCheck {
  /** Checks are reported in the order of their ids, those of baseline first. */
  readonly id: string;
  readonly level: 'baseline' | 'restricted';
  /** In growing order; a policy pinned to 1.n is checked as of the last revision not after n. */
  readonly revisions: readonly {
    readonly sinceMinor: number;
    readonly check: CheckPod;
    /** Baseline checks that this one includes. */
    readonly replaces?: readonly string[];
  }[];
}

export type AnyContainer = Pick<
  coreV1.Container,
  'name' | 'securityContext' | 'ports' | 'livenessProbe' | 'readinessProbe' | 'startupProbe' | 'lifecycle'
>;

/** Init containers, containers, ephemeral containers, in this order. */
export const containersOf = ({ spec }: PodLike): readonly AnyContainer[] => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
  ...(spec.ephemeralContainers ?? []),
];

/** Names of the containers for which the predicate holds. */
export const containersWhere = (
  pod: PodLike,
  predicate: (container: AnyContainer) => boolean,
): readonly string[] =>
  containersOf(pod)
    .filter(predicate)
    .map(({ name }) => name);

export const quoteAll = (items: readonly string[]): string => items.map((item) => `"${item}"`).join(', ');
export const sorted = (items: Iterable<string>): readonly string[] => [...new Set(items)].sort();
export const plural = (singular: string, count: number): string => (count === 1 ? singular : `${singular}s`);

/** `container "a"`, `containers "a", "b"`. */
export const named = (kind: string, names: readonly string[]): string =>
  `${plural(kind, names.length)} ${quoteAll(names)}`;

/** `pod and containers "a", "b"`: who set something. Empty: nobody. */
export function setters(podDoes: boolean, containers: readonly string[]): string {
  const parts = [
    ...(podDoes ? ['pod'] : []),
    ...(containers.length === 0 ? [] : [named('container', containers)]),
  ];
  return parts.join(' and ');
}

/** In a user namespace root is nobody on the node: some checks do not apply. */
export const inUserNamespace = ({ spec }: PodLike): boolean => spec.hostUsers === false;
export const isWindows = ({ spec }: PodLike): boolean => spec.os?.name === 'windows';
