/** Tells changes of a pod that mean work for its node from the echo of what the kubelet itself reported. */
import type { coreV1 } from '#api';
import { sameValue } from '../status/same-value.ts';
import type { Pod } from './pod-spec.ts';

export function changesWork(old: Pod, pod: Pod): boolean {
  const before = old.metadata;
  const after = pod.metadata;
  return (
    after.deletionTimestamp !== before.deletionTimestamp ||
    after.deletionGracePeriodSeconds !== before.deletionGracePeriodSeconds ||
    !sameValue(after.labels, before.labels) ||
    !sameValue(after.annotations, before.annotations) ||
    !sameSpec(old, pod) ||
    (pod.spec.readinessGates !== undefined && !sameValue(gates(old), gates(pod)))
  );
}

/** The generation counts changes of the spec; an object without one is compared. */
function sameSpec(old: Pod, pod: Pod): boolean {
  const { generation } = pod.metadata;
  if (old.spec === pod.spec) return true;
  if (generation !== undefined && generation !== old.metadata.generation) return false;
  return sameValue(old.spec, pod.spec);
}

/** Conditions that readiness gates wait for: others set them. */
function gates(pod: Pod): readonly (coreV1.PodCondition | undefined)[] {
  const conditions = pod.status.conditions ?? [];
  return (pod.spec.readinessGates ?? []).map(({ conditionType }) =>
    conditions.find(({ type }) => type === conditionType),
  );
}
