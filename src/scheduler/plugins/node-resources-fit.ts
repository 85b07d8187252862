import { MAX_SCORE, type Rejection, type SchedulerPlugin } from '../framework.ts';
import { NodeInfo } from '../node-info.ts';
import { podRequests, podRequestsForScoring, type Resources } from '../resources.ts';

/** The common case, without building reasons. */
function fits(asked: Resources, { allocatable, requested, podCount, allowedPods }: NodeInfo): boolean {
  if (podCount + 1 > allowedPods) return false;
  const has = (want: number, total: number, used: number): boolean => want <= 0 || want <= total - used;
  if (!has(asked.milliCpu, allocatable.milliCpu, requested.milliCpu)) return false;
  if (!has(asked.memoryBytes, allocatable.memoryBytes, requested.memoryBytes)) return false;
  const disk = 'ephemeralStorageBytes';
  if (!has(asked[disk], allocatable[disk], requested[disk])) return false;
  if (asked.scalars.size === 0) return true;
  for (const [name, want] of asked.scalars)
    if (!has(want, allocatable.scalars.get(name) ?? 0, requested.scalars.get(name) ?? 0)) return false;
  return true;
}

/** `unresolvable` when even an empty node would be too small. */
function lacks(asked: Resources, node: NodeInfo): Rejection {
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
  return used > total ? 0 : Math.floor(((total - used) * MAX_SCORE) / total);
}

/** The node must have room for what the pod asks; emptier nodes are better. */
export const nodeResourcesFit: SchedulerPlugin = {
  name: 'NodeResourcesFit',
  filterFor(pod) {
    const asked = podRequests(pod);
    return { check: (node) => (fits(asked, node) ? undefined : lacks(asked, node)) };
  },
  scorerFor(pod) {
    const asked = podRequestsForScoring(pod);
    return {
      weight: 1,
      score({ allocatable, scoringRequested }) {
        let [sum, kinds] = [0, 0];
        if (allocatable.milliCpu > 0) {
          sum += freeShare(allocatable.milliCpu, scoringRequested.milliCpu + asked.milliCpu);
          kinds++;
        }
        if (allocatable.memoryBytes > 0) {
          sum += freeShare(allocatable.memoryBytes, scoringRequested.memoryBytes + asked.memoryBytes);
          kinds++;
        }
        return kinds === 0 ? 0 : Math.floor(sum / kinds);
      },
    };
  },
  mayHelp(event, pod) {
    if (event.type === 'assigned-pod-deleted' || event.type === 'assigned-pod-updated') return true;
    if (event.type !== 'node-added' && event.type !== 'node-updated') return false;
    // Not even an empty node of this size would do.
    return fits(podRequests(pod), new NodeInfo(event.node));
  },
};

/** How far apart the shares of CPU and memory in use are: MAX_SCORE when equal, half of it at the worst. */
function balance(usedCpu: number, usedMemory: number, { milliCpu, memoryBytes }: Resources): number {
  if (milliCpu === 0 || memoryBytes === 0) return MAX_SCORE;
  const cpu = Math.min(1, usedCpu / milliCpu);
  const memory = Math.min(1, usedMemory / memoryBytes);
  return Math.floor((1 - Math.abs((cpu - memory) / 2)) * MAX_SCORE);
}

/** Prefers nodes on which the pod brings the shares of CPU and memory in use closer together. */
export const nodeResourcesBalancedAllocation: SchedulerPlugin = {
  name: 'NodeResourcesBalancedAllocation',
  scorerFor(pod) {
    const asked = podRequests(pod);
    if (asked.milliCpu === 0 && asked.memoryBytes === 0) return undefined;
    return {
      weight: 1,
      score({ allocatable, requested }) {
        const { milliCpu, memoryBytes } = requested;
        const without = balance(milliCpu, memoryBytes, allocatable);
        const withPod = balance(milliCpu + asked.milliCpu, memoryBytes + asked.memoryBytes, allocatable);
        return MAX_SCORE / 2 + Math.trunc((MAX_SCORE / 2 + withPod - without) / 2);
      },
    };
  },
};
