/**
 * The life of one pod on this node.
 *
 *   syncing → terminating → terminated → (gone from the API) → cleaned
 *
 * `syncing` brings what runs in line with the spec, again and again. `terminating` begins when the pod is deleted,
 * its containers have ended for good or it has failed; it ends when nothing runs any more. `terminated` takes volumes
 * and cgroups down and tells the API the last word. One step runs at a time; whatever happens meanwhile (an event of
 * the runtime, a change in the API, a probe result) only says that another step is needed.
 */
import type { coreV1 } from '#api';
import type { Clock, Logger, Random, Timer } from '#platform';
import type { ContainerKiller } from '../containers/container-killer.ts';
import type { PodMemory } from '../containers/container-starter.ts';
import type { PodRunner } from '../containers/pod-runner.ts';
import { RestartBackoff } from '../containers/restart-backoff.ts';
import { type EventSink, podTarget } from '../events.ts';
import type { PodProbes } from '../probes/pod-probes.ts';
import { computePodStatus, finalPodStatus } from '../status/pod-status.ts';
import type { StatusManager } from '../status/status-manager.ts';
import type { PodVolumes } from '../volumes/pod-volumes.ts';
import { changesWork } from './pod-change.ts';
import type { PodFailure } from './pod-failure.ts';
import { describePod, isTerminalPhase, type Pod, podUid } from './pod-spec.ts';
import type { RuntimePod } from './runtime-pod.ts';
import type { RuntimePods } from './runtime-pods.ts';

type Stage = 'syncing' | 'terminating' | 'terminated' | 'finished';

export interface PodCgroups {
  ensure(pod: Pod): Promise<void>;
  remove(podUid: string): Promise<void>;
}

export interface PodWorkerOptions {
  readonly pods: RuntimePods;
  readonly runner: PodRunner;
  readonly killer: ContainerKiller;
  readonly statuses: StatusManager;
  readonly volumes: PodVolumes;
  readonly cgroups: PodCgroups;
  readonly probes: (onResult: () => void) => PodProbes;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly runtimeName: () => string;
  readonly hostIps: readonly string[];
  readonly now: () => string;
  /** The pod is gone from the API and from the node. */
  readonly onCleaned: (uid: string) => void;
  /** Removes folders and logs of the pod. */
  readonly removeFolders: (pod: Pod) => Promise<void>;
}

/** Pause before a failed step is tried again, plus up to half of it. */
const RETRY_MS = 10_000;
/** Mounting is tried again sooner at first: what is missing is often created in the same breath. */
const FIRST_MOUNT_RETRY_MS = 500;
const MAX_MOUNT_RETRY_MS = 122_000;

export class PodWorker {
  readonly #options: PodWorkerOptions;
  readonly #uid: string;
  readonly #probes: PodProbes;
  readonly #memory: PodMemory;
  #pod: Pod;
  #stage: Stage = 'syncing';
  #failure: PodFailure | undefined;
  #graceSeconds: number | undefined;
  /** Gone from the API. */
  #removed = false;
  #stopped = false;
  #running = false;
  #dirty = false;
  #runtimeDirty = false;
  #step = new AbortController();
  #retry: Timer | undefined;
  #deadline: Timer | undefined;
  #mountFailures = 0;

  constructor(options: PodWorkerOptions, pod: Pod) {
    this.#options = options;
    this.#pod = pod;
    this.#uid = podUid(pod);
    this.#probes = options.probes(() => this.wake());
    const { clock } = options;
    this.#memory = {
      restarts: new RestartBackoff(clock),
      pulls: { backoff: new RestartBackoff(clock), lastErrors: new Map() },
      waiting: new Map(),
    };
    if (wantsTermination(pod)) this.#stage = 'terminating';
  }

  get pod(): Pod {
    return this.#pod;
  }

  /** Its containers may run, so its resources are taken. */
  get active(): boolean {
    return this.#stage === 'syncing' || this.#stage === 'terminating';
  }

  /** Another look is needed. */
  wake(): void {
    this.#dirty = true;
    this.#go();
  }

  /** The runtime told of a change. While a sync is under way it is most often the sync's own doing. */
  runtimeChanged(): void {
    this.#runtimeDirty = true;
    this.#go();
  }

  #go(): void {
    if (this.#running || this.#stopped) return;
    this.#running = true;
    queueMicrotask(() => {
      this.#loop().catch((e: unknown) => {
        this.#options.logger.error({ pod: describePod(this.#pod), err: e }, 'pod worker died');
      });
    });
  }

  /** The pod changed in the API. */
  update(pod: Pod): void {
    const old = this.#pod;
    const shorter = graceOf(pod) < graceOf(old);
    this.#pod = pod;
    if (this.#stage === 'syncing' && wantsTermination(pod)) this.#terminate();
    else if (this.#stage === 'terminating' && shorter) this.#interrupt('the grace period was shortened');
    else if (!changesWork(old, pod)) return;
    this.wake();
  }

  /** The pod is gone from the API, whether or not it ended here. */
  removed(): void {
    this.#removed = true;
    if (this.#stage === 'syncing') this.#terminate();
    this.wake();
  }

  /** The pod must go, for `failure`; `graceSeconds` wins over the pod's own. */
  fail(failure: PodFailure, graceSeconds?: number): void {
    if (this.#stage !== 'syncing') return;
    this.#failure = failure;
    this.#graceSeconds = graceSeconds;
    this.#terminate();
    this.wake();
  }

  /** The node does not take the pod: it fails without ever having been started. */
  reject(status: coreV1.PodStatus): void {
    this.#stage = 'finished';
    this.#options.statuses.set(this.#pod, status, { stopped: true, finished: true });
  }

  /** Lets go of the pod without touching its containers. */
  stop(): void {
    this.#stopped = true;
    this.#retry?.cancel();
    this.#deadline?.cancel();
    this.#probes.stop();
    this.#interrupt('the kubelet stops');
  }

  #terminate(): void {
    this.#stage = 'terminating';
    this.#interrupt('the pod is terminating');
  }

  #interrupt(why: string): void {
    this.#step.abort(new Error(why));
  }

  async #loop(): Promise<void> {
    try {
      while ((this.#dirty || this.#runtimeDirty) && !this.#stopped) {
        this.#dirty = false;
        this.#runtimeDirty = false;
        this.#retry?.cancel();
        this.#retry = undefined;
        this.#step = new AbortController();
        const { signal } = this.#step;
        try {
          await this.#act(signal);
        } catch (e) {
          if (signal.aborted) this.#dirty = true;
          else this.#failedStep(e);
        }
      }
    } finally {
      this.#running = false;
    }
  }

  #failedStep(e: unknown): void {
    this.#options.logger.warn({ pod: describePod(this.#pod), stage: this.#stage, err: e }, 'pod step failed');
    this.#retryIn(RETRY_MS);
  }

  #retryIn(delayMs: number): void {
    const { clock, random } = this.#options;
    this.#retry?.cancel();
    this.#retry = clock.setTimer(delayMs * (1 + random.next() / 2), () => this.wake());
  }

  async #act(signal: AbortSignal): Promise<void> {
    switch (this.#stage) {
      case 'syncing':
        await this.#sync(signal);
        break;
      case 'terminating':
        await this.#stopContainers(signal);
        break;
      case 'terminated':
        await this.#tearDown();
        break;
      case 'finished':
        if (this.#removed) await this.#clean();
        break;
    }
  }

  async #sync(signal: AbortSignal): Promise<void> {
    const { pods, runner, statuses, cgroups } = this.#options;
    const runtime = await pods.get(this.#uid);
    const status = this.#report(runtime, false);
    if (isTerminalPhase(status.phase)) {
      this.#stage = 'terminating';
      this.#dirty = true;
      return;
    }
    statuses.set(this.#pod, status);
    this.#watchDeadline(status);
    signal.throwIfAborted();
    await cgroups.ensure(this.#pod);
    if (!(await this.#mountVolumes(signal))) return;
    const outcome = await runner.sync(this.#pod, runtime, {
      memory: this.#memory,
      probes: this.#probes,
      signal,
      onSandboxReady: async () => statuses.set(this.#pod, this.#report(await pods.get(this.#uid), false)),
    });
    signal.throwIfAborted();
    if (outcome.changed) pods.invalidate(this.#uid);
    // What the runtime told so far is in what is read now.
    this.#runtimeDirty = false;
    const after = await pods.get(this.#uid);
    if (outcome.changed) await runner.prune(after);
    if (outcome.changed && runner.hasMoreWork(this.#pod, after, this.#probes, outcome)) this.#dirty = true;
    const reported = this.#report(after, false);
    if (isTerminalPhase(reported.phase)) this.#dirty = true;
    else statuses.set(this.#pod, reported);
    if (outcome.failed) this.#retryAfter(outcome.retryAfterMs);
  }

  #retryAfter(delayMs: number | undefined): void {
    if (delayMs === undefined) {
      this.#retryIn(RETRY_MS);
      return;
    }
    this.#retry?.cancel();
    this.#retry = this.#options.clock.setTimer(delayMs, () => this.wake());
  }

  async #mountVolumes(signal: AbortSignal): Promise<boolean> {
    const { volumes, events, logger } = this.#options;
    try {
      await volumes.mount(this.#pod, { signal });
      this.#mountFailures = 0;
      return true;
    } catch (e) {
      signal.throwIfAborted();
      const messages =
        e instanceof AggregateError
          ? (e.errors as Error[]).map(({ message }) => message)
          : [(e as Error).message];
      for (const message of messages) events.record(podTarget(this.#pod), 'Warning', 'FailedMount', message);
      logger.info({ pod: describePod(this.#pod), messages }, 'volumes not ready');
      const delayMs = Math.min(MAX_MOUNT_RETRY_MS, FIRST_MOUNT_RETRY_MS * 2 ** this.#mountFailures++);
      this.#retryAfter(delayMs);
      return false;
    }
  }

  /** Also brings the probes in line with what runs. */
  #report(runtime: RuntimePod, terminal: boolean): coreV1.PodStatus {
    const { statuses, hostIps, now, runtimeName } = this.#options;
    if (!terminal) {
      const podIp = this.#pod.spec.hostNetwork === true ? hostIps[0] : runtime.ips[0];
      this.#probes.observe(this.#pod, runtime, podIp ?? '');
      if (this.#stage !== 'syncing') this.#probes.stopLivenessAndStartup();
    }
    return computePodStatus({
      pod: this.#pod,
      runtime,
      runtimeName: runtimeName(),
      old: statuses.get(this.#uid) ?? this.#pod.status ?? {},
      terminal,
      waiting: this.#memory.waiting,
      readiness: this.#probes,
      hostIps,
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
      now: now(),
    });
  }

  async #stopContainers(signal: AbortSignal): Promise<void> {
    const { pods, killer, statuses, events } = this.#options;
    this.#deadline?.cancel();
    pods.invalidate(this.#uid);
    const runtime = await pods.get(this.#uid);
    if (runtime.containers.length === 0 && isTerminalPhase(this.#pod.status.phase)) {
      // It ended before this kubelet came up: what was reported then is all there is to say.
      statuses.set(this.#pod, this.#pod.status, { stopped: true, finished: false });
      this.#stage = 'terminated';
      this.#dirty = true;
      return;
    }
    statuses.set(this.#pod, this.#report(runtime, false));
    try {
      await killer.killPod(this.#pod, runtime, {
        signal,
        ...(this.#graceSeconds === undefined ? {} : { graceSeconds: this.#graceSeconds }),
      });
    } catch (e) {
      signal.throwIfAborted();
      const message = `error killing pod: ${(e as Error).message}`;
      events.record(podTarget(this.#pod), 'Warning', 'FailedKillPod', message);
      throw e;
    }
    this.#probes.stop();
    pods.invalidate(this.#uid);
    const stopped = await pods.get(this.#uid);
    const still = stopped.containers.find(({ state }) => state === 'running');
    if (still !== undefined) throw new Error(`container ${still.name} still runs after it was stopped`);
    statuses.set(this.#pod, this.#report(stopped, true), { stopped: true, finished: false });
    this.#stage = 'terminated';
    this.#dirty = true;
  }

  async #tearDown(): Promise<void> {
    const { volumes, cgroups, statuses } = this.#options;
    await volumes.unmount(this.#uid);
    await cgroups.remove(this.#uid);
    const last = statuses.get(this.#uid) ?? this.#pod.status ?? {};
    statuses.set(this.#pod, finalPodStatus(this.#pod, last), { stopped: true, finished: true });
    this.#stage = 'finished';
    this.#dirty = true;
  }

  async #clean(): Promise<void> {
    const { pods, runner, statuses, removeFolders, onCleaned } = this.#options;
    pods.invalidate(this.#uid);
    await runner.prune(await pods.get(this.#uid), { keep: 0 });
    await removeFolders(this.#pod);
    pods.forget(this.#uid);
    statuses.forget(this.#uid);
    this.stop();
    onCleaned(this.#uid);
  }

  /** `activeDeadlineSeconds` counts from the pod's start. */
  #watchDeadline(status: coreV1.PodStatus): void {
    const seconds = this.#pod.spec.activeDeadlineSeconds;
    this.#deadline?.cancel();
    if (seconds === undefined || status.startTime === undefined) return;
    const { clock, events } = this.#options;
    const leftMs = Date.parse(status.startTime) + seconds * 1000 - clock.now();
    this.#deadline = clock.setTimer(Math.max(0, leftMs), () => {
      const failure = {
        reason: 'DeadlineExceeded',
        message: 'Pod was active on the node longer than the specified deadline',
      };
      events.record(podTarget(this.#pod), 'Normal', failure.reason, failure.message);
      this.fail(failure);
    });
  }
}

const wantsTermination = (pod: Pod): boolean =>
  pod.metadata.deletionTimestamp !== undefined || isTerminalPhase(pod.status?.phase);

const graceOf = (pod: Pod): number => pod.metadata.deletionGracePeriodSeconds ?? Number.POSITIVE_INFINITY;
