import type { coreV1 } from '#api';
import { type Informer, objectKey } from '#client';
import { deepEqual } from '#machinery';
import { isFinished, isReady } from '../frame/pods.ts';

type Pod = coreV1.Pod;

export function selects(
  { spec }: coreV1.Service,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  // No selector selects nothing: its endpoints are somebody else's.
  if (spec.selector === undefined) return false;
  return Object.entries(spec.selector).every(([key, value]) => labels?.[key] === value);
}

/** Wakes the Services whose endpoints a change of a pod may touch. Returns the way to stop. */
export function watchPodsOfServices(
  pods: Informer<Pod>,
  services: Informer<coreV1.Service>,
  enqueue: (key: string) => void,
): () => void {
  const wake = (...states: readonly Pod[]): void => {
    for (const service of services.list(states[0]?.metadata.namespace)) {
      if (states.some((pod) => selects(service, pod.metadata.labels))) enqueue(objectKey(service));
    }
  };
  return pods.addHandler({
    onAdd: (pod) => wake(pod),
    onUpdate: (pod, old) => {
      if (!isSameEndpoint(pod, old)) wake(pod, old);
    },
    onDelete: (pod) => wake(pod),
  });
}

/** Most updates of a pod say nothing to its endpoints. */
function isSameEndpoint(pod: Pod, old: Pod): boolean {
  return (
    isReady(pod) === isReady(old) &&
    isFinished(pod) === isFinished(old) &&
    pod.metadata.deletionTimestamp === old.metadata.deletionTimestamp &&
    pod.spec.nodeName === old.spec.nodeName &&
    pod.status.podIP === old.status.podIP &&
    deepEqual(pod.status.podIPs, old.status.podIPs) &&
    deepEqual(pod.metadata.labels, old.metadata.labels)
  );
}
