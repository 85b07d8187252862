/** What the simulated runtime keeps of a sandbox and of a container. */
import type { Container, ContainerConfig, ContainerState, Image, PodSandbox, PodSandboxConfig } from '#cri';
import type { Timer } from '#platform';
import type { ContainerScript } from './script.ts';

export interface SimSandbox {
  readonly id: string;
  readonly config: PodSandboxConfig;
  readonly createdAt: bigint;
  readonly containers: Set<string>;
  ready: boolean;
  ip: string | undefined;
}

export interface SimContainer {
  readonly id: string;
  readonly sandbox: SimSandbox;
  readonly config: ContainerConfig;
  readonly script: ContainerScript;
  readonly image: Image;
  readonly createdAt: bigint;
  state: ContainerState;
  startedAt: bigint;
  finishedAt: bigint;
  exitCode: number;
  reason: string;
  message: string;
  resources: ContainerConfig['linux']['resources'];
  timer: Timer | undefined;
  readonly onExit: Set<() => void>;
}

export const describeSandbox = (sandbox: SimSandbox): PodSandbox => ({
  id: sandbox.id,
  metadata: sandbox.config.metadata,
  state: sandbox.ready ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY',
  createdAt: sandbox.createdAt,
  labels: sandbox.config.labels,
  annotations: sandbox.config.annotations,
});

export const describeContainer = (container: SimContainer): Container => ({
  id: container.id,
  podSandboxId: container.sandbox.id,
  metadata: container.config.metadata,
  image: container.config.image,
  imageRef: container.image.repoDigests[0] ?? container.image.id,
  state: container.state,
  createdAt: container.createdAt,
  labels: container.config.labels,
  annotations: container.config.annotations,
});
