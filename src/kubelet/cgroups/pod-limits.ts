/** What a pod's cgroup allows all its containers together. Upstream's place: `ResourceConfigForPod` in `pkg/kubelet/cm`. */
import type { Pod } from '../pods/pod-spec.ts';
import { cpuQuota, cpuShares } from '../resources/container-resources.ts';
import { podLimits, podRequests } from '../resources/pod-requests.ts';
import { qosClass } from '../status/qos-class.ts';

export interface CgroupLimits {
  readonly cpuShares: number;
  /** Microseconds per 100 ms; undefined: no limit. */
  readonly cpuQuotaUs: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly pids: number | undefined;
}

export function podCgroupLimits(pod: Pod, pids: number | undefined): CgroupLimits {
  const qos = qosClass(pod);
  if (qos === 'BestEffort') {
    return { cpuShares: cpuShares(0), cpuQuotaUs: undefined, memoryBytes: undefined, pids };
  }
  const limits = podLimits(pod);
  const request = podRequests(pod).get('cpu') ?? limits.get('cpu') ?? 0;
  return {
    cpuShares: cpuShares(request),
    cpuQuotaUs: allLimited(pod, 'cpu') ? cpuQuota(limits.get('cpu') ?? 0) : undefined,
    memoryBytes: allLimited(pod, 'memory') ? limits.get('memory') : undefined,
    pids,
  };
}

/** One container without a limit leaves the pod without one, unless the pod has its own. */
function allLimited(pod: Pod, resource: 'cpu' | 'memory'): boolean {
  if (pod.spec.resources?.limits?.[resource] !== undefined) return true;
  return [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].every(
    ({ resources }) => resources?.limits?.[resource] !== undefined,
  );
}
