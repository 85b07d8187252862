/**
 * The extension points of the scheduling framework
 * (KEP-624, https://github.com/kubernetes/enhancements/tree/master/keps/sig-scheduling/624-scheduling-framework).
 *
 * PreFilter and Filter are one function here: `filterFor` looks at the pod once and returns what is then asked for
 * each node, or nothing when the pod does not care. Likewise `scorerFor` for PreScore, Score and NormalizeScore. So a
 * plugin keeps its per-pod state in a closure, and a pod that asks for nothing costs nothing per node. A scheduling
 * cycle is synchronous: the nodes do not change under it, so the snapshot is the live cache.
 */
import type { coreV1 } from '#api';
import type { Nominations } from './nominations.ts';
import type { NodeInfo } from './node-info.ts';

export const MAX_SCORE = 100;

/** Nodes as one scheduling cycle sees them. */
export interface Snapshot {
  readonly nodes: readonly NodeInfo[];
  /** Nodes that hold pods with any affinity or anti-affinity to other pods. */
  readonly nodesWithAffinity: ReadonlySet<NodeInfo>;
  /** Nodes that hold pods which require others to keep away. */
  readonly nodesWithRequiredAntiAffinity: ReadonlySet<NodeInfo>;
  get(name: string): NodeInfo | undefined;
  /** How many nodes have an image, by any of its names. */
  nodesWithImage(name: string): number;
}

/** Why a node was filtered out, in words for people (`Insufficient cpu`); several when several things lack. */
export interface Rejection {
  readonly reasons: readonly string[];
  /** True when removing other pods from the node could not help. */
  readonly unresolvable: boolean;
}

export interface NodeFilter {
  /** Undefined: the pod fits. */
  check(node: NodeInfo): Rejection | undefined;
  /**
   * From now on count another pod in on this node (1) or out (-1). For filters that decide by more than the node they
   * are asked about; every call is taken back by its opposite in the end.
   */
  pretend?(pod: coreV1.Pod, node: NodeInfo, change: 1 | -1): void;
  /** No other node is worth asking. */
  readonly onlyNodes?: ReadonlySet<string>;
}

/** No node will do, whatever it is like: the pod itself is not ready to be placed. */
export interface PodRejection {
  readonly podRejected: string;
}

export interface NodeScorer {
  readonly weight: number;
  /** Any number; 0 … MAX_SCORE unless `normalize` brings it there. */
  score(node: NodeInfo): number;
  /** Maps the raw scores of all feasible nodes, in their order, to 0 … MAX_SCORE. */
  normalize?(scores: readonly number[]): readonly number[];
}

/** Something changed that may let a waiting pod be scheduled. */
export type ClusterEvent =
  | { readonly type: 'node-added'; readonly node: coreV1.Node }
  | { readonly type: 'node-updated'; readonly node: coreV1.Node; readonly old: coreV1.Node }
  | { readonly type: 'node-deleted'; readonly node: coreV1.Node }
  | { readonly type: 'assigned-pod-added'; readonly pod: coreV1.Pod }
  /** Its labels or what it asks for changed. */
  | { readonly type: 'assigned-pod-updated'; readonly pod: coreV1.Pod; readonly old: coreV1.Pod }
  /** A pod that held room on a node is gone or finished, or lost its claim to the room. */
  | { readonly type: 'assigned-pod-deleted'; readonly pod: coreV1.Pod }
  /** A claim, a volume or a storage class appeared or changed. */
  | { readonly type: 'storage-changed' };

/** A cycle that found no node. */
export interface FailedCycle {
  readonly pod: coreV1.Pod;
  readonly snapshot: Snapshot;
  readonly nominations: Nominations;
  readonly filters: readonly NodeFilter[];
  /** Nodes that might do if other pods left them. */
  readonly resolvable: readonly NodeInfo[];
}

/** What a PostFilter proposes instead. */
export interface PostFilterResult {
  /** Added to the explanation people see. */
  readonly message?: string;
  /** The node to be held for the pod once its victims are gone; '' gives up an earlier one, absent keeps it. */
  readonly nominatedNode?: string;
  /** To be evicted, the most important first. */
  readonly victims?: readonly coreV1.Pod[];
}

export interface SchedulerPlugin {
  /** Upstream's name; shown in `FailedScheduling` diagnostics. */
  readonly name: string;
  /** PreEnqueue: a reason keeps the pod out of the queue until the pod itself changes. */
  gate?(pod: coreV1.Pod): string | undefined;
  filterFor?(pod: coreV1.Pod, snapshot: Snapshot): NodeFilter | PodRejection | undefined;
  /** Asked only when there are several feasible nodes to choose from. */
  scorerFor?(pod: coreV1.Pod, feasible: readonly NodeInfo[], snapshot: Snapshot): NodeScorer | undefined;
  postFilter?(failed: FailedCycle): PostFilterResult;
  /** Sets aside what the pod will need on the node; returns the way to give it back when binding fails. */
  reserve?(pod: coreV1.Pod, node: NodeInfo): (() => void) | undefined;
  /** What must be done before the pod is bound. Rejecting means: not bound, tried again later. */
  preBind?(
    pod: coreV1.Pod,
    nodeName: string,
    options: { readonly signal: AbortSignal },
  ): Promise<void> | undefined;
  /**
   * Queueing hint: may this event make a pod schedulable that this plugin rejected? Absent: always.
   * A wrong `false` leaves a pod waiting until the five-minute flush; when unsure, say true.
   */
  mayHelp?(event: ClusterEvent, pod: coreV1.Pod): boolean;
}

/** Scales so that the highest becomes MAX_SCORE (upstream's DefaultNormalizeScore). */
export function normalizeScores(scores: readonly number[], reverse = false): readonly number[] {
  let max = 0;
  for (const score of scores) if (score > max) max = score;
  if (max === 0) return reverse ? scores.map(() => MAX_SCORE) : scores;
  return scores.map((score) => {
    const scaled = Math.floor((MAX_SCORE * score) / max);
    return reverse ? MAX_SCORE - scaled : scaled;
  });
}
