import type { coreV1 } from '#api';

/** What the scheduler tells people about a pod. */
export interface PodEventSink {
  event(
    object: coreV1.Pod,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    action?: string,
  ): void;
}
