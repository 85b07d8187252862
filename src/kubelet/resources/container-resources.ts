/** Requests and limits as cgroup numbers. Formulas are upstream's (`pkg/kubelet/cm`, `pkg/kubelet/qos`). */
import type { LinuxResources } from '#cri';
import { type Container, isSidecar, type Pod } from '../pods/pod-spec.ts';
import { qosClass } from '../status/qos-class.ts';
import { milliOf, valueOf } from './quantities.ts';

export const MIN_SHARES = 2;
const MAX_SHARES = 262_144;
const SHARES_PER_CPU = 1024;
export const QUOTA_PERIOD_US = 100_000;
const MIN_QUOTA_US = 1000;

const GUARANTEED_OOM_SCORE = -997;
const BEST_EFFORT_OOM_SCORE = 1000;
/** `system-node-critical`: the last to go. */
const NODE_CRITICAL_PRIORITY = 2_000_001_000;

export function cpuShares(milliCpu: number): number {
  if (milliCpu === 0) return MIN_SHARES;
  return Math.min(MAX_SHARES, Math.max(MIN_SHARES, Math.floor((milliCpu * SHARES_PER_CPU) / 1000)));
}

/** Microseconds per period. */
export const cpuQuota = (milliCpu: number): number =>
  Math.max(MIN_QUOTA_US, Math.floor((milliCpu * QUOTA_PERIOD_US) / 1000));

export function containerResources(
  pod: Pod,
  container: Container,
  memoryCapacityBytes: number,
): LinuxResources {
  const { requests = {}, limits = {} } = container.resources ?? {};
  const podLimits = pod.spec.resources?.limits ?? {};
  const cpuLimit = milliOf(limits['cpu'] ?? podLimits['cpu'] ?? '0');
  const memoryLimit = valueOf(limits['memory'] ?? podLimits['memory'] ?? '0');
  // Without a request the limit counts as one.
  const cpuRequest = requests['cpu'] === undefined ? cpuLimit : milliOf(requests['cpu']);
  return {
    cpuPeriod: QUOTA_PERIOD_US,
    ...(cpuLimit === 0 ? {} : { cpuQuota: cpuQuota(cpuLimit) }),
    cpuShares: cpuShares(cpuRequest),
    ...(memoryLimit === 0 ? {} : { memoryLimitBytes: memoryLimit }),
    oomScoreAdj: oomScoreAdj(pod, container, memoryCapacityBytes),
  };
}

/**
 * Burstable containers get 1000 minus the share of the node's memory they asked for (in thousandths), within
 * 3 … 999, so that what uses more than it asked for dies first.
 */
export function oomScoreAdj(pod: Pod, container: Container, memoryCapacityBytes: number): number {
  if ((pod.spec.priority ?? 0) >= NODE_CRITICAL_PRIORITY) return GUARANTEED_OOM_SCORE;
  const qos = qosClass(pod);
  if (qos === 'Guaranteed') return GUARANTEED_OOM_SCORE;
  if (qos === 'BestEffort') return BEST_EFFORT_OOM_SCORE;
  const request = memoryRequest(container);
  const initSidecar = isSidecar(container) && (pod.spec.initContainers ?? []).includes(container);
  // A sidecar must not die before the containers it serves.
  const counted = initSidecar
    ? Math.max(request, Math.min(...pod.spec.containers.map(memoryRequest)))
    : request;
  const score = 1000 - Math.floor((1000 * counted) / memoryCapacityBytes);
  return Math.min(BEST_EFFORT_OOM_SCORE - 1, Math.max(1000 + GUARANTEED_OOM_SCORE, score));
}

const memoryRequest = (container: Container): number =>
  valueOf(container.resources?.requests?.['memory'] ?? '0');
