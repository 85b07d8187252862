import type { coreV1 } from '#api';
import type { KubeObject } from '#machinery';
import { typed } from '../typed-object.ts';

/** The pod with a condition that is now true; its transition time stays when it was true before. */
export function withTrueCondition(
  live: KubeObject,
  condition: { readonly type: string; readonly reason?: string; readonly message?: string },
  now: string,
): KubeObject {
  const pod = typed<coreV1.Pod>(live);
  const conditions = pod.status?.conditions ?? [];
  const before = conditions.find(({ type }) => type === condition.type);
  const next = {
    type: condition.type,
    status: 'True',
    lastProbeTime: null,
    lastTransitionTime: before?.status === 'True' ? before.lastTransitionTime : now,
    ...(condition.reason === undefined ? {} : { reason: condition.reason }),
    ...(condition.message === undefined ? {} : { message: condition.message }),
  };
  const others = conditions.filter(({ type }) => type !== condition.type);
  return { ...live, status: { ...pod.status, conditions: [...others, next] } };
}
