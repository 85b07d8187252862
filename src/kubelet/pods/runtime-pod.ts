/** A pod as the container runtime knows it: what really exists on this node, whatever the API says. */
import type { ContainerStatus as CriContainerStatus, LinuxResources, PodSandboxStatus } from '#cri';

export type RuntimeContainerState = 'created' | 'running' | 'exited' | 'unknown';

export interface RuntimeContainer {
  readonly id: string;
  readonly sandboxId: string;
  readonly name: string;
  /** The name the pod's author wrote. */
  readonly image: string;
  readonly imageRef: string;
  /** Of the spec it was made from; empty when the container carries none. */
  readonly hash: string;
  readonly restartCount: number;
  readonly state: RuntimeContainerState;
  /** Epoch nanoseconds, like the two below; 0n: not yet. */
  readonly createdAt: bigint;
  readonly startedAt: bigint;
  readonly finishedAt: bigint;
  readonly exitCode: number;
  readonly reason: string;
  /** The runtime's message joined with the container's own termination message. */
  readonly message: string;
  readonly logPath: string;
  /** What the runtime says it was given. */
  readonly resources: LinuxResources;
  readonly user?: CriContainerStatus['user'];
  readonly stopSignal?: string;
}

export interface RuntimePod {
  readonly uid: string;
  readonly ips: readonly string[];
  /** Newest first. */
  readonly sandboxes: readonly PodSandboxStatus[];
  /** Of every sandbox, newest first. */
  readonly containers: readonly RuntimeContainer[];
}

export const emptyRuntimePod = (uid: string): RuntimePod => ({ uid, ips: [], sandboxes: [], containers: [] });

/** The newest container of this name. */
export const latestContainer = (runtime: RuntimePod, name: string): RuntimeContainer | undefined =>
  runtime.containers.find((container) => container.name === name);

/** `containerd://ab12…` as `status.containerStatuses[].containerID` prints it. */
export const containerIdText = (runtimeName: string, id: string): string => `${runtimeName}://${id}`;

export interface SandboxNeed {
  readonly create: boolean;
  readonly attempt: number;
  /** The newest sandbox there is; empty when the pod never had one. */
  readonly sandboxId: string;
}

/** Whether the pod needs another sandbox: it has none, the newest is down, or more than one is up. */
export function sandboxNeed(runtime: RuntimePod): SandboxNeed {
  const newest = runtime.sandboxes[0];
  if (newest === undefined) return { create: true, attempt: 0, sandboxId: '' };
  const ready = runtime.sandboxes.filter((sandbox) => sandbox.state === 'SANDBOX_READY').length;
  return ready === 1 && newest.state === 'SANDBOX_READY'
    ? { create: false, attempt: newest.metadata.attempt, sandboxId: newest.id }
    : { create: true, attempt: newest.metadata.attempt + 1, sandboxId: newest.id };
}
