/**
 * A container runtime in memory: sandboxes have addresses, containers "run" on the given clock, nothing touches the
 * machine. Behind the same interface as the real engine, so that a node of a test cluster is a kubelet like any other.
 * A pod costs a few objects and no timer unless its script ends it.
 */
import {
  type CallOptions,
  type Container,
  type ContainerConfig,
  type ContainerEvent,
  type ContainerStats,
  type ContainerStatus,
  type ImageService,
  type PodSandbox,
  type PodSandboxConfig,
  type PodSandboxStatus,
  RuntimeError,
  type RuntimeService,
  type StreamIo,
} from '#cri';
import type { Clock, Files, Random } from '#platform';
import { AddressPool } from './address-pool.ts';
import { scriptFor, type SimulatedBehaviour } from './script.ts';
import { SimulatedImages } from './simulated-images.ts';
import { describeContainer, describeSandbox, type SimContainer, type SimSandbox } from './simulated-state.ts';

export interface SimulatedRuntimeOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly behaviour?: SimulatedBehaviour;
  /** Range of pod addresses. Default `10.244.0.0/16`. */
  readonly podCidr?: string;
  /** Where container logs go; absent: nowhere. */
  readonly files?: Files;
}

export type SimulatedRuntime = RuntimeService & ImageService;

const NS_PER_MS = 1_000_000;
const KILLED_EXIT_CODE = 137;

export function createSimulatedRuntime(options: SimulatedRuntimeOptions): SimulatedRuntime {
  return new Simulation(options);
}

class Simulation extends SimulatedImages implements RuntimeService {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #behaviour: SimulatedBehaviour;
  readonly #files: Files | undefined;
  readonly #addresses: AddressPool;
  readonly #sandboxes = new Map<string, SimSandbox>();
  readonly #containers = new Map<string, SimContainer>();
  readonly #listeners = new Set<(event: ContainerEvent) => void>();
  #lastNs = 0n;

  constructor(options: SimulatedRuntimeOptions) {
    super(options.clock, options.behaviour ?? {});
    this.#clock = options.clock;
    this.#random = options.random;
    this.#behaviour = options.behaviour ?? {};
    this.#files = options.files;
    this.#addresses = new AddressPool(options.podCidr ?? '10.244.0.0/16');
  }

  async version(): Promise<{ runtimeName: string; runtimeVersion: string; runtimeApiVersion: string }> {
    return { runtimeName: 'simulated', runtimeVersion: '1.0.0', runtimeApiVersion: 'v1' };
  }

  async status(): Promise<{ ready: boolean; networkReady: boolean; reason: string; message: string }> {
    return { ready: true, networkReady: true, reason: '', message: '' };
  }

  async runPodSandbox(config: PodSandboxConfig, _runtimeHandler: string): Promise<string> {
    const id = this.#newId();
    const onHost = config.linux.namespaces.network === 'NODE';
    const ip = onHost ? undefined : this.#addresses.take();
    const sandbox = { id, config, createdAt: this.#now(), containers: new Set<string>(), ready: true, ip };
    this.#sandboxes.set(id, sandbox);
    this.#emit('CONTAINER_STARTED', id, sandbox);
    return id;
  }

  async stopPodSandbox(id: string): Promise<void> {
    const sandbox = this.#sandboxes.get(id);
    if (sandbox === undefined || !sandbox.ready) return;
    for (const containerId of sandbox.containers) {
      const container = this.#containers.get(containerId);
      if (container?.state === 'CONTAINER_RUNNING') this.#exit(container, KILLED_EXIT_CODE, 'Error', '');
    }
    sandbox.ready = false;
    if (sandbox.ip !== undefined) this.#addresses.give(sandbox.ip);
    sandbox.ip = undefined;
    this.#emit('CONTAINER_STOPPED', id, sandbox);
  }

  async removePodSandbox(id: string): Promise<void> {
    const sandbox = this.#sandboxes.get(id);
    if (sandbox === undefined) return;
    await this.stopPodSandbox(id);
    for (const containerId of sandbox.containers) await this.removeContainer(containerId);
    this.#sandboxes.delete(id);
    this.#emit('CONTAINER_DELETED', id, sandbox);
  }

  async podSandboxStatus(id: string): Promise<PodSandboxStatus> {
    const sandbox = this.#sandbox(id);
    const onHost = sandbox.config.linux.namespaces.network === 'NODE';
    return {
      ...describeSandbox(sandbox),
      ips: sandbox.ip === undefined ? [] : [sandbox.ip],
      ...(onHost ? {} : { networkNamespace: `/run/simulated/netns/${id}` }),
    };
  }

  async listPodSandboxes(): Promise<readonly PodSandbox[]> {
    return Array.from(this.#sandboxes.values(), describeSandbox);
  }

  async createContainer(
    sandboxId: string,
    config: ContainerConfig,
    sandboxConfig: PodSandboxConfig,
  ): Promise<string> {
    const sandbox = this.#sandbox(sandboxId);
    if (!sandbox.ready) throw new RuntimeError('FAILED_PRECONDITION', `sandbox "${sandboxId}" is not ready`);
    const image = await this.imageStatus(config.image);
    if (image === undefined) throw new RuntimeError('NOT_FOUND', `image "${config.image}": not found`);
    const script = scriptFor(this.#behaviour, config, sandboxConfig);
    if (script.createError !== undefined) throw new RuntimeError('UNKNOWN', script.createError);
    const container: SimContainer = {
      id: this.#newId(),
      sandbox,
      config,
      script,
      image,
      createdAt: this.#now(),
      state: 'CONTAINER_CREATED',
      startedAt: 0n,
      finishedAt: 0n,
      exitCode: 0,
      reason: '',
      message: '',
      resources: config.linux.resources,
      timer: undefined,
      onExit: new Set(),
    };
    this.#containers.set(container.id, container);
    sandbox.containers.add(container.id);
    this.#emit('CONTAINER_CREATED', container.id, sandbox);
    return container.id;
  }

  async startContainer(id: string): Promise<void> {
    const container = this.#container(id);
    if (container.state !== 'CONTAINER_CREATED') {
      throw new RuntimeError('FAILED_PRECONDITION', `container "${id}" is in state ${container.state}`);
    }
    const { script } = container;
    if (script.startError !== undefined) {
      this.#exit(container, 128, 'StartError', script.startError);
      throw new RuntimeError('UNKNOWN', script.startError);
    }
    container.state = 'CONTAINER_RUNNING';
    container.startedAt = this.#now();
    if (script.logs !== undefined) await this.#writeLogs(container, script.logs);
    this.#emit('CONTAINER_STARTED', id, container.sandbox);
    if (script.exitAfterMs !== undefined) {
      const code = script.exitCode ?? 0;
      container.timer = this.#clock.setTimer(script.exitAfterMs, () => {
        this.#exit(container, code, script.reason ?? reasonOf(code), script.message ?? '');
      });
    }
  }

  async stopContainer(id: string, timeoutSeconds: number, options?: CallOptions): Promise<void> {
    const container = this.#containers.get(id);
    if (container === undefined || container.state === 'CONTAINER_EXITED') return;
    if (container.state === 'CONTAINER_CREATED') {
      this.#exit(container, KILLED_EXIT_CODE, 'Error', '');
      return;
    }
    const wantedMs = container.script.stopAfterMs ?? 0;
    const graceMs = timeoutSeconds * 1000;
    if (wantedMs > 0 && graceMs > 0)
      await this.#exitOrTimeout(container, Math.min(wantedMs, graceMs), options?.signal);
    if (container.state !== 'CONTAINER_RUNNING') return;
    const code = wantedMs > graceMs ? KILLED_EXIT_CODE : (container.script.stopExitCode ?? 0);
    this.#exit(container, code, reasonOf(code), '');
  }

  async removeContainer(id: string): Promise<void> {
    const container = this.#containers.get(id);
    if (container === undefined) return;
    if (container.state === 'CONTAINER_RUNNING') this.#exit(container, KILLED_EXIT_CODE, 'Error', '');
    this.#containers.delete(id);
    container.sandbox.containers.delete(id);
    this.#emit('CONTAINER_DELETED', id, container.sandbox);
  }

  async listContainers(filter?: { readonly podSandboxId?: string }): Promise<readonly Container[]> {
    if (filter?.podSandboxId === undefined) return Array.from(this.#containers.values(), describeContainer);
    const ids = this.#sandboxes.get(filter.podSandboxId)?.containers ?? new Set<string>();
    return Array.from(ids, (id) => describeContainer(this.#container(id)));
  }

  async containerStatus(id: string): Promise<ContainerStatus> {
    const container = this.#container(id);
    return {
      ...describeContainer(container),
      startedAt: container.startedAt,
      finishedAt: container.finishedAt,
      exitCode: container.exitCode,
      reason: container.reason,
      message: container.message,
      logPath: `${container.sandbox.config.logDirectory}/${container.config.logPath}`,
      mounts: container.config.mounts,
      resources: container.resources,
      user: {
        uid: container.config.linux.security.runAsUser ?? container.image.uid ?? 0,
        gid: container.config.linux.security.runAsGroup ?? 0,
        supplementalGroups: container.config.linux.security.supplementalGroups,
      },
    };
  }

  async updateContainerResources(
    id: string,
    resources: ContainerConfig['linux']['resources'],
  ): Promise<void> {
    const container = this.#container(id);
    container.resources = { ...container.resources, ...resources };
  }

  async reopenContainerLog(id: string): Promise<void> {
    this.#running(id);
  }

  async execSync(
    id: string,
    command: readonly string[],
  ): Promise<{ exitCode: number; stdout: Buffer; stderr: Buffer; timedOut: boolean }> {
    const answer = this.#running(id).script.exec?.[command[0] ?? ''];
    return {
      exitCode: answer?.exitCode ?? 0,
      stdout: Buffer.from(answer?.output ?? ''),
      stderr: Buffer.alloc(0),
      timedOut: false,
    };
  }

  async exec(id: string, command: readonly string[], io: StreamIo): Promise<number> {
    const { exitCode, stdout } = await this.execSync(id, command);
    if (stdout.length > 0) io.stdout?.write(stdout);
    io.stdout?.end();
    io.stderr?.end();
    return exitCode;
  }

  async attach(id: string, io: StreamIo, options?: CallOptions): Promise<void> {
    await this.#exitOrTimeout(this.#running(id), undefined, options?.signal);
    io.stdout?.end();
    io.stderr?.end();
  }

  async portForward(sandboxId: string, port: number): Promise<never> {
    this.#sandbox(sandboxId);
    throw new RuntimeError(
      'UNAVAILABLE',
      `connection to port ${port} refused: simulated containers do not listen`,
    );
  }

  async listContainerStats(): Promise<readonly ContainerStats[]> {
    const running = [...this.#containers.values()].filter(({ state }) => state === 'CONTAINER_RUNNING');
    return running.map((container) => ({
      id: container.id,
      podSandboxId: container.sandbox.id,
      name: container.config.metadata.name,
      timestamp: this.#now(),
      cpuUsageNanos: 0n,
      memoryUsageBytes: 0,
      memoryWorkingSetBytes: 0,
      memoryRssBytes: 0,
      writableLayerBytes: 0,
    }));
  }

  onEvent(listener: (event: ContainerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  override async removeImage(image: string): Promise<void> {
    const found = await this.imageStatus(image);
    if (
      found !== undefined &&
      [...this.#containers.values()].some((container) => container.image === found)
    ) {
      throw new RuntimeError('FAILED_PRECONDITION', `image "${image}" is in use by a container`);
    }
    await super.removeImage(image);
  }

  #exit(container: SimContainer, exitCode: number, reason: string, message: string): void {
    container.timer?.cancel();
    container.timer = undefined;
    container.state = 'CONTAINER_EXITED';
    container.finishedAt = this.#now();
    container.exitCode = exitCode;
    container.reason = reason;
    container.message = message;
    for (const done of container.onExit) done();
    container.onExit.clear();
    this.#emit('CONTAINER_STOPPED', container.id, container.sandbox);
  }

  /** Resolves when the container ends or the time is up; rejects when the caller leaves. */
  async #exitOrTimeout(
    container: SimContainer,
    timeoutMs: number | undefined,
    signal?: AbortSignal,
  ): Promise<void> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = timeoutMs === undefined ? undefined : this.#clock.setTimer(timeoutMs, resolve);
    const leave = (): void => reject(signal?.reason as Error);
    signal?.addEventListener('abort', leave, { once: true });
    container.onExit.add(resolve);
    try {
      await promise;
    } finally {
      timer?.cancel();
      container.onExit.delete(resolve);
      signal?.removeEventListener('abort', leave);
    }
  }

  async #writeLogs(container: SimContainer, lines: readonly string[]): Promise<void> {
    if (this.#files === undefined) return;
    const stamp = new Date(this.#clock.now()).toISOString().replace('Z', '000000Z');
    const folder = container.sandbox.config.logDirectory;
    const path = `${folder}/${container.config.logPath}`;
    await this.#files.mkdir(path.slice(0, path.lastIndexOf('/')), { recursive: true });
    await this.#files.writeFile(path, lines.map((line) => `${stamp} stdout F ${line}\n`).join(''));
  }

  #emit(type: ContainerEvent['type'], containerId: string, sandbox: SimSandbox): void {
    const event = { type, containerId, podSandboxId: sandbox.id, podUid: sandbox.config.metadata.uid };
    for (const listener of this.#listeners) listener(event);
  }

  #sandbox(id: string): SimSandbox {
    const sandbox = this.#sandboxes.get(id);
    if (sandbox === undefined) throw new RuntimeError('NOT_FOUND', `sandbox "${id}" not found`);
    return sandbox;
  }

  #container(id: string): SimContainer {
    const container = this.#containers.get(id);
    if (container === undefined) throw new RuntimeError('NOT_FOUND', `container "${id}" not found`);
    return container;
  }

  #running(id: string): SimContainer {
    const container = this.#container(id);
    if (container.state === 'CONTAINER_RUNNING') return container;
    throw new RuntimeError('FAILED_PRECONDITION', `container "${id}" is not running`);
  }

  #newId(): string {
    return Buffer.from(this.#random.bytes(32)).toString('hex');
  }

  /** Strictly growing, so that what was made in one millisecond still has an order. */
  #now(): bigint {
    const ns = BigInt(Math.trunc(this.#clock.now())) * BigInt(NS_PER_MS);
    this.#lastNs = ns > this.#lastNs ? ns : this.#lastNs + 1n;
    return this.#lastNs;
  }
}

const reasonOf = (exitCode: number): string => (exitCode === 0 ? 'Completed' : 'Error');
