/** Facts about a pod that several parts of the scheduler ask for. */
import type { coreV1 } from '#api';

export const priorityOf = (pod: coreV1.Pod): number => pod.spec.priority ?? 0;

export const isAssigned = (pod: coreV1.Pod): boolean => (pod.spec.nodeName ?? '') !== '';

/** Finished pods hold no resources. */
export const isFinished = (pod: coreV1.Pod): boolean =>
  pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed';

export const isTerminating = (pod: coreV1.Pod): boolean => pod.metadata.deletionTimestamp !== undefined;
