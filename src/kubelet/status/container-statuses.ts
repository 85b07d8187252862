/**
 * `status.containerStatuses` and its siblings, from the runtime's view, what was reported before, and why the last
 * attempt to start a container failed.
 */
import type { coreV1 } from '#api';
import { formatTime } from '#platform';
import { anyRegularCreated } from '../containers/pod-actions.ts';
import { shouldBeStarted } from '../containers/restart-policy.ts';
import { type Container, type ContainerKind, isSidecar, type Pod } from '../pods/pod-spec.ts';
import {
  containerIdText,
  latestContainer,
  type RuntimeContainer,
  type RuntimePod,
} from '../pods/runtime-pod.ts';

type ContainerStatus = coreV1.ContainerStatus;
type ContainerState = coreV1.ContainerState;

export interface WaitingReason {
  readonly reason: string;
  readonly message: string;
}

export interface ContainerStatusInput {
  readonly pod: Pod;
  readonly runtime: RuntimePod;
  /** `containerd`, `k8ts`: the scheme of `containerID`. */
  readonly runtimeName: string;
  /** Why the last attempt to start a container failed, by container name. */
  readonly waiting: ReadonlyMap<string, WaitingReason>;
}

const LOST_EXIT_CODE = 137;

const timeOf = (ns: bigint): string => formatTime(Number(ns / 1_000_000n));

/** In the order of the spec for init containers, sorted by name for the others, as upstream prints them. */
export function containerStatuses(
  input: ContainerStatusInput,
  kind: ContainerKind,
  containers: readonly Container[],
  previous: readonly ContainerStatus[],
): readonly ContainerStatus[] {
  const old = new Map(previous.map((status) => [status.name, status]));
  const statuses = containers.map((container) => oneStatus(input, kind, container, old.get(container.name)));
  return kind === 'init' ? statuses : statuses.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function oneStatus(
  input: ContainerStatusInput,
  kind: ContainerKind,
  container: Container,
  old: ContainerStatus | undefined,
): ContainerStatus {
  const incarnations = input.runtime.containers.filter(({ name }) => name === container.name);
  const latest = incarnations[0];
  const base =
    latest === undefined
      ? withoutIncarnation(input.pod, container, old)
      : withIncarnation(input, container, latest, incarnations[1], old);
  return asWaiting(input, kind, container, latest, base);
}

function withoutIncarnation(
  pod: Pod,
  container: Container,
  old: ContainerStatus | undefined,
): ContainerStatus {
  if (old?.state?.terminated !== undefined) return old;
  const hasInit = (pod.spec.initContainers ?? []).length > 0;
  const fresh: ContainerStatus = {
    name: container.name,
    state: { waiting: { reason: hasInit ? 'PodInitializing' : 'ContainerCreating' } },
    ...(old?.lastState === undefined ? {} : { lastState: old.lastState }),
    ready: false,
    restartCount: old?.restartCount ?? 0,
    image: container.image ?? '',
    imageID: '',
    ...mountStatuses(container),
  };
  if (old?.state?.running === undefined || old.lastState?.terminated !== undefined) return fresh;
  // It ran and is gone: say so, lest the pod fall back to Pending as if it had never run.
  return {
    ...fresh,
    lastState: {
      terminated: {
        exitCode: LOST_EXIT_CODE,
        reason: 'ContainerStatusUnknown',
        message:
          'The container could not be located when the pod was deleted.  The container used to be Running',
      },
    },
    restartCount: fresh.restartCount + (pod.metadata.deletionTimestamp === undefined ? 1 : 0),
  };
}

function withIncarnation(
  input: ContainerStatusInput,
  container: Container,
  latest: RuntimeContainer,
  earlier: RuntimeContainer | undefined,
  old: ContainerStatus | undefined,
): ContainerStatus {
  const containerID = containerIdText(input.runtimeName, latest.id);
  const state = runtimeState(latest, containerID, old);
  const lastState =
    earlier === undefined
      ? lastStateFromOld(old, containerID)
      : runtimeState(earlier, containerIdText(input.runtimeName, earlier.id), undefined);
  const lost = latest.state === 'unknown' && old?.state?.running !== undefined;
  return {
    name: container.name,
    state,
    ...(lastState === undefined ? {} : { lastState }),
    ready: false,
    restartCount: lost ? old.restartCount + 1 : Math.max(latest.restartCount, old?.restartCount ?? 0),
    image: latest.image,
    imageID: latest.imageRef,
    containerID,
    ...(container.resources?.requests === undefined
      ? {}
      : { allocatedResources: container.resources.requests }),
    ...(container.resources === undefined ? {} : { resources: container.resources }),
    ...mountStatuses(container),
    ...(latest.user === undefined ? {} : { user: { linux: latest.user } }),
  };
}

/** The runtime keeps only so many dead containers; what was reported of an older one stays true. */
function lastStateFromOld(old: ContainerStatus | undefined, containerID: string): ContainerState | undefined {
  if (old === undefined) return undefined;
  if (old.containerID !== containerID && old.state?.terminated !== undefined) return old.state;
  return old.lastState?.terminated === undefined ? undefined : old.lastState;
}

function runtimeState(
  container: RuntimeContainer,
  containerID: string,
  old: ContainerStatus | undefined,
): ContainerState {
  switch (container.state) {
    case 'running':
      return { running: { startedAt: timeOf(container.startedAt) } };
    case 'created':
      return { waiting: {} };
    case 'exited':
      return {
        terminated: {
          exitCode: container.exitCode,
          ...(container.reason === '' ? {} : { reason: container.reason }),
          ...(container.message === '' ? {} : { message: container.message }),
          startedAt: timeOf(container.startedAt),
          finishedAt: timeOf(container.finishedAt),
          containerID,
        },
      };
    case 'unknown':
      return old?.state?.running === undefined
        ? { waiting: {} }
        : {
            terminated: {
              exitCode: LOST_EXIT_CODE,
              reason: 'ContainerStatusUnknown',
              message: 'The container could not be located when the pod was terminated',
            },
          };
    default:
      return container.state satisfies never;
  }
}

/** A container that is to be started and could not be, waits, and says why. */
function asWaiting(
  input: ContainerStatusInput,
  kind: ContainerKind,
  container: Container,
  latest: RuntimeContainer | undefined,
  status: ContainerStatus,
): ContainerStatus {
  if (kind === 'init') {
    if (latest?.state === 'exited' && latest.exitCode === 0) return status;
    if (latest === undefined && status.state?.waiting !== undefined && !isSidecar(container)) {
      // Removed from the runtime, but the pod came past it: it must have done its work.
      if (anyRegularCreated(input.pod, input.runtime)) {
        return {
          ...status,
          state: {
            terminated: {
              exitCode: 0,
              reason: 'Completed',
              message:
                'Unable to get init container status from container runtime and pod has been initialized, treat it as exited normally',
            },
          },
        };
      }
    }
  }
  if (!shouldBeStarted(container, input.pod, input.runtime)) return status;
  const why = input.waiting.get(container.name);
  if (why === undefined) return status;
  return {
    ...status,
    state: { waiting: { reason: why.reason, ...(why.message === '' ? {} : { message: why.message }) } },
    ...(status.state?.terminated === undefined ? {} : { lastState: status.state }),
  };
}

function mountStatuses(container: Container): Pick<ContainerStatus, 'volumeMounts'> {
  const mounts = container.volumeMounts ?? [];
  if (mounts.length === 0) return {};
  return {
    volumeMounts: mounts.map(({ name, mountPath, readOnly }) => ({
      name,
      mountPath,
      ...(readOnly === true ? { readOnly, recursiveReadOnly: 'Disabled' } : {}),
    })),
  };
}

/** Whether a regular container exists in the sandbox that is in use: initialization is done there. */
export function initializedInSandbox(pod: Pod, runtime: RuntimePod): boolean {
  const sandbox = runtime.sandboxes.find(({ state }) => state === 'SANDBOX_READY');
  if (sandbox === undefined) return false;
  return pod.spec.containers.some(({ name }) => {
    const latest = latestContainer(runtime, name);
    return latest !== undefined && latest.sandboxId === sandbox.id;
  });
}
