/** The phase of a pod, from the states of its containers. Upstream's place for the same: `getPhase` in `pkg/kubelet`. */
import type { coreV1 } from '#api';
import { restartsAfterExit } from '../containers/restart-policy.ts';
import { type Container, isSidecar, type Pod } from '../pods/pod-spec.ts';

type ContainerStatus = coreV1.ContainerStatus;
export type PodPhase = NonNullable<coreV1.PodStatus['phase']>;

interface InitTally {
  /** Plain init containers that have not finished. */
  pending: number;
  failedForGood: number;
  sidecarsPending: number;
}

interface RunTally {
  unknown: number;
  running: number;
  waiting: number;
  stopped: number;
  stoppedForGood: number;
  succeeded: number;
}

export function computePhase(
  pod: Pod,
  statuses: readonly ContainerStatus[],
  options: {
    /** Nothing of it will be started again. */
    readonly terminal: boolean;
    /** A regular container has been started in the present sandbox. */
    readonly initialized: boolean;
  },
): PodPhase {
  const byName = new Map(statuses.map((status) => [status.name, status]));
  const init: InitTally = { pending: 0, failedForGood: 0, sidecarsPending: 0 };
  const run: RunTally = { unknown: 0, running: 0, waiting: 0, stopped: 0, stoppedForGood: 0, succeeded: 0 };
  for (const container of pod.spec.initContainers ?? []) {
    const status = byName.get(container.name);
    if (isSidecar(container)) tallySidecar(status, init, run);
    else tallyInit(container, pod, status, init);
  }
  for (const container of pod.spec.containers) tallyRegular(container, pod, byName.get(container.name), run);

  if (init.failedForGood > 0) return 'Failed';
  if (init.pending > 0 || (init.sidecarsPending > 0 && !options.initialized) || run.waiting > 0)
    return 'Pending';
  if (run.unknown > 0) return 'Pending';
  if (run.running > 0) return 'Running';
  if (run.stopped === 0) return 'Pending';
  if (!options.terminal && run.stopped !== run.stoppedForGood) return 'Running';
  return run.stopped === run.succeeded ? 'Succeeded' : 'Failed';
}

function tallyInit(
  container: Container,
  pod: Pod,
  status: ContainerStatus | undefined,
  tally: InitTally,
): void {
  const ended = status?.state?.terminated ?? (status?.state?.waiting && status.lastState?.terminated);
  if (status?.state?.running !== undefined || ended === undefined) {
    tally.pending++;
  } else if (ended.exitCode !== 0 && !restartsAfterExit(container, pod, ended.exitCode)) {
    tally.failedForGood++;
  }
}

function tallySidecar(status: ContainerStatus | undefined, init: InitTally, run: RunTally): void {
  const state = status?.state;
  if (status === undefined) {
    run.unknown++;
  } else if (state?.running !== undefined) {
    if (status.started !== true) init.sidecarsPending++;
    run.running++;
  } else if (state?.terminated !== undefined) {
    // Ended sidecars say nothing about the pod.
  } else if (state?.waiting !== undefined) {
    if (status.lastState?.terminated === undefined) {
      init.sidecarsPending++;
      run.waiting++;
    }
  } else {
    init.sidecarsPending++;
    run.unknown++;
  }
}

function tallyRegular(
  container: Container,
  pod: Pod,
  status: ContainerStatus | undefined,
  tally: RunTally,
): void {
  const state = status?.state;
  if (state?.running !== undefined) {
    tally.running++;
  } else if (state?.terminated !== undefined) {
    tally.stopped++;
    if (!restartsAfterExit(container, pod, state.terminated.exitCode)) tally.stoppedForGood++;
    if (state.terminated.exitCode === 0) tally.succeeded++;
  } else if (state?.waiting !== undefined) {
    const last = status?.lastState?.terminated;
    if (last === undefined) {
      tally.waiting++;
    } else {
      tally.stopped++;
      if (!restartsAfterExit(container, pod, last.exitCode)) tally.stoppedForGood++;
    }
  } else {
    tally.unknown++;
  }
}
