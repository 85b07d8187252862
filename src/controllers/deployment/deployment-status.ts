/** A Deployment's status, drawn from its ReplicaSets. Pure. */
import type { appsV1 } from '#api';
import { deepEqual, parseTimestamp } from '#machinery';
import { formatTime } from '#platform';
import {
  type Condition,
  findCondition,
  newCondition,
  withCondition,
  withoutCondition,
} from './conditions.ts';
import { maxUnavailable } from './limits.ts';
import {
  availableReplicas,
  type Deployment,
  readyReplicas,
  type ReplicaSet,
  specReplicas,
  statusReplicas,
  terminatingReplicas,
  wantedSize,
} from './replica-sets.ts';

type Status = appsV1.DeploymentStatus;

/** "Never" as the API spells it. */
const NO_DEADLINE = 2 ** 31 - 1;

export interface Sets {
  readonly newSet: ReplicaSet | undefined;
  readonly oldSets: readonly ReplicaSet[];
}

const all = ({ newSet, oldSets }: Sets): readonly ReplicaSet[] =>
  newSet === undefined ? oldSets : [...oldSets, newSet];

export function hasProgressDeadline({ spec }: Deployment): boolean {
  return spec.progressDeadlineSeconds !== undefined && spec.progressDeadlineSeconds !== NO_DEADLINE;
}

/** Everything wanted is there, new and available, and nothing else is. */
export function isComplete(deployment: Deployment, status: Status): boolean {
  const wanted = wantedSize(deployment);
  return (
    (status.updatedReplicas ?? 0) === wanted &&
    (status.replicas ?? 0) === wanted &&
    (status.availableReplicas ?? 0) === wanted &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

/** Counts and the Available condition; what is known about progress stays. */
export function countedStatus(deployment: Deployment, sets: Sets, nowMs: number): Status {
  const every = all(sets);
  const available = availableReplicas(every);
  const terminating = terminatingReplicas(every);
  const { collisionCount, conditions = [] } = deployment.status;
  const now = formatTime(nowMs);
  const enough = available >= wantedSize(deployment) - maxUnavailable(deployment);
  const availability = enough
    ? newCondition(
        now,
        'Available',
        'True',
        'MinimumReplicasAvailable',
        'Deployment has minimum availability.',
      )
    : newCondition(
        now,
        'Available',
        'False',
        'MinimumReplicasUnavailable',
        'Deployment does not have minimum availability.',
      );
  return {
    observedGeneration: deployment.metadata.generation,
    replicas: statusReplicas(every),
    updatedReplicas: sets.newSet?.status.replicas ?? 0,
    readyReplicas: readyReplicas(every),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, specReplicas(every) - available),
    ...(terminating === undefined ? {} : { terminatingReplicas: terminating }),
    conditions: withCondition(conditions, availability),
    ...(collisionCount === undefined ? {} : { collisionCount }),
  };
}

/** The same with what can be said about the rollout's progress. */
export function rolloutStatus(deployment: Deployment, sets: Sets, nowMs: number): Status {
  const status = countedStatus(deployment, sets, nowMs);
  let conditions = status.conditions ?? [];
  if (hasProgressDeadline(deployment)) conditions = progressConditions(deployment, sets, status, nowMs);
  else conditions = withoutCondition(conditions, 'Progressing');
  const failure = replicaFailure(sets);
  conditions =
    failure === undefined
      ? withoutCondition(conditions, 'ReplicaFailure')
      : withCondition(conditions, failure);
  return { ...status, conditions };
}

function progressConditions(
  deployment: Deployment,
  { newSet }: Sets,
  status: Status,
  nowMs: number,
): readonly Condition[] {
  const conditions = status.conditions ?? [];
  const current = findCondition(deployment.status.conditions, 'Progressing');
  // A rollout that ended well is not looked at again: pods that fail later are not its lack of progress.
  const ended = (status.replicas ?? 0) === (status.updatedReplicas ?? 0);
  if (ended && current?.reason === 'NewReplicaSetAvailable') return conditions;
  const now = formatTime(nowMs);
  const subject =
    newSet === undefined
      ? `Deployment "${deployment.metadata.name}"`
      : `ReplicaSet "${newSet.metadata.name}"`;
  if (isComplete(deployment, status)) {
    const message = `${subject} has successfully progressed.`;
    return withCondition(
      conditions,
      newCondition(now, 'Progressing', 'True', 'NewReplicaSetAvailable', message),
    );
  }
  if (hasProgressed(deployment.status, status)) {
    const next = newCondition(now, 'Progressing', 'True', 'ReplicaSetUpdated', `${subject} is progressing.`);
    const lastTransitionTime = current?.status === 'True' ? current.lastTransitionTime : now;
    // Unlike with other conditions the time of the update counts, so the old one has to go first.
    return withCondition(withoutCondition(conditions, 'Progressing'), { ...next, lastTransitionTime });
  }
  if (isTimedOut(deployment, current, nowMs)) {
    const message = `${subject} has timed out progressing.`;
    return withCondition(
      conditions,
      newCondition(now, 'Progressing', 'False', 'ProgressDeadlineExceeded', message),
    );
  }
  return conditions;
}

/** More new pods, fewer old ones, more ready or more available: the rollout moves. */
function hasProgressed(before: Status, after: Status): boolean {
  const updated = (status: Status): number => status.updatedReplicas ?? 0;
  const old = (status: Status): number => (status.replicas ?? 0) - updated(status);
  return (
    updated(after) > updated(before) ||
    old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

function isTimedOut(deployment: Deployment, current: Condition | undefined, nowMs: number): boolean {
  if (current === undefined || current.reason === 'NewReplicaSetAvailable') return false;
  if (current.reason === 'ProgressDeadlineExceeded') return true;
  return deadlineMs(deployment, current) < nowMs;
}

function deadlineMs(deployment: Deployment, current: Condition): number {
  return parseTimestamp(current.lastUpdateTime ?? '') + (deployment.spec.progressDeadlineSeconds ?? 0) * 1000;
}

/** How long until lack of progress has to be looked at; undefined when it need not be. */
export function msUntilProgressCheck(
  deployment: Deployment,
  status: Status,
  nowMs: number,
): number | undefined {
  const current = findCondition(deployment.status.conditions, 'Progressing');
  if (!hasProgressDeadline(deployment) || current === undefined) return undefined;
  if (isComplete(deployment, status) || current.reason === 'ProgressDeadlineExceeded') return undefined;
  // A second more: times in conditions have no fraction.
  return Math.max(0, deadlineMs(deployment, current) - nowMs) + 1000;
}

/** The new set's failure before that of any other. */
function replicaFailure({ newSet, oldSets }: Sets): Condition | undefined {
  for (const set of newSet === undefined ? oldSets : [newSet, ...oldSets]) {
    const failure = set.status.conditions?.find(({ type }) => type === 'ReplicaFailure');
    if (failure !== undefined) return { ...failure, lastUpdateTime: failure.lastTransitionTime };
  }
  return undefined;
}

const COUNTS = [
  'replicas',
  'updatedReplicas',
  'readyReplicas',
  'availableReplicas',
  'unavailableReplicas',
  'observedGeneration',
] as const;

/** True when writing `next` would change nothing; absent counts are zero. */
export function isSameStatus(current: Status, next: Status): boolean {
  return (
    COUNTS.every((count) => (current[count] ?? 0) === (next[count] ?? 0)) &&
    current.terminatingReplicas === next.terminatingReplicas &&
    current.collisionCount === next.collisionCount &&
    deepEqual(current.conditions ?? [], next.conditions ?? [])
  );
}
