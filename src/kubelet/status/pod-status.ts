/**
 * The status of a pod as the API shall show it. Pure: the same inputs give the same status.
 * Upstream's place for the same: `generateAPIPodStatus` in `pkg/kubelet`.
 */
import type { coreV1 } from '#api';
import { isHostNetwork, isSidecar, isTerminalPhase, type Pod } from '../pods/pod-spec.ts';
import type { RuntimePod } from '../pods/runtime-pod.ts';
import {
  containersReadyCondition,
  initializedCondition,
  isKubeletCondition,
  readyCondition,
  readyToStartContainersCondition,
  stampCondition,
} from './conditions.ts';
import { containerStatuses, initializedInSandbox, type WaitingReason } from './container-statuses.ts';
import { computePhase } from './phase.ts';
import { qosClass } from './qos-class.ts';

type PodStatus = coreV1.PodStatus;
type ContainerStatus = coreV1.ContainerStatus;

/** What the probes say about a running container. */
export interface Readiness {
  started(containerName: string, containerId: string): boolean;
  ready(containerName: string, containerId: string): boolean;
}

export interface PodStatusInput {
  readonly pod: Pod;
  readonly runtime: RuntimePod;
  readonly runtimeName: string;
  /** What was reported last; the API's own at first. */
  readonly old: PodStatus;
  /** Nothing of the pod will be started again. */
  readonly terminal: boolean;
  readonly waiting: ReadonlyMap<string, WaitingReason>;
  readonly readiness: Readiness;
  readonly hostIps: readonly string[];
  /** The pod must fail now, whatever its containers do: eviction, deadline. */
  readonly failure?: { readonly reason: string; readonly message: string };
  /** RFC 3339. */
  readonly now: string;
}

export function computePodStatus(input: PodStatusInput): PodStatus {
  const { pod, runtime, old } = input;
  const regular = withReadiness(
    input,
    containerStatuses(input, 'regular', pod.spec.containers, old.containerStatuses ?? []),
  );
  const init = initReadiness(
    input,
    containerStatuses(input, 'init', pod.spec.initContainers ?? [], old.initContainerStatuses ?? []),
  );
  const ephemeral = containerStatuses(
    input,
    'ephemeral',
    pod.spec.ephemeralContainers ?? [],
    old.ephemeralContainerStatuses ?? [],
  );
  const verdict = decidePhase(input, [...init, ...regular]);
  return {
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    phase: verdict.phase,
    conditions: conditionsOf(input, [...init, ...regular], verdict.phase),
    ...(verdict.message === undefined ? {} : { message: verdict.message }),
    ...(verdict.reason === undefined ? {} : { reason: verdict.reason }),
    ...carriedOver(old),
    ...addresses(input, runtime),
    startTime: old.startTime ?? input.now,
    ...(init.length === 0 ? {} : { initContainerStatuses: init }),
    containerStatuses: regular,
    qosClass: qosClass(pod),
    ...(ephemeral.length === 0 ? {} : { ephemeralContainerStatuses: ephemeral }),
  };
}

/** Fields of the status that others write. */
function carriedOver(old: PodStatus): Partial<PodStatus> {
  const { nominatedNodeName, resourceClaimStatuses, extendedResourceClaimStatus } = old;
  return {
    ...(nominatedNodeName === undefined ? {} : { nominatedNodeName }),
    ...(resourceClaimStatuses === undefined ? {} : { resourceClaimStatuses }),
    ...(extendedResourceClaimStatus === undefined ? {} : { extendedResourceClaimStatus }),
  };
}

function decidePhase(
  input: PodStatusInput,
  statuses: readonly ContainerStatus[],
): Pick<PodStatus, 'reason' | 'message'> & { readonly phase: NonNullable<PodStatus['phase']> } {
  const { pod, runtime, old, failure } = input;
  const reported = pod.status?.phase;
  if (failure !== undefined && !isTerminalPhase(reported)) return { phase: 'Failed', ...failure };
  let phase = computePhase(pod, statuses, {
    terminal: input.terminal,
    initialized: initializedInSandbox(pod, runtime),
  });
  // A pod that is over stays over.
  if (isTerminalPhase(old.phase) && old.phase !== undefined) phase = old.phase;
  if (isTerminalPhase(reported) && reported !== undefined) phase = reported;
  if (phase !== old.phase) return { phase };
  const reason = old.reason ?? pod.status?.reason;
  const message = old.message ?? pod.status?.message;
  return {
    phase,
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
  };
}

function conditionsOf(
  input: PodStatusInput,
  statuses: readonly ContainerStatus[],
  phase: NonNullable<PodStatus['phase']>,
): readonly coreV1.PodCondition[] {
  const { pod, old, now } = input;
  const foreign = (pod.status?.conditions ?? []).filter(({ type }) => !isKubeletCondition(type));
  const containersReady = containersReadyCondition(pod, statuses, phase);
  const own = [
    readyToStartContainersCondition(input.runtime),
    initializedCondition(pod, statuses, phase),
    readyCondition(pod, containersReady, foreign),
    containersReady,
    { type: 'PodScheduled', status: 'True' } as const,
  ];
  const before = [...(old.conditions ?? []), ...(pod.status?.conditions ?? [])];
  return [...foreign, ...own.map((draft) => stampCondition(draft, before, now, pod.metadata.generation))];
}

function addresses(input: PodStatusInput, runtime: RuntimePod): Partial<PodStatus> {
  const { hostIps, pod, old } = input;
  const onHost = isHostNetwork(pod);
  // A stopped sandbox has no address any more; the pod keeps the one it had.
  const ips = onHost
    ? hostIps
    : runtime.ips.length > 0
      ? runtime.ips
      : (old.podIPs ?? []).map(({ ip }) => ip);
  return {
    ...(hostIps[0] === undefined ? {} : { hostIP: hostIps[0], hostIPs: hostIps.map((ip) => ({ ip })) }),
    ...(ips[0] === undefined ? {} : { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
  };
}

function withReadiness(
  { readiness }: PodStatusInput,
  statuses: readonly ContainerStatus[],
): readonly ContainerStatus[] {
  return statuses.map((status) => oneReadiness(readiness, status));
}

function oneReadiness(readiness: Readiness, status: ContainerStatus): ContainerStatus {
  const id = status.containerID ?? '';
  if (status.state?.running === undefined) return { ...status, started: false, ready: false };
  const started = readiness.started(status.name, id);
  return { ...status, started, ready: started && readiness.ready(status.name, id) };
}

function initReadiness(
  { pod, readiness }: PodStatusInput,
  statuses: readonly ContainerStatus[],
): readonly ContainerStatus[] {
  return statuses.map((status, index) => {
    const container = pod.spec.initContainers?.[index];
    const adjusted = oneReadiness(readiness, status);
    if (container !== undefined && isSidecar(container)) return adjusted;
    return { ...adjusted, ready: status.state?.terminated?.exitCode === 0 };
  });
}

/**
 * The last word on a pod whose containers are all gone: what was never seen to end is counted as failed, and the
 * phase is one of the two that end a pod.
 */
export function finalPodStatus(pod: Pod, status: PodStatus): PodStatus {
  const lost = { exitCode: 137, reason: 'ContainerStatusUnknown', message: LOST_MESSAGE };
  const ended = (one: ContainerStatus): ContainerStatus =>
    one.state?.terminated === undefined ? { ...one, ready: false, state: { terminated: lost } } : one;
  const init = status.initContainerStatuses ?? [];
  const reached = reachedInit(init);
  return {
    ...status,
    phase: isTerminalPhase(status.phase) ? status.phase : 'Failed',
    ...(init.length === 0
      ? {}
      : { initContainerStatuses: init.map((one, index) => (index < reached ? ended(one) : one)) }),
    ...(hasInitialized(pod, status)
      ? { containerStatuses: (status.containerStatuses ?? []).map(ended) }
      : {}),
  };
}

const LOST_MESSAGE = 'The container could not be located when the pod was terminated';

/** How many init containers were tried; the first one always counts. */
function reachedInit(init: readonly ContainerStatus[]): number {
  for (let i = init.length - 1; i >= 0; i--) {
    const one = init[i];
    if (one?.state?.waiting === undefined || one.lastState?.terminated !== undefined) return i + 1;
  }
  return Math.min(1, init.length);
}

function hasInitialized(pod: Pod, status: PodStatus): boolean {
  const specs = pod.spec.initContainers ?? [];
  if (specs.length === 0) return true;
  if (
    (status.containerStatuses ?? []).some(
      (one) => one.lastState?.terminated !== undefined || one.state?.waiting === undefined,
    )
  ) {
    return true;
  }
  const last = status.initContainerStatuses?.at(-1);
  const spec = specs.at(-1);
  if (last === undefined || spec === undefined) return false;
  if (isSidecar(spec)) return last.state?.running !== undefined && last.started === true;
  return last.lastState?.terminated?.exitCode === 0 || last.state?.terminated?.exitCode === 0;
}
