/**
 * Carries out what `computePodActions` says: makes the sandbox, kills and starts containers, and remembers why a
 * container could not be started.
 */
import type { DnsConfig, PodSandboxConfig, RuntimeService } from '#cri';
import type { Files, Logger } from '#platform';
import { kernelHostname, podHostname } from '../dns/pod-hostname.ts';
import { type ClusterDns, podDns } from '../dns/pod-dns.ts';
import { type EventSink, podTarget } from '../events.ts';
import { ImageError } from '../images/image-puller.ts';
import { type Container, describePod, isHostNetwork, isSidecar, type Pod, podUid } from '../pods/pod-spec.ts';
import type { RuntimeContainer, RuntimePod } from '../pods/runtime-pod.ts';
import type { RuntimePods } from '../pods/runtime-pods.ts';
import type { ContainerKiller } from './container-killer.ts';
import {
  type ContainerStarter,
  type ImageVolumes,
  type StartAttempt,
  StartError,
  type SyncContext,
} from './container-starter.ts';
import { computePodActions, type PodActions, type ProbeResults } from './pod-actions.ts';
import { computeResizes } from './resize.ts';
import { sandboxConfig } from './sandbox-config.ts';

export interface SyncOutcome {
  /** Something could not be done and should be tried again. */
  readonly failed: boolean;
  /** When trying again makes sense; undefined: at the usual pace. */
  readonly retryAfterMs: number | undefined;
  /** Something was started, stopped or removed. */
  readonly changed: boolean;
  /** Containers that could not be started. */
  readonly notStarted: ReadonlySet<string>;
}

export interface PodRunnerOptions {
  readonly runtime: RuntimeService;
  readonly pods: RuntimePods;
  readonly starter: ContainerStarter;
  readonly killer: ContainerKiller;
  readonly events: EventSink;
  readonly files: Files;
  readonly logger: Logger;
  readonly clusterDns: ClusterDns;
  readonly hostDns: () => Promise<DnsConfig>;
  readonly logRoot: string;
  readonly memoryCapacityBytes: number;
  /** Path of the pod's cgroup; empty without cgroups. */
  readonly cgroupParent: (pod: Pod) => string;
  /** Runtime handler of the pod's RuntimeClass. @throws when there is none of that name. */
  readonly runtimeHandler: (pod: Pod) => Promise<string>;
}

class Tally {
  failed = false;
  changed = false;
  retryAfterMs: number | undefined;
  readonly notStarted = new Set<string>();

  fail(retryAfterMs?: number): void {
    this.failed = true;
    if (retryAfterMs === undefined) return;
    this.retryAfterMs = Math.min(this.retryAfterMs ?? retryAfterMs, retryAfterMs);
  }
}

/** Dead incarnations of a container kept for `kubectl logs --previous` and the last state. */
const KEPT_DEAD_CONTAINERS = 1;

export class PodRunner {
  readonly #options: PodRunnerOptions;

  constructor(options: PodRunnerOptions) {
    this.#options = options;
  }

  async sync(pod: Pod, runtime: RuntimePod, context: SyncContext): Promise<SyncOutcome> {
    const actions = computePodActions(pod, runtime, context.probes);
    const tally = new Tally();
    if (actions.createSandbox && actions.sandboxId !== '') {
      this.#tell(
        pod,
        undefined,
        'Normal',
        'SandboxChanged',
        'Pod sandbox changed, it will be killed and re-created.',
      );
    }
    if (!(await this.#kill(pod, runtime, actions, context, tally))) return tally;
    if (!actions.killPod) await this.#resize(pod, runtime, context, tally);
    let { sandboxId } = actions;
    let podIps = runtime.ips;
    const hasWork =
      actions.createSandbox ||
      actions.start.length + actions.startInit.length + actions.startEphemeral.length > 0;
    if (!hasWork || (actions.killPod && !actions.createSandbox)) return tally;
    const sandbox = await this.#sandboxConfig(pod, actions.attempt);
    if (actions.createSandbox) {
      const made = await this.#createSandbox(pod, sandbox, context, tally);
      if (made === undefined) return tally;
      sandboxId = made.id;
      podIps = made.ips;
      await context.onSandboxReady();
    }
    const imageVolumes = await this.#imageVolumes(pod, context);
    const attempt = { pod, runtime, context, sandboxId, sandbox, podIps, imageVolumes };
    await this.#startAll(attempt, actions, tally);
    return tally;
  }

  /** Whether the state after a sync calls for another one at once, rather than after a pause. */
  hasMoreWork(pod: Pod, after: RuntimePod, probes: ProbeResults, outcome: SyncOutcome): boolean {
    const actions = computePodActions(pod, after, probes);
    if (actions.createSandbox && outcome.failed) return false;
    const starts = [...actions.startInit, ...actions.start, ...actions.startEphemeral];
    return (
      actions.killPod || actions.kill.length > 0 || starts.some(({ name }) => !outcome.notStarted.has(name))
    );
  }

  /** Removes incarnations that nobody asks for any more, and sandboxes that hold none. */
  async prune(
    runtime: RuntimePod,
    options: { readonly keep: number } = { keep: KEPT_DEAD_CONTAINERS },
  ): Promise<void> {
    const { runtime: service } = this.#options;
    const dead = new Map<string, number>();
    const left = new Set<string>();
    for (const container of runtime.containers) {
      const count = dead.get(container.name) ?? 0;
      if (container.state === 'exited') dead.set(container.name, count + 1);
      if (container.state === 'exited' && count >= options.keep) {
        await service.removeContainer(container.id);
        await this.#options.files.remove(container.logPath);
      } else {
        left.add(container.sandboxId);
      }
    }
    for (const [index, sandbox] of runtime.sandboxes.entries()) {
      const used =
        left.has(sandbox.id) || sandbox.state === 'SANDBOX_READY' || (index === 0 && options.keep > 0);
      if (!used) await service.removePodSandbox(sandbox.id);
    }
  }

  /** Returns false when the sync must stop here. */
  async #kill(
    pod: Pod,
    runtime: RuntimePod,
    actions: PodActions,
    context: SyncContext,
    tally: Tally,
  ): Promise<boolean> {
    const { killer, logger, runtime: service } = this.#options;
    try {
      if (actions.killPod) {
        await killer.killPod(pod, runtime, { signal: context.signal });
        if (runtime.sandboxes.length > 0) tally.changed = true;
        if (actions.createSandbox) await this.#purgeInit(pod, runtime);
        return true;
      }
      for (const kill of actions.kill) {
        await killer.kill({ pod, ...kill, signal: context.signal });
        tally.changed = true;
      }
      // An init container that ran more than once needs no more than its last trace.
      for (const container of surplusInit(pod, runtime)) await service.removeContainer(container.id);
      return true;
    } catch (e) {
      context.signal.throwIfAborted();
      logger.warn({ pod: describePod(pod), err: e }, 'could not stop containers');
      tally.fail();
      return false;
    }
  }

  async #resize(pod: Pod, runtime: RuntimePod, context: SyncContext, tally: Tally): Promise<void> {
    const { runtime: service, killer, memoryCapacityBytes } = this.#options;
    for (const { container, id, resources, restart } of computeResizes(pod, runtime, memoryCapacityBytes)) {
      try {
        const message = `Container ${container.name} resize requires restart`;
        if (restart) await killer.kill({ pod, container, id, message, signal: context.signal });
        else await service.updateContainerResources(id, resources);
        tally.changed = true;
      } catch (e) {
        context.signal.throwIfAborted();
        this.#tell(pod, container, 'Warning', 'ResizeError', `Error: ${(e as Error).message}`);
        tally.fail();
      }
    }
  }

  async #purgeInit(pod: Pod, runtime: RuntimePod): Promise<void> {
    const names = new Set((pod.spec.initContainers ?? []).map(({ name }) => name));
    for (const { id, name } of runtime.containers) {
      if (names.has(name)) await this.#options.runtime.removeContainer(id);
    }
  }

  async #sandboxConfig(pod: Pod, attempt: number): Promise<PodSandboxConfig> {
    const { clusterDns, hostDns, logRoot, cgroupParent } = this.#options;
    const { config, warnings } = podDns(pod, clusterDns, await hostDns());
    if (attempt === 0)
      for (const text of warnings) this.#tell(pod, undefined, 'Warning', 'DNSConfigForming', text);
    const hostname = kernelHostname(pod, podHostname(pod, clusterDns.domain));
    return sandboxConfig({ pod, attempt, hostname, dns: config, logRoot, cgroupParent: cgroupParent(pod) });
  }

  async #createSandbox(
    pod: Pod,
    config: PodSandboxConfig,
    context: SyncContext,
    tally: Tally,
  ): Promise<{ readonly id: string; readonly ips: readonly string[] } | undefined> {
    const { runtime, pods, files, logger, runtimeHandler } = this.#options;
    try {
      await files.mkdir(config.logDirectory, { recursive: true });
      const id = await runtime.runPodSandbox(config, await runtimeHandler(pod), { signal: context.signal });
      tally.changed = true;
      pods.noteSandbox(podUid(pod), id);
      const status = await runtime.podSandboxStatus(id);
      return { id, ips: isHostNetwork(pod) ? [] : status.ips };
    } catch (e) {
      context.signal.throwIfAborted();
      logger.warn({ pod: describePod(pod), err: e }, 'could not create the sandbox');
      const message = `Failed to create pod sandbox: ${(e as Error).message}`;
      this.#tell(pod, undefined, 'Warning', 'FailedCreatePodSandBox', message);
      tally.fail();
      return undefined;
    }
  }

  async #imageVolumes(pod: Pod, context: SyncContext): Promise<ImageVolumes> {
    const pulled = new Map<string, string>();
    const failed = new Map<string, ImageError>();
    for (const { name, image } of pod.spec.volumes ?? []) {
      if (image === undefined) continue;
      try {
        const found = await this.#options.starter.ensureImage(
          pod,
          undefined,
          image.reference ?? '',
          image.pullPolicy,
          context,
        );
        pulled.set(name, found.id);
      } catch (e) {
        if (!(e instanceof ImageError)) throw e;
        failed.set(name, e);
      }
    }
    return { pulled, failed };
  }

  async #startAll(attempt: StartAttempt, actions: PodActions, tally: Tally): Promise<void> {
    for (const container of actions.startEphemeral) await this.#start(attempt, container, tally);
    for (const container of actions.startInit) {
      const started = await this.#start(attempt, container, tally);
      if (!started && !isSidecar(container)) return;
    }
    for (const container of actions.start) await this.#start(attempt, container, tally);
  }

  async #start(attempt: StartAttempt, container: Container, tally: Tally): Promise<boolean> {
    const { pod, context } = attempt;
    const { memory, signal } = context;
    try {
      await this.#options.starter.start(attempt, container);
      memory.waiting.delete(container.name);
      tally.changed = true;
      return true;
    } catch (e) {
      signal.throwIfAborted();
      if (!(e instanceof StartError)) throw e;
      memory.waiting.set(container.name, { reason: e.reason, message: e.message });
      this.#options.logger.info(
        { pod: describePod(pod), container: container.name, reason: e.reason, detail: e.message },
        'container not started',
      );
      tally.notStarted.add(container.name);
      tally.fail(e.retryAfterMs);
      return false;
    }
  }

  #tell(
    pod: Pod,
    container: Container | undefined,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
  ): void {
    this.#options.events.record(podTarget(pod, container?.name), type, reason, message);
  }
}

function* surplusInit(pod: Pod, runtime: RuntimePod): Generator<RuntimeContainer> {
  for (const { name } of pod.spec.initContainers ?? []) {
    const dead = runtime.containers.filter((one) => one.name === name && one.state === 'exited');
    yield* dead.slice(1);
  }
}
