/** The smallest patch that makes the API's status of a pod what the kubelet wants it to be. */
import type { coreV1 } from '#api';
import { isKubeletCondition } from './conditions.ts';
import { sameValue } from './same-value.ts';

type PodStatus = coreV1.PodStatus;

/** Lists that are one value: sent whole. */
const WHOLE_LISTS = ['initContainerStatuses', 'containerStatuses', 'ephemeralContainerStatuses'] as const;
/** Lists that a strategic merge would join by key, where an old entry must go. */
const KEYED_LISTS = ['hostIPs', 'podIPs'] as const;
const SCALARS = [
  'observedGeneration',
  'phase',
  'message',
  'reason',
  'hostIP',
  'podIP',
  'startTime',
  'qosClass',
] as const;

/**
 * A strategic merge patch for the status subresource; undefined when nothing differs. It carries the uid, so it
 * never hits another pod of the same name, and only conditions that are the kubelet's: those of others may have changed
 * since the status was made, and putting them back would fight with whoever changed them.
 */
export function statusPatch(uid: string, from: PodStatus, to: PodStatus): object | undefined {
  const status: Record<string, unknown> = {};
  for (const key of SCALARS) if (from[key] !== to[key]) status[key] = to[key] ?? null;
  for (const key of WHOLE_LISTS)
    if (!sameValue(from[key] ?? [], to[key] ?? [])) status[key] = to[key] ?? null;
  for (const key of KEYED_LISTS) {
    if (sameValue(from[key] ?? [], to[key] ?? [])) continue;
    status[key] = [{ $patch: 'replace' }, ...(to[key] ?? [])];
  }
  const before = new Map((from.conditions ?? []).map((condition) => [condition.type, condition]));
  const changed = (to.conditions ?? []).filter(
    (condition) => isKubeletCondition(condition.type) && !sameValue(before.get(condition.type), condition),
  );
  if (changed.length > 0)
    status['conditions'] = changed.map((condition) => withNulls(before.get(condition.type), condition));
  return Object.keys(status).length === 0 ? undefined : { metadata: { uid }, status };
}

/** A merge keeps what is not mentioned: mention what has to go. */
function withNulls(before: coreV1.PodCondition | undefined, condition: coreV1.PodCondition): object {
  const gone: Record<string, null> = {};
  for (const key of ['reason', 'message'] as const) {
    if (before?.[key] !== undefined && condition[key] === undefined) gone[key] = null;
  }
  return { ...condition, ...gone };
}
