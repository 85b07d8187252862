/** Quality of service class of a pod, from the requests and limits of its containers (KEP-2837 for pod-level ones). */
import type { coreV1 } from '#api';
import type { Pod } from '../pods/pod-spec.ts';
import { milliOf } from '../resources/quantities.ts';

export type QosClass = NonNullable<coreV1.PodStatus['qosClass']>;

const COUNTED = ['cpu', 'memory'] as const;

export function qosClass(pod: Pod): QosClass {
  if (pod.status?.qosClass !== undefined) return pod.status.qosClass;
  return computeQosClass(pod);
}

export function computeQosClass(pod: Pod): QosClass {
  const owners =
    pod.spec.resources !== undefined && hasAny(pod.spec.resources)
      ? [pod.spec.resources]
      : [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].map(({ resources }) => resources ?? {});
  if (!owners.some(hasAny)) return 'BestEffort';
  const guaranteed = owners.every((owner) =>
    COUNTED.every((name) => {
      const limit = amount(owner.limits, name);
      const request = amount(owner.requests, name) || limit;
      return limit > 0 && request === limit;
    }),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

const amount = (list: Readonly<Record<string, string>> | undefined, name: string): number => {
  const quantity = list?.[name];
  return quantity === undefined ? 0 : milliOf(quantity);
};

const hasAny = (owner: coreV1.ResourceRequirements): boolean =>
  COUNTED.some((name) => amount(owner.requests, name) > 0 || amount(owner.limits, name) > 0);
