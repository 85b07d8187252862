/** The cgroups of pods: where they are, and what they may use together. */
import type { Pod } from '../pods/pod-spec.ts';

export interface CgroupManager {
  /** Makes the tree of the node: once, at start. */
  start(): Promise<void>;
  /** Path below the cgroup root: parent of the pod's containers. */
  pathOf(pod: Pod): string;
  /** Makes the pod's cgroup with its limits, or brings an existing one up to date. */
  ensure(pod: Pod): Promise<void>;
  /** Idempotent. */
  remove(podUid: string): Promise<void>;
  /** Uids of pods that have a cgroup, for the clean-up of forgotten ones. */
  podUids(): Promise<readonly string[]>;
}
