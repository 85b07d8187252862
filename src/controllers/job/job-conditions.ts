import type { batchV1 } from '#api';

export type JobCondition = batchV1.JobCondition;
type Conditions = readonly JobCondition[];

export type JobConditionType = 'Suspended' | 'Complete' | 'Failed' | 'FailureTarget' | 'SuccessCriteriaMet';

export function jobCondition(
  conditions: Conditions | undefined,
  type: JobConditionType,
): JobCondition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export const isConditionTrue = (conditions: Conditions | undefined, type: JobConditionType): boolean =>
  jobCondition(conditions, type)?.status === 'True';

export const isJobFinished = ({ status }: batchV1.Job): boolean =>
  isConditionTrue(status.conditions, 'Complete') || isConditionTrue(status.conditions, 'Failed');

/** Why a job ends, or has. */
export interface JobEnd {
  readonly type: 'FailureTarget' | 'SuccessCriteriaMet';
  readonly reason: string;
  readonly message: string;
}

export function conditionOf(
  type: JobConditionType,
  status: 'True' | 'False',
  { reason, message }: Pick<JobEnd, 'reason' | 'message'>,
  now: string,
): JobCondition {
  return { type, status, lastProbeTime: now, lastTransitionTime: now, reason, message };
}

/** The same list when it says that already; one that was never true is not written as false. */
export function withJobCondition(conditions: Conditions, next: JobCondition): Conditions {
  const known = conditions.find(({ type }) => type === next.type);
  if (known === undefined) return next.status === 'False' ? conditions : [...conditions, next];
  const { status, reason, message } = next;
  if (known.status === status && known.reason === reason && known.message === message) return conditions;
  return conditions.map((condition) => (condition === known ? next : condition));
}
