import { parseQuantity } from '#machinery';
import type { coreV1 } from '../../types/index.ts';

const COMPUTE = ['cpu', 'memory'] as const;
type List = Readonly<Record<string, string>> | undefined;

const positive = (list: List, name: string): string | undefined => {
  const text = list?.[name];
  return text !== undefined && parseQuantity(text).compare(parseQuantity('0')) > 0 ? text : undefined;
};

/**
 * Guaranteed: every container has limits for CPU and memory and requests just as much. BestEffort: none asks for or
 * limits anything. Burstable: all else.
 * Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/.
 */
export function qualityOfService(spec: coreV1.PodSpec): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const parts =
    spec.resources === undefined
      ? [...spec.containers, ...(spec.initContainers ?? [])].map((container) => container.resources)
      : [spec.resources];
  const mentions = parts.some((part) =>
    COMPUTE.some((name) => positive(part?.requests, name) ?? positive(part?.limits, name)),
  );
  if (!mentions) return 'BestEffort';
  const guaranteed = parts.every((part) =>
    COMPUTE.every((name) => {
      const limit = positive(part?.limits, name);
      const request = positive(part?.requests, name) ?? limit;
      return (
        limit !== undefined &&
        request !== undefined &&
        parseQuantity(limit).compare(parseQuantity(request)) === 0
      );
    }),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
