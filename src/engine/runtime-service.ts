import type { Duplex } from 'node:stream';
import { Socket } from 'node:net';
import type { Clock } from '#platform';
import { RuntimeError } from '#cri';
import type {
  CallOptions,
  Container,
  ContainerConfig,
  ContainerEvent,
  ContainerStats,
  ContainerStatus,
  LinuxResources,
  PodSandbox,
  PodSandboxConfig,
  PodSandboxStatus,
  RuntimeService,
  StreamIo,
} from '#cri';
import { attach } from './containers/attach.ts';
import { containerStatusView, containerView } from './containers/container-view.ts';
import { exec, execSync } from './containers/exec.ts';
import type { ExecTarget } from './containers/exec.ts';
import type { ContainerRecord } from './containers/container-record.ts';
import type { Containers } from './containers/containers.ts';
import { waitForNewLog } from './containers/log-rotation.ts';
import { reopenLog } from './containers/monitor.ts';
import type { Runc } from './containers/runc.ts';
import type { ContainerStatsReader } from './containers/stats.ts';
import type { EnginePaths } from './engine-paths.ts';
import type { EventHub } from './event-hub.ts';
import type { Images } from './images/images.ts';
import { tcpSocketIn } from './kernel/namespaces.ts';
import type { Sandboxes } from './sandbox/sandboxes.ts';
import type { SandboxRecord } from './sandbox/sandbox-record.ts';

export interface RuntimeServiceOptions {
  readonly paths: EnginePaths;
  readonly sandboxes: Sandboxes;
  readonly sandboxRecords: { list(): readonly SandboxRecord[] };
  readonly containers: Containers;
  readonly images: Images;
  readonly stats: ContainerStatsReader;
  readonly runc: Runc;
  readonly events: EventHub<ContainerEvent>;
  readonly clock: Clock;
}

/** The engine as the kubelet sees it. */
export class EngineRuntimeService implements RuntimeService {
  readonly #options: RuntimeServiceOptions;

  constructor(options: RuntimeServiceOptions) {
    this.#options = options;
  }

  async version(): ReturnType<RuntimeService['version']> {
    return {
      runtimeName: 'k8ts',
      runtimeVersion: await this.#options.runc.version(),
      runtimeApiVersion: 'v1',
    };
  }

  status(): ReturnType<RuntimeService['status']> {
    return Promise.resolve({ ready: true, networkReady: true, reason: '', message: '' });
  }

  async runPodSandbox(
    config: PodSandboxConfig,
    runtimeHandler: string,
    options?: CallOptions,
  ): Promise<string> {
    options?.signal?.throwIfAborted();
    if (runtimeHandler !== '' && runtimeHandler !== 'runc') {
      throw new RuntimeError('INVALID_ARGUMENT', `no runtime for "${runtimeHandler}" is configured`);
    }
    const record = await this.#options.sandboxes.run(config);
    this.#emitSandbox(record, 'CONTAINER_CREATED');
    this.#emitSandbox(record, 'CONTAINER_STARTED');
    return record.id;
  }

  async stopPodSandbox(id: string, options?: CallOptions): Promise<void> {
    const { sandboxes, containers, sandboxRecords } = this.#options;
    const record = sandboxRecords.list().find((sandbox) => sandbox.id === id);
    if (record === undefined) return;
    await Promise.all(
      containers.ofSandbox(id).map((container) => containers.stop(container.id, 0, options?.signal)),
    );
    await sandboxes.stop(record);
    if (record.state === 'SANDBOX_READY') this.#emitSandbox(record, 'CONTAINER_STOPPED');
  }

  async removePodSandbox(id: string, options?: CallOptions): Promise<void> {
    const { sandboxes, containers, sandboxRecords } = this.#options;
    await this.stopPodSandbox(id, options);
    const record = sandboxRecords.list().find((sandbox) => sandbox.id === id);
    if (record === undefined) return;
    for (const container of containers.ofSandbox(id)) await containers.remove(container.id);
    await sandboxes.remove(record);
    this.#emitSandbox(record, 'CONTAINER_DELETED');
  }

  #emitSandbox({ id, config }: SandboxRecord, type: ContainerEvent['type']): void {
    this.#options.events.emit({ type, containerId: id, podSandboxId: id, podUid: config.metadata.uid });
  }

  podSandboxStatus(id: string): Promise<PodSandboxStatus> {
    return attempt(() => {
      const record = this.#options.sandboxes.get(id);
      const networkNamespace = record.namespaces.net;
      return {
        ...sandboxView(record),
        ips: record.ips,
        ...(networkNamespace === undefined ? {} : { networkNamespace }),
      };
    });
  }

  listPodSandboxes(): Promise<readonly PodSandbox[]> {
    return Promise.resolve(this.#options.sandboxRecords.list().map(sandboxView));
  }

  createContainer(
    sandboxId: string,
    config: ContainerConfig,
    sandbox: PodSandboxConfig,
    options?: CallOptions,
  ): Promise<string> {
    return attempt(() => {
      options?.signal?.throwIfAborted();
      return this.#options.containers.create(sandboxId, config, sandbox);
    });
  }

  startContainer(id: string, options?: CallOptions): Promise<void> {
    return attempt(() => {
      options?.signal?.throwIfAborted();
      return this.#options.containers.start(id);
    });
  }

  stopContainer(id: string, timeoutSeconds: number, options?: CallOptions): Promise<void> {
    return this.#options.containers.stop(id, timeoutSeconds, options?.signal);
  }

  removeContainer(id: string): Promise<void> {
    return this.#options.containers.remove(id);
  }

  listContainers(filter?: { readonly podSandboxId?: string }): Promise<readonly Container[]> {
    const { containers, images } = this.#options;
    const all =
      filter?.podSandboxId === undefined ? containers.list() : containers.ofSandbox(filter.podSandboxId);
    return Promise.resolve(all.map((record) => containerView(record, images.find(record.imageId))));
  }

  containerStatus(id: string): Promise<ContainerStatus> {
    const { containers, images } = this.#options;
    return attempt(() => {
      const record = containers.get(id);
      return containerStatusView(record, images.find(record.imageId));
    });
  }

  updateContainerResources(id: string, resources: LinuxResources): Promise<void> {
    return this.#options.containers.update(id, resources);
  }

  async reopenContainerLog(id: string): Promise<void> {
    const { containers, paths, clock } = this.#options;
    const record = containers.getRunning(id);
    if (record.logPath === '') return;
    await waitForNewLog(record.logPath, clock, () => reopenLog(paths.bundle(id)));
  }

  execSync(
    id: string,
    command: readonly string[],
    timeoutSeconds: number,
  ): ReturnType<RuntimeService['execSync']> {
    return attempt(() => execSync(this.#execTarget(id), command, timeoutSeconds, this.#options.clock));
  }

  exec(id: string, command: readonly string[], io: StreamIo, options?: CallOptions): Promise<number> {
    return attempt(() => exec(this.#execTarget(id), command, io, options));
  }

  #execTarget(id: string): ExecTarget {
    const { containers, paths, runc } = this.#options;
    const record: ContainerRecord = containers.getRunning(id);
    return { id: record.id, bundle: paths.bundle(id), runcPath: runc.path, runcRoot: runc.root };
  }

  attach(id: string, io: StreamIo, options?: CallOptions): Promise<void> {
    const { containers, paths, clock } = this.#options;
    return attempt(() =>
      attach({
        record: containers.getRunning(id),
        bundle: paths.bundle(id),
        io,
        clock,
        ended: (signal) => containers.untilEnd(id, signal),
        signal: options?.signal,
      }),
    );
  }

  /** Tries 127.0.0.1, then ::1, as programs listen on either. */
  async portForward(sandboxId: string, port: number, options?: CallOptions): Promise<Duplex> {
    const record = this.#options.sandboxes.get(sandboxId);
    if (record.state !== 'SANDBOX_READY') {
      throw new RuntimeError('FAILED_PRECONDITION', `sandbox "${sandboxId}" is not running`);
    }
    const namespace = record.namespaces.net ?? '/proc/self/ns/net';
    try {
      return await connectIn(namespace, 4, port, options?.signal);
    } catch (first) {
      options?.signal?.throwIfAborted();
      return connectIn(namespace, 6, port, options?.signal).catch(() => {
        const reason = first instanceof Error ? first.message : String(first);
        throw new RuntimeError(
          'UNAVAILABLE',
          `failed to connect to localhost:${port} inside namespace: ${reason}`,
          first,
        );
      });
    }
  }

  listContainerStats(): Promise<readonly ContainerStats[]> {
    return this.#options.stats.list();
  }

  onEvent(listener: (event: ContainerEvent) => void): () => void {
    return this.#options.events.subscribe(listener);
  }
}

/** Has what throws at once reject instead. */
async function attempt<T>(call: () => T | Promise<T>): Promise<T> {
  return call();
}

function sandboxView({ id, config, state, createdAt }: SandboxRecord): PodSandbox {
  const { metadata, labels, annotations } = config;
  return { id, metadata, state, createdAt: BigInt(createdAt), labels, annotations };
}

function connectIn(namespace: string, family: 4 | 6, port: number, signal?: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    // `manualStart` (undocumented for sockets, needed: reading an unconnected socket fails) until it is connected.
    const options = { fd: tcpSocketIn(namespace, family), manualStart: true, allowHalfOpen: true };
    const socket = new Socket(options);
    const onAbort = (): void => void socket.destroy(signal?.reason as Error);
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.once('error', reject);
    socket.connect(port, family === 4 ? '127.0.0.1' : '::1', () => {
      socket.off('error', reject);
      signal?.removeEventListener('abort', onAbort);
      resolve(socket);
    });
  });
}
