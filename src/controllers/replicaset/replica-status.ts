import type { appsV1, coreV1 } from '#api';
import { deepEqual } from '#machinery';
import { messageOf } from '../frame/pod-control.ts';
import { isAvailable, isReady } from '../frame/pods.ts';

export interface ReplicaStatusInput {
  readonly status: appsV1.ReplicaSetStatus;
  readonly generation: number | undefined;
  readonly replicas: number;
  readonly minReadySeconds: number;
  readonly templateLabels: Readonly<Record<string, string>>;
  readonly active: readonly coreV1.Pod[];
  /** Absent: not reported (ReplicationController). */
  readonly terminating?: readonly coreV1.Pod[];
  /** What creating or deleting pods failed with. */
  readonly error: unknown;
  readonly nowMs: number;
  readonly now: string;
}

const FAILURE = 'ReplicaFailure';

function failureConditions(input: ReplicaStatusInput): readonly appsV1.ReplicaSetCondition[] | undefined {
  const { status, error, active, replicas, now } = input;
  const known = status.conditions?.find(({ type }) => type === FAILURE);
  if (error === undefined) {
    return known === undefined
      ? status.conditions
      : status.conditions?.filter((condition) => condition !== known);
  }
  if (known !== undefined) return status.conditions;
  const condition = {
    type: FAILURE,
    status: 'True',
    lastTransitionTime: now,
    reason: active.length < replicas ? 'FailedCreate' : active.length > replicas ? 'FailedDelete' : '',
    message: messageOf(error),
  };
  return [...(status.conditions ?? []), condition];
}

/** The status as it should be; the given one when nothing differs. */
export function replicaStatus(input: ReplicaStatusInput): appsV1.ReplicaSetStatus {
  const { status, active, minReadySeconds, templateLabels, terminating, nowMs } = input;
  const wanted = Object.entries(templateLabels);
  const ready = active.filter(isReady);
  const conditions = failureConditions(input);
  const next: appsV1.ReplicaSetStatus = {
    replicas: active.length,
    fullyLabeledReplicas: active.filter(({ metadata }) =>
      wanted.every(([key, value]) => metadata.labels?.[key] === value),
    ).length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter((pod) => isAvailable(pod, minReadySeconds, nowMs)).length,
    ...(terminating === undefined ? {} : { terminatingReplicas: terminating.length }),
    ...(input.generation === undefined ? {} : { observedGeneration: input.generation }),
    ...(conditions === undefined || conditions.length === 0 ? {} : { conditions }),
  };
  return deepEqual(normalised(next), normalised(status)) ? status : next;
}

/** Absent and zero are the same in Go. */
function normalised(status: appsV1.ReplicaSetStatus): appsV1.ReplicaSetStatus {
  return {
    ...status,
    fullyLabeledReplicas: status.fullyLabeledReplicas ?? 0,
    readyReplicas: status.readyReplicas ?? 0,
    availableReplicas: status.availableReplicas ?? 0,
    conditions: status.conditions ?? [],
  };
}
