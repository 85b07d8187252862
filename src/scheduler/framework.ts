/**
 * The extension points of the scheduling framework
 * (KEP-624, https://github.com/kubernetes/enhancements/tree/master/keps/sig-scheduling/624-scheduling-framework).
 *
 * PreFilter and Filter are one function here: `filterFor` looks at the pod once and returns the predicate that is
 * then asked for each node, or nothing when the pod does not care. Likewise `scorerFor` for PreScore, Score and
 * NormalizeScore. So a plugin keeps its per-pod state in a closure, and a pod that asks for nothing costs nothing
 * per node. A scheduling cycle is synchronous: the nodes do not change under it.
 */
import type { coreV1 } from '#api';
import type { NodeInfo } from './node-info.ts';

export const MAX_SCORE = 100;

/** Nodes as one scheduling cycle sees them. */
export interface Snapshot {
  readonly nodes: readonly NodeInfo[];
  get(name: string): NodeInfo | undefined;
}

/** Why a node was filtered out, in words for people (`Insufficient cpu`); several when several things lack. */
export interface Rejection {
  readonly reasons: readonly string[];
  /** True when removing other pods from the node could not help. */
  readonly unresolvable: boolean;
}

/** Undefined: the pod fits. */
export type NodeFilter = (node: NodeInfo) => Rejection | undefined;

export interface NodeScorer {
  readonly weight: number;
  /** Any number; 0 … MAX_SCORE unless `normalize` brings it there. */
  score(node: NodeInfo): number;
  /** Maps the raw scores of all feasible nodes to 0 … MAX_SCORE. */
  normalize?(scores: readonly number[]): readonly number[];
}

/** Something changed that may let a waiting pod be scheduled. */
export type ClusterEvent =
  | { readonly type: 'node-added'; readonly node: coreV1.Node }
  | { readonly type: 'node-updated'; readonly node: coreV1.Node; readonly old: coreV1.Node }
  /** A pod that was bound to a node is gone or finished. */
  | { readonly type: 'assigned-pod-deleted'; readonly pod: coreV1.Pod }
  | { readonly type: 'assigned-pod-added'; readonly pod: coreV1.Pod };

export interface SchedulerPlugin {
  /** Upstream's name; shown in `FailedScheduling` diagnostics. */
  readonly name: string;
  /** PreEnqueue: a reason keeps the pod out of the queue until the pod itself changes. */
  gate?(pod: coreV1.Pod): string | undefined;
  filterFor?(pod: coreV1.Pod, snapshot: Snapshot): NodeFilter | undefined;
  scorerFor?(pod: coreV1.Pod, snapshot: Snapshot): NodeScorer | undefined;
  /**
   * Queueing hint: may this event make a pod schedulable that this plugin rejected? Absent: always.
   * A wrong `false` leaves a pod waiting until the five-minute flush; when unsure, say true.
   */
  mayHelp?(event: ClusterEvent, pod: coreV1.Pod): boolean;
}

/** Scales so that the highest becomes MAX_SCORE (upstream's DefaultNormalizeScore). */
export function normalizeScores(scores: readonly number[], reverse = false): readonly number[] {
  const max = Math.max(0, ...scores);
  if (max === 0) return reverse ? scores.map(() => MAX_SCORE) : scores;
  return scores.map((score) => {
    const scaled = Math.floor((MAX_SCORE * score) / max);
    return reverse ? MAX_SCORE - scaled : scaled;
  });
}
