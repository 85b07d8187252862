/** What a PodDisruptionBudget says of its pods. Pure. */
import type { coreV1, policyV1 } from '#api';
import { deepEqual, intOrPercent, parseTimestamp } from '#machinery';
import { formatTime, type WallTimeMs } from '#platform';
import { isReady, isTerminating } from '../frame/pods.ts';

type Budget = policyV1.PodDisruptionBudget;
type Status = policyV1.PodDisruptionBudgetStatus;
type Condition = NonNullable<Status['conditions']>[number];
type Pod = coreV1.Pod;

/** An evicted pod is deleted within this time, or never. */
const DELETION_TIMEOUT_MS = 120_000;

/** Whether the pods' controllers have to be asked; a plain number of pods needs none. */
export const needsScale = ({ spec }: Budget): boolean =>
  spec.maxUnavailable !== undefined || typeof spec.minAvailable === 'string';

/** @throws Error when a percentage cannot be read. */
export function desiredHealthy({ spec }: Budget, expected: number): number {
  if (spec.maxUnavailable !== undefined)
    return Math.max(0, expected - intOrPercent(spec.maxUnavailable, expected, true));
  return spec.minAvailable === undefined ? 0 : intOrPercent(spec.minAvailable, expected, true);
}

export interface DisruptedPods {
  /** Evicted and not deleted yet, by name. */
  readonly pending: Readonly<Record<string, string>>;
  /** Evicted, but nothing came of it. */
  readonly overdue: readonly Pod[];
  /** When the first of the pending is overdue. */
  readonly nextMs: WallTimeMs | undefined;
}

export function disruptedPods({ status }: Budget, pods: readonly Pod[], nowMs: WallTimeMs): DisruptedPods {
  const pending: Record<string, string> = {};
  const overdue: Pod[] = [];
  let nextMs: WallTimeMs | undefined;
  for (const pod of pods) {
    const at = status.disruptedPods?.[pod.metadata.name];
    if (at === undefined || isTerminating(pod)) continue;
    const dueMs = parseTimestamp(at) + DELETION_TIMEOUT_MS;
    if (dueMs < nowMs) {
      overdue.push(pod);
      continue;
    }
    pending[pod.metadata.name] = at;
    nextMs = Math.min(nextMs ?? dueMs, dueMs);
  }
  return { pending, overdue, nextMs };
}

export interface BudgetCounts {
  readonly expected: number;
  readonly desired: number;
  readonly healthy: number;
  readonly pending: Readonly<Record<string, string>>;
}

export function countHealthy(pods: readonly Pod[], pending: Readonly<Record<string, string>>): number {
  return pods.filter(
    (pod) => !isTerminating(pod) && !Object.hasOwn(pending, pod.metadata.name) && isReady(pod),
  ).length;
}

/** The status as it should be; the very same when nothing differs. */
export function budgetStatus(budget: Budget, counts: BudgetCounts, nowMs: WallTimeMs): Status {
  const { expected, desired, healthy, pending } = counts;
  const { status, metadata } = budget;
  // Before the first pods appear nobody knows how many there will be.
  const allowed = expected <= 0 ? 0 : Math.max(0, healthy - desired);
  const next: Status = {
    currentHealthy: healthy,
    desiredHealthy: desired,
    expectedPods: expected,
    disruptionsAllowed: allowed,
    ...(Object.keys(pending).length === 0 ? {} : { disruptedPods: pending }),
    ...(metadata.generation === undefined ? {} : { observedGeneration: metadata.generation }),
    conditions: withCondition(status.conditions, {
      type: 'DisruptionAllowed',
      status: allowed > 0 ? 'True' : 'False',
      reason: allowed > 0 ? 'SufficientPods' : 'InsufficientPods',
      message: '',
      lastTransitionTime: formatTime(nowMs),
      ...(metadata.generation === undefined ? {} : { observedGeneration: metadata.generation }),
    }),
  };
  return deepEqual(next, status) ? status : next;
}

/** Nothing may be evicted as long as it is not known what there should be. */
export function failedStatus({ status }: Budget, message: string, nowMs: WallTimeMs): Status {
  const { observedGeneration } = status;
  return {
    ...status,
    disruptionsAllowed: 0,
    conditions: withCondition(status.conditions, {
      type: 'DisruptionAllowed',
      status: 'False',
      reason: 'SyncFailed',
      message,
      lastTransitionTime: formatTime(nowMs),
      ...(observedGeneration === undefined ? {} : { observedGeneration }),
    }),
  };
}

function withCondition(conditions: readonly Condition[] | undefined, next: Condition): readonly Condition[] {
  const known = conditions?.find(({ type }) => type === next.type);
  if (known === undefined) return [...(conditions ?? []), next];
  const { lastTransitionTime } = known.status === next.status ? known : next;
  const merged = { ...next, lastTransitionTime };
  return (conditions ?? []).map((condition) => (condition === known ? merged : condition));
}
