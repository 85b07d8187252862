/** Starts one container: image, configuration, create, start, postStart hook. Says at which step it failed. */
import type { coreV1 } from '#api';
import type { Image, PodSandboxConfig, RuntimeService } from '#cri';
import type { Files, Logger } from '#platform';
import { type EventSink, podTarget } from '../events.ts';
import { goDuration } from '../go-text.ts';
import { ImageError, type ImagePuller, type PullMemory } from '../images/image-puller.ts';
import { type Container, describePod, type Pod } from '../pods/pod-spec.ts';
import { latestContainer, type RuntimePod } from '../pods/runtime-pod.ts';
import type { WaitingReason } from '../status/container-statuses.ts';
import type { ContainerConfigs } from './container-config.ts';
import { containerHash } from './container-hash.ts';
import type { ContainerKiller } from './container-killer.ts';
import type { LifecycleHooks } from './lifecycle-hooks.ts';
import type { ProbeResults } from './pod-actions.ts';
import type { RestartBackoff } from './restart-backoff.ts';
import { podLogFolder } from './sandbox-config.ts';

/** What the kubelet remembers about one pod between syncs. */
export interface PodMemory {
  readonly restarts: RestartBackoff;
  readonly pulls: PullMemory;
  /** By container name. */
  readonly waiting: Map<string, WaitingReason>;
}

export interface SyncContext {
  readonly memory: PodMemory;
  readonly probes: ProbeResults;
  readonly signal: AbortSignal;
  /** The sandbox is up and has its addresses. */
  readonly onSandboxReady: () => Promise<void>;
}

/** A step on the way to a running container failed; `reason` goes to the waiting state. */
export class StartError extends Error {
  readonly reason: string;
  readonly retryAfterMs: number | undefined;
  constructor(reason: string, message: string, retryAfterMs?: number) {
    super(message);
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

export interface StartAttempt {
  readonly pod: Pod;
  readonly runtime: RuntimePod;
  readonly context: SyncContext;
  readonly sandboxId: string;
  readonly sandbox: PodSandboxConfig;
  readonly podIps: readonly string[];
  readonly imageVolumes: ImageVolumes;
}

export interface ImageVolumes {
  readonly pulled: ReadonlyMap<string, string>;
  readonly failed: ReadonlyMap<string, ImageError>;
}

export interface ContainerStarterOptions {
  readonly runtime: RuntimeService;
  readonly puller: ImagePuller;
  readonly configs: ContainerConfigs;
  readonly killer: ContainerKiller;
  readonly hooks: LifecycleHooks;
  readonly events: EventSink;
  readonly files: Files;
  readonly logger: Logger;
  readonly logRoot: string;
  readonly pullSecrets: (pod: Pod) => Promise<readonly coreV1.Secret[]>;
}

export class ContainerStarter {
  readonly #options: ContainerStarterOptions;

  constructor(options: ContainerStarterOptions) {
    this.#options = options;
  }

  /** From the image to the postStart hook. @throws StartError */
  async start(attempt: StartAttempt, container: Container): Promise<void> {
    const { pod, context, sandboxId, sandbox } = attempt;
    const { runtime, configs } = this.#options;
    this.#backOff(attempt, container);
    this.#checkImageVolumes(attempt, container);
    const image = await this.#imageFor(attempt, container);
    const previous = latestContainer(attempt.runtime, container.name);
    const restartCount =
      previous === undefined ? await this.#loggedRestarts(pod, container) : previous.restartCount + 1;
    const targetId = this.#target(attempt, container);
    const config = await this.#step(pod, container, 'CreateContainerConfigError', () =>
      configs.build({
        pod,
        container,
        image,
        restartCount,
        podIps: attempt.podIps,
        imageVolumes: attempt.imageVolumes.pulled,
        ...(targetId === undefined ? {} : { targetId }),
      }),
    );
    context.signal.throwIfAborted();
    const id = await this.#step(pod, container, 'CreateContainerError', () =>
      runtime.createContainer(sandboxId, config, sandbox, { signal: context.signal }),
    );
    this.#tell(pod, container, 'Normal', 'Created', 'Container created');
    await this.#step(pod, container, 'RunContainerError', () =>
      runtime.startContainer(id, { signal: context.signal }),
    );
    this.#tell(pod, container, 'Normal', 'Started', 'Container started');
    if (container.lifecycle?.postStart !== undefined) await this.#postStart(attempt, container, id);
  }

  async #step<T>(pod: Pod, container: Container, reason: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (e) {
      const { message } = e as Error;
      this.#tell(pod, container, 'Warning', 'Failed', `Error: ${message}`);
      throw new StartError(reason, message);
    }
  }

  #backOff({ pod, runtime, context }: StartAttempt, container: Container): void {
    const dead = runtime.containers.find(({ name, state }) => name === container.name && state === 'exited');
    if (dead === undefined) return;
    const { restarts } = context.memory;
    const key = `${container.name}/${containerHash(container)}`;
    const sinceMs = Number(dead.finishedAt / 1_000_000n);
    const leftMs = restarts.remainingMs(key, sinceMs);
    if (leftMs === 0) {
      restarts.next(key, sinceMs);
      return;
    }
    const about = `restarting failed container`;
    this.#tell(
      pod,
      container,
      'Warning',
      'BackOff',
      `Back-off ${about} ${container.name} in pod ${describePod(pod)}`,
    );
    const delay = goDuration(restarts.delayMs(key));
    throw new StartError(
      'CrashLoopBackOff',
      `back-off ${delay} ${about}=${container.name} pod=${describePod(pod)}`,
      leftMs,
    );
  }

  #checkImageVolumes({ pod, imageVolumes }: StartAttempt, container: Container): void {
    for (const { name } of container.volumeMounts ?? []) {
      const failure = imageVolumes.failed.get(name);
      if (failure === undefined) continue;
      this.#tell(pod, container, 'Warning', 'Failed', `Error: ${failure.reason}`);
      throw new StartError(failure.reason, failure.message, failure.retryAfterMs);
    }
  }

  async #imageFor({ pod, context }: StartAttempt, container: Container): Promise<Image> {
    try {
      return await this.ensureImage(
        pod,
        container,
        container.image ?? '',
        container.imagePullPolicy,
        context,
      );
    } catch (e) {
      if (!(e instanceof ImageError)) throw e;
      this.#tell(pod, container, 'Warning', 'Failed', `Error: ${e.reason}`);
      throw new StartError(e.reason, e.message, e.retryAfterMs);
    }
  }

  /** @throws ImageError */
  ensureImage(
    pod: Pod,
    container: Container | undefined,
    image: string,
    policy: string | undefined,
    context: SyncContext,
  ): Promise<Image> {
    return this.#options.puller.ensure({
      pod,
      ...(container === undefined ? {} : { container }),
      image,
      policy: policy ?? 'IfNotPresent',
      secrets: () => this.#options.pullSecrets(pod),
      memory: context.memory.pulls,
      signal: context.signal,
    });
  }

  /** After a reboot the runtime may have forgotten; the names of the log files have not. */
  async #loggedRestarts(pod: Pod, container: Container): Promise<number> {
    const { files, logRoot } = this.#options;
    const folder = `${podLogFolder(logRoot, pod)}/${container.name}`;
    if ((await files.stat(folder)) === undefined) return 0;
    const counts = (await files.list(folder)).map((name) => /^(\d+)\.log/.exec(name)?.[1]);
    return counts.reduce(
      (most, count) => (count === undefined ? most : Math.max(most, Number(count) + 1)),
      0,
    );
  }

  #target({ pod, runtime }: StartAttempt, container: Container): string | undefined {
    const name = (pod.spec.ephemeralContainers ?? []).find(
      (one) => one.name === container.name,
    )?.targetContainerName;
    if (name === undefined || name === '') return undefined;
    const target = latestContainer(runtime, name);
    if (target !== undefined) return target.id;
    const message = `unable to find target container ${name}`;
    this.#tell(pod, container, 'Warning', 'Failed', `Error: ${message}`);
    throw new StartError('CreateContainerConfigError', message);
  }

  async #postStart({ pod, context }: StartAttempt, container: Container, containerId: string): Promise<void> {
    const { hooks, killer, logger } = this.#options;
    try {
      await hooks.run('postStart', { pod, container, containerId }, { signal: context.signal });
    } catch (e) {
      context.signal.throwIfAborted();
      logger.warn({ pod: describePod(pod), container: container.name, err: e }, 'postStart hook failed');
      // The hook's output may hold secrets: it stays out of the event.
      this.#tell(pod, container, 'Warning', 'FailedPostStartHook', 'PostStartHook failed');
      await killer.kill({
        pod,
        container,
        id: containerId,
        message: 'FailedPostStartHook',
        signal: context.signal,
      });
      throw new StartError('PostStartHookError', (e as Error).message);
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
