import type { appsV1 } from '#api';

export type Condition = appsV1.DeploymentCondition;
export type ConditionType = 'Available' | 'Progressing' | 'ReplicaFailure';

export function findCondition(
  conditions: readonly Condition[] | undefined,
  type: ConditionType,
): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export const withoutCondition = (
  conditions: readonly Condition[],
  type: ConditionType,
): readonly Condition[] =>
  conditions.some((condition) => condition.type === type)
    ? conditions.filter((condition) => condition.type !== type)
    : conditions;

/** Same status and reason: nothing changed, whatever the message says. Same status: it did not transition. */
export function withCondition(conditions: readonly Condition[], next: Condition): readonly Condition[] {
  const current = conditions.find(({ type }) => type === next.type);
  if (current?.status === next.status && current.reason === next.reason) return conditions;
  const lastTransitionTime =
    current?.status === next.status ? current.lastTransitionTime : next.lastTransitionTime;
  return [...conditions.filter(({ type }) => type !== next.type), { ...next, lastTransitionTime }];
}

export function newCondition(
  now: string,
  type: ConditionType,
  status: 'True' | 'False' | 'Unknown',
  reason: string,
  message: string,
): Condition {
  return { type, status, lastUpdateTime: now, lastTransitionTime: now, reason, message };
}
