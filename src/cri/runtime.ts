/**
 * The container runtime as the kubelet sees it: the CRI (runtime.v1 of k8s.io/cri-api), in TypeScript shapes.
 * Implementations: `engine` (built in: runc and overlayfs), `engine`'s CRI client (gRPC to containerd, CRI-O) and
 * the simulated one. All pass `runtime.contract.ts`.
 *
 * Names and meanings are CRI's; times are epoch nanoseconds as bigint where CRI says int64 nanoseconds, because
 * container logs are ordered by them.
 */

import type { Duplex } from 'node:stream';

export interface PodSandboxMetadata {
  readonly name: string;
  readonly uid: string;
  readonly namespace: string;
  readonly attempt: number;
}

export type NamespaceMode = 'POD' | 'CONTAINER' | 'NODE' | 'TARGET';

export interface NamespaceOptions {
  /** POD or NODE (hostNetwork). */
  readonly network: NamespaceMode;
  /** POD (shareProcessNamespace), CONTAINER, NODE (hostPID) or TARGET (ephemeral container). */
  readonly pid: NamespaceMode;
  readonly ipc: NamespaceMode;
  readonly targetId?: string;
}

export interface PortMapping {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIp: string;
}

export interface DnsConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface PodSandboxConfig {
  readonly metadata: PodSandboxMetadata;
  readonly hostname: string;
  /** The pod's folder of container logs on the node. */
  readonly logDirectory: string;
  /** Absent: the runtime's own resolv.conf. */
  readonly dns?: DnsConfig;
  readonly portMappings: readonly PortMapping[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly linux: {
    /** Parent of the containers' cgroups, e.g. `/k8ts/pod<uid>`; the kubelet has made it. */
    readonly cgroupParent: string;
    readonly namespaces: NamespaceOptions;
    readonly sysctls: Readonly<Record<string, string>>;
    readonly seccomp: SecurityProfile;
    readonly privileged: boolean;
  };
}

export type PodSandboxState = 'SANDBOX_READY' | 'SANDBOX_NOTREADY';

export interface PodSandbox {
  readonly id: string;
  readonly metadata: PodSandboxMetadata;
  readonly state: PodSandboxState;
  readonly createdAt: bigint;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface PodSandboxStatus extends PodSandbox {
  /** Primary first; empty with host network. */
  readonly ips: readonly string[];
  /** Path of the pinned network namespace; undefined with host network. */
  readonly networkNamespace?: string;
}

export interface SecurityProfile {
  readonly type: 'RuntimeDefault' | 'Unconfined' | 'Localhost';
  readonly localhostRef?: string;
}

export interface Mount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly: boolean;
  readonly propagation: 'PRIVATE' | 'HOST_TO_CONTAINER' | 'BIDIRECTIONAL';
  /** Set instead of `hostPath`: mount this image read-only. */
  readonly image?: string;
  readonly imageSubPath?: string;
}

export interface LinuxResources {
  readonly cpuPeriod?: number;
  /** Microseconds per period; -1 unlimited. */
  readonly cpuQuota?: number;
  /** cgroup v1 shares (2 … 262144); converted to weight on v2. */
  readonly cpuShares?: number;
  readonly memoryLimitBytes?: number;
  readonly oomScoreAdj?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly pidsLimit?: number;
}

export interface LinuxSecurityContext {
  readonly capabilities: { readonly add: readonly string[]; readonly drop: readonly string[] };
  readonly privileged: boolean;
  readonly namespaces: NamespaceOptions;
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly runAsUsername?: string;
  readonly supplementalGroups: readonly number[];
  readonly readonlyRootfs: boolean;
  readonly noNewPrivs: boolean;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly seccomp: SecurityProfile;
  readonly apparmor: SecurityProfile;
}

export interface ContainerConfig {
  readonly metadata: { readonly name: string; readonly attempt: number };
  /** What `pullImage` or `imageStatus` gave: an image id or digest reference. */
  readonly image: string;
  /** Overrides ENTRYPOINT when not empty (the image's CMD is then dropped too, as upstream does). */
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly env: readonly { readonly key: string; readonly value: string }[];
  readonly mounts: readonly Mount[];
  readonly devices: readonly {
    readonly containerPath: string;
    readonly hostPath: string;
    readonly permissions: string;
  }[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Relative to the sandbox's `logDirectory`. CRI log format: `<RFC3339Nano> stdout|stderr F|P <text>`. */
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly stopSignal?: string;
  readonly linux: { readonly resources: LinuxResources; readonly security: LinuxSecurityContext };
}

export type ContainerState =
  | 'CONTAINER_CREATED'
  | 'CONTAINER_RUNNING'
  | 'CONTAINER_EXITED'
  | 'CONTAINER_UNKNOWN';

export interface Container {
  readonly id: string;
  readonly podSandboxId: string;
  readonly metadata: { readonly name: string; readonly attempt: number };
  readonly image: string;
  /** Digest reference or id of what really runs. */
  readonly imageRef: string;
  readonly state: ContainerState;
  readonly createdAt: bigint;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ContainerStatus extends Container {
  readonly startedAt: bigint;
  readonly finishedAt: bigint;
  readonly exitCode: number;
  /** `Completed`, `Error`, `OOMKilled`, `ContainerCannotRun`, … */
  readonly reason: string;
  readonly message: string;
  readonly logPath: string;
  readonly mounts: readonly Mount[];
  readonly resources: LinuxResources;
  readonly user?: {
    readonly uid: number;
    readonly gid: number;
    readonly supplementalGroups: readonly number[];
  };
  readonly stopSignal?: string;
}

export interface ContainerStats {
  readonly id: string;
  readonly podSandboxId: string;
  readonly name: string;
  readonly timestamp: bigint;
  /** Nanoseconds of CPU time since the container started. */
  readonly cpuUsageNanos: bigint;
  readonly memoryUsageBytes: number;
  readonly memoryWorkingSetBytes: number;
  readonly memoryRssBytes: number;
  readonly writableLayerBytes: number;
}

/** Something happened to a container or sandbox. At least one event per change; look the state up, do not trust a count. */
export interface ContainerEvent {
  readonly type: 'CONTAINER_CREATED' | 'CONTAINER_STARTED' | 'CONTAINER_STOPPED' | 'CONTAINER_DELETED';
  readonly containerId: string;
  readonly podSandboxId: string;
  readonly podUid: string;
}

/** Byte streams of exec and attach. The runtime ends stdout and stderr when the process is done with them. */
export interface StreamIo {
  readonly stdin?: NodeJS.ReadableStream;
  readonly stdout?: NodeJS.WritableStream;
  /** Absent with a terminal: everything comes on stdout. */
  readonly stderr?: NodeJS.WritableStream;
  readonly tty: boolean;
  /** Terminal sizes as they change, the first one at once. */
  readonly resize?: AsyncIterable<{ readonly width: number; readonly height: number }>;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** @throws RuntimeError. Every call is idempotent where CRI says so: stop and remove of what is gone succeed. */
export interface RuntimeService {
  version(): Promise<{
    readonly runtimeName: string;
    readonly runtimeVersion: string;
    readonly runtimeApiVersion: string;
  }>;
  status(): Promise<{
    readonly ready: boolean;
    readonly networkReady: boolean;
    readonly reason: string;
    readonly message: string;
  }>;

  runPodSandbox(config: PodSandboxConfig, runtimeHandler: string, options?: CallOptions): Promise<string>;
  /** Ends its containers and takes its network down. */
  stopPodSandbox(id: string, options?: CallOptions): Promise<void>;
  removePodSandbox(id: string, options?: CallOptions): Promise<void>;
  podSandboxStatus(id: string): Promise<PodSandboxStatus>;
  listPodSandboxes(): Promise<readonly PodSandbox[]>;

  createContainer(
    sandboxId: string,
    config: ContainerConfig,
    sandbox: PodSandboxConfig,
    options?: CallOptions,
  ): Promise<string>;
  startContainer(id: string, options?: CallOptions): Promise<void>;
  /** Sends the stop signal, waits up to `timeoutSeconds`, then SIGKILL. Resolves when the process is gone. */
  stopContainer(id: string, timeoutSeconds: number, options?: CallOptions): Promise<void>;
  removeContainer(id: string, options?: CallOptions): Promise<void>;
  listContainers(filter?: { readonly podSandboxId?: string }): Promise<readonly Container[]>;
  containerStatus(id: string): Promise<ContainerStatus>;
  updateContainerResources(id: string, resources: LinuxResources): Promise<void>;
  reopenContainerLog(id: string): Promise<void>;

  /** Runs to the end, output kept up to 16 MiB. */
  execSync(
    id: string,
    command: readonly string[],
    timeoutSeconds: number,
  ): Promise<{
    readonly exitCode: number;
    readonly stdout: Buffer;
    readonly stderr: Buffer;
    readonly timedOut: boolean;
  }>;
  /** Resolves with the exit code. */
  exec(id: string, command: readonly string[], io: StreamIo, options?: CallOptions): Promise<number>;
  /** Joins the streams of the running container; resolves when it ends or the caller leaves. */
  attach(id: string, io: StreamIo, options?: CallOptions): Promise<void>;
  /** A connection to `port` on the sandbox's loopback. */
  portForward(sandboxId: string, port: number, options?: CallOptions): Promise<Duplex>;

  listContainerStats(): Promise<readonly ContainerStats[]>;
  /** Returns the way to stop. Events that happened before are not told. */
  onEvent(listener: (event: ContainerEvent) => void): () => void;
}

export interface RegistryAuth {
  readonly username?: string;
  readonly password?: string;
  readonly identityToken?: string;
  readonly registryToken?: string;
}

export interface Image {
  /** Digest of the image config: `sha256:…`. */
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly sizeBytes: number;
  /** From the image's USER: a number, or a name to look up in its /etc/passwd. */
  readonly uid?: number;
  readonly username: string;
  readonly pinned: boolean;
}

export interface ImageService {
  listImages(): Promise<readonly Image[]>;
  /** Undefined when not present. `image` is a name, a digest reference or an id. */
  imageStatus(image: string): Promise<Image | undefined>;
  /** Returns the image id. @throws RuntimeError with a message that names the image and says why. */
  pullImage(image: string, auth?: RegistryAuth, options?: CallOptions): Promise<string>;
  /** Idempotent. Fails while a container uses it. */
  removeImage(image: string): Promise<void>;
  imageFsInfo(): Promise<{
    readonly mountpoint: string;
    readonly usedBytes: number;
    readonly inodesUsed: number;
  }>;
}

export type RuntimeErrorCode =
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'INVALID_ARGUMENT'
  | 'FAILED_PRECONDITION'
  | 'DEADLINE_EXCEEDED'
  | 'UNAVAILABLE'
  | 'UNKNOWN';

/** What a runtime could not do; `code` is gRPC's. */
export class RuntimeError extends Error {
  readonly code: RuntimeErrorCode;
  constructor(code: RuntimeErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'RuntimeError';
    this.code = code;
  }
}

export const isRuntimeNotFound = (e: unknown): boolean => e instanceof RuntimeError && e.code === 'NOT_FOUND';

/** The pod network as a runtime needs it: one call when a sandbox comes, one when it goes. Built in: `network`; or CNI. */
export interface SandboxNetwork {
  /** Idempotent by sandbox id. Returns the pod's addresses, primary first. */
  attach(sandbox: {
    readonly id: string;
    readonly networkNamespace: string;
    readonly config: PodSandboxConfig;
  }): Promise<readonly string[]>;
  /** Idempotent; also when the namespace is already gone. */
  detach(sandbox: { readonly id: string; readonly networkNamespace: string }): Promise<void>;
}
