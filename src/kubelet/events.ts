/** Events as the kubelet writes them. The client's event recorder stands behind it; tests read them directly. */
import { containerFieldPath, type Pod } from './pods/pod-spec.ts';

export interface EventTarget {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  /** `spec.containers{web}`. */
  readonly fieldPath?: string;
}

/** Best effort: never throws, never waits. */
export interface EventSink {
  record(about: EventTarget, type: 'Normal' | 'Warning', reason: string, message: string): void;
}

export function podTarget(pod: Pod, containerName?: string): EventTarget {
  const { namespace, name, uid, resourceVersion } = pod.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    ...(namespace === undefined ? {} : { namespace }),
    name,
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(containerName === undefined ? {} : { fieldPath: containerFieldPath(pod, containerName) }),
  };
}
