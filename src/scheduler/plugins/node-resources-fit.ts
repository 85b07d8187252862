import { MAX_SCORE, type NodeFilter, type SchedulerPlugin } from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';
import { podRequests, podRequestsForScoring, type Resources } from '../resources.ts';

/** Reasons in upstream's order; `unresolvable` when even an empty node would be too small. */
function lacks(
  asked: Resources,
  node: NodeInfo,
): { readonly reasons: readonly string[]; readonly unresolvable: boolean } {
  const reasons: string[] = [];
  let unresolvable = false;
  const check = (reason: string, want: number, total: number, used: number): void => {
    if (want <= 0 || want <= total - used) return;
    reasons.push(reason);
    unresolvable ||= want > total;
  };
  const { allocatable, requested } = node;
  if (node.podCount + 1 > node.allowedPods) reasons.push('Too many pods');
  check('Insufficient cpu', asked.milliCpu, allocatable.milliCpu, requested.milliCpu);
  check('Insufficient memory', asked.memoryBytes, allocatable.memoryBytes, requested.memoryBytes);
  check(
    'Insufficient ephemeral-storage',
    asked.ephemeralStorageBytes,
    allocatable.ephemeralStorageBytes,
    requested.ephemeralStorageBytes,
  );
  for (const [name, want] of asked.scalars) {
    check(`Insufficient ${name}`, want, allocatable.scalars.get(name) ?? 0, requested.scalars.get(name) ?? 0);
  }
  return { reasons, unresolvable };
}

/** Share of a resource that stays free, 0 … MAX_SCORE (strategy LeastAllocated). */
function freeShare(total: number, used: number): number {
  if (total === 0 || used > total) return 0;
  return Math.floor(((total - used) * MAX_SCORE) / total);
}

/** The node must have room for what the pod asks; emptier nodes are better. */
export const nodeResourcesFit: SchedulerPlugin = {
  name: 'NodeResourcesFit',
  filterFor(pod): NodeFilter {
    const asked = podRequests(pod);
    return (node) => {
      const { reasons, unresolvable } = lacks(asked, node);
      return reasons.length === 0 ? undefined : { reasons, unresolvable };
    };
  },
  scorerFor(pod) {
    const asked = podRequestsForScoring(pod);
    return {
      weight: 1,
      score({ allocatable, scoringRequested }) {
        const cpu = freeShare(allocatable.milliCpu, scoringRequested.milliCpu + asked.milliCpu);
        const memory = freeShare(allocatable.memoryBytes, scoringRequested.memoryBytes + asked.memoryBytes);
        return Math.floor((cpu + memory) / 2);
      },
    };
  },
  mayHelp: (event) =>
    event.type === 'node-added' || event.type === 'node-updated' || event.type === 'assigned-pod-deleted',
};

/** Prefers nodes whose CPU and memory would be used in equal shares. */
export const nodeResourcesBalancedAllocation: SchedulerPlugin = {
  name: 'NodeResourcesBalancedAllocation',
  scorerFor(pod) {
    const asked = podRequests(pod);
    if (asked.milliCpu === 0 && asked.memoryBytes === 0) return undefined;
    return {
      weight: 1,
      score({ allocatable, requested }) {
        const share = (want: number, used: number, total: number): number =>
          total === 0 ? 1 : Math.min(1, (want + used) / total);
        const cpu = share(asked.milliCpu, requested.milliCpu, allocatable.milliCpu);
        const memory = share(asked.memoryBytes, requested.memoryBytes, allocatable.memoryBytes);
        return Math.floor((1 - Math.abs(cpu - memory) / 2) * MAX_SCORE);
      },
    };
  },
};
