/** Which pods go first when there are too many: the ones whose loss hurts least. */
import type { coreV1 } from '#api';
import { parseTimestamp } from '#machinery';
import { isReady, readySinceMs } from '../frame/pods.ts';

type Pod = coreV1.Pod;

const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';
const PHASE_ORDER: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/** An annotation that is not a whole number counts as 0, as the API server would have refused it. */
function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.[DELETION_COST] ?? '';
  return /^(0|-?[1-9]\d{0,9})$/.test(text) ? Number(text) : 0;
}

function restarts(
  statuses: readonly coreV1.ContainerStatus[] | undefined,
  counts: (name: string) => boolean,
): number {
  return Math.max(
    0,
    ...(statuses ?? []).filter(({ name }) => counts(name)).map(({ restartCount }) => restartCount),
  );
}

function sidecarRestarts(pod: Pod): number {
  const sidecars = new Set(
    pod.spec.initContainers
      ?.filter(({ restartPolicy }) => restartPolicy === 'Always')
      .map(({ name }) => name),
  );
  return sidecars.size === 0 ? 0 : restarts(pod.status.initContainerStatuses, (name) => sidecars.has(name));
}

/**
 * Ages compared by their order of magnitude (base 2), so that among pods of about the same age chance decides and not
 * always the newest dies (KEP-2185). Positive: `a` is older.
 */
function magnitudeDifference(aMs: number, bMs: number, nowMs: number): number {
  const magnitude = (ms: number): number => (nowMs > ms ? Math.floor(Math.log2((nowMs - ms) * 1e6)) : -1);
  return magnitude(aMs) - magnitude(bMs);
}

function byAge(a: number, b: number, uids: readonly [string, string], nowMs: number): number {
  const difference = magnitudeDifference(a, b, nowMs);
  if (difference !== 0) return difference;
  return uids[0] < uids[1] ? -1 : 1;
}

/** Ready pods of the same set on the same node, counted over all pods related to it. */
function readyPerNode(related: readonly Pod[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const pod of related) {
    const node = pod.spec.nodeName ?? '';
    if (isReady(pod) && node !== '') counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  return counts;
}

function compare(a: Pod, b: Pod, rank: (pod: Pod) => number, nowMs: number): number {
  const nodeA = (a.spec.nodeName ?? '') === '' ? 0 : 1;
  const nodeB = (b.spec.nodeName ?? '') === '' ? 0 : 1;
  const firstDifference =
    nodeA - nodeB ||
    (PHASE_ORDER[a.status.phase ?? ''] ?? 0) - (PHASE_ORDER[b.status.phase ?? ''] ?? 0) ||
    Number(isReady(a)) - Number(isReady(b)) ||
    deletionCost(a) - deletionCost(b) ||
    rank(b) - rank(a);
  if (firstDifference !== 0) return firstDifference;
  const uids = [a.metadata.uid, b.metadata.uid] as const;
  const [readyA, readyB] = [readySinceMs(a), readySinceMs(b)];
  if (readyA !== undefined && readyB !== undefined && readyA !== readyB)
    return byAge(readyA, readyB, uids, nowMs);
  const restartDifference =
    restarts(b.status.containerStatuses, () => true) - restarts(a.status.containerStatuses, () => true) ||
    sidecarRestarts(b) - sidecarRestarts(a);
  if (restartDifference !== 0) return restartDifference;
  const [createdA, createdB] = [a, b].map((pod) => parseTimestamp(pod.metadata.creationTimestamp));
  if (createdA === createdB || createdA === undefined || createdB === undefined) return 0;
  return byAge(createdA, createdB, uids, nowMs);
}

/**
 * The `count` of `pods` to delete. `related` are all active pods of sets with the same owner (a Deployment's), by
 * which pods that share their node with many of their kind are found.
 */
export function podsToDelete(
  pods: readonly Pod[],
  related: readonly Pod[],
  count: number,
  nowMs: number,
): readonly Pod[] {
  if (count >= pods.length) return pods;
  const perNode = readyPerNode(related);
  const rank = (pod: Pod): number => perNode.get(pod.spec.nodeName ?? '') ?? 0;
  return pods.toSorted((a, b) => compare(a, b, rank, nowMs)).slice(0, count);
}
