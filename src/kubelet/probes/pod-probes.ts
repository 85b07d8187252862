/**
 * The probes of one pod. A probe of a running container is one timer; nothing ticks for containers that do not run
 * or for probes that wait for the startup probe.
 */
import type { coreV1 } from '#api';
import type { Clock, Logger, Random, Timer } from '#platform';
import type { ProbeOutcome, ProbeResults } from '../containers/pod-actions.ts';
import { type EventSink, podTarget } from '../events.ts';
import { type Container, containersOf, describePod, isSidecar, type Pod } from '../pods/pod-spec.ts';
import { latestContainer, type RuntimeContainer, type RuntimePod } from '../pods/runtime-pod.ts';
import type { Readiness } from '../status/pod-status.ts';
import { type ProbeKind, probeOf, type ProbeRunner } from './probe.ts';

export interface PodProbesOptions {
  readonly runner: ProbeRunner;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  readonly logger: Logger;
  /** When this kubelet came up: containers older than that are adopted. */
  readonly kubeletStartMs: number;
  /** A result changed: the pod wants a sync. */
  readonly onResult: () => void;
}

interface Worker {
  readonly name: string;
  readonly kind: ProbeKind;
  readonly spec: coreV1.Probe;
  readonly containerId: string;
  readonly startedMs: number;
  readonly stop: AbortController;
  outcome: ProbeOutcome;
  /** Same answers in a row. */
  run: number;
  lastAnswer: ProbeOutcome | undefined;
  timer: Timer | undefined;
  /** Has said its last word about this container. */
  done: boolean;
  busy: boolean;
}

const KINDS: readonly ProbeKind[] = ['startup', 'liveness', 'readiness'];
const INITIAL: Readonly<Record<ProbeKind, ProbeOutcome>> = {
  startup: 'unknown',
  liveness: 'success',
  readiness: 'failure',
};
/** Attempts of a probe that could not even be asked, before that run is given up. */
const MAX_ATTEMPTS = 3;

export class PodProbes implements ProbeResults, Readiness {
  readonly #options: PodProbesOptions;
  readonly #workers = new Map<string, Worker>();
  #pod: Pod | undefined;
  #podIp = '';

  constructor(options: PodProbesOptions) {
    this.#options = options;
  }

  /** Brings the probes in line with what runs now. */
  observe(pod: Pod, runtime: RuntimePod, podIp: string): void {
    this.#pod = pod;
    this.#podIp = podIp;
    for (const { kind: place, container } of containersOf(pod)) {
      if (place === 'ephemeral' || (place === 'init' && !isSidecar(container))) continue;
      const latest = latestContainer(runtime, container.name);
      for (const kind of KINDS) this.#observeOne(pod, container, kind, latest);
    }
  }

  /** The pod is going: only readiness still matters, until its containers are gone. */
  stopLivenessAndStartup(): void {
    for (const worker of this.#workers.values()) {
      if (worker.kind === 'readiness') continue;
      worker.outcome = 'success';
      this.#halt(worker);
    }
  }

  stop(): void {
    for (const worker of this.#workers.values()) this.#halt(worker);
    this.#workers.clear();
  }

  liveness(containerId: string): ProbeOutcome | undefined {
    return this.#outcomeOf('liveness', containerId);
  }

  startup(containerId: string): ProbeOutcome | undefined {
    return this.#outcomeOf('startup', containerId);
  }

  started(name: string, containerId: string): boolean {
    return this.#passed(name, 'startup', containerId);
  }

  ready(name: string, containerId: string): boolean {
    return this.#passed(name, 'readiness', containerId);
  }

  #outcomeOf(kind: ProbeKind, containerId: string): ProbeOutcome | undefined {
    for (const worker of this.#workers.values()) {
      if (worker.kind === kind && worker.containerId === containerId) return worker.outcome;
    }
    return undefined;
  }

  /** `containerId` may carry the runtime's scheme. */
  #passed(name: string, kind: ProbeKind, containerId: string): boolean {
    const worker = this.#workers.get(`${name}/${kind}`);
    if (worker === undefined) return this.#spec(name, kind) === undefined;
    return containerId.endsWith(worker.containerId) && worker.outcome === 'success';
  }

  #spec(name: string, kind: ProbeKind): coreV1.Probe | undefined {
    if (this.#pod === undefined) return undefined;
    for (const { container } of containersOf(this.#pod))
      if (container.name === name) return probeOf(container, kind);
    return undefined;
  }

  #observeOne(pod: Pod, container: Container, kind: ProbeKind, latest: RuntimeContainer | undefined): void {
    const spec = probeOf(container, kind);
    if (spec === undefined) return;
    const key = `${container.name}/${kind}`;
    let worker = this.#workers.get(key);
    if (latest?.state !== 'running') {
      if (worker === undefined) return;
      worker.outcome = 'failure';
      this.#halt(worker);
      return;
    }
    if (worker?.containerId !== latest.id) {
      if (worker !== undefined) this.#halt(worker);
      worker = this.#newWorker(pod, container, kind, spec, latest);
      this.#workers.set(key, worker);
    }
    this.#plan(worker);
  }

  #newWorker(
    pod: Pod,
    container: Container,
    kind: ProbeKind,
    spec: coreV1.Probe,
    latest: RuntimeContainer,
  ): Worker {
    const kept = reportedOutcome(pod, container.name, kind, latest.id);
    return {
      name: container.name,
      kind,
      spec,
      containerId: latest.id,
      startedMs: Number(latest.startedAt / 1_000_000n),
      stop: new AbortController(),
      outcome: kept ?? INITIAL[kind],
      run: 0,
      lastAnswer: undefined,
      timer: undefined,
      // A container that has started once needs no startup probe any more.
      done: kind === 'startup' && kept === 'success',
      busy: false,
    };
  }

  /** Sets the timer of the first run when it is due to begin. */
  #plan(worker: Worker): void {
    if (worker.done || worker.busy || worker.timer !== undefined) return;
    if (worker.kind !== 'startup' && !this.#passed(worker.name, 'startup', worker.containerId)) return;
    const { clock, random, kubeletStartMs } = this.#options;
    const readyMs = worker.startedMs + (worker.spec.initialDelaySeconds ?? 0) * 1000;
    const waitMs = Math.max(0, readyMs - clock.now());
    // After a restart all probes of the node would fire at once: spread them over a period.
    const adopted = worker.startedMs < kubeletStartMs;
    const spreadMs = adopted ? random.next() * periodMs(worker) : 0;
    this.#arm(worker, waitMs + spreadMs);
  }

  #arm(worker: Worker, delayMs: number): void {
    worker.timer = this.#options.clock.setTimer(delayMs, () => {
      worker.timer = undefined;
      worker.busy = true;
      const began = this.#options.clock.monotonic();
      this.#runOnce(worker)
        .catch((e: unknown) =>
          this.#options.logger.debug({ err: e, container: worker.name }, 'probe not run'),
        )
        .finally(() => {
          worker.busy = false;
          if (worker.done || worker.stop.signal.aborted) return;
          const tookMs = this.#options.clock.monotonic() - began;
          this.#arm(worker, Math.max(0, periodMs(worker) - tookMs));
        });
    });
  }

  async #runOnce(worker: Worker): Promise<void> {
    const pod = this.#pod;
    const container = pod === undefined ? undefined : findByName(pod, worker.name);
    if (pod === undefined || container === undefined) return;
    const answer = await this.#ask(worker, pod, container);
    if (answer === undefined || worker.stop.signal.aborted) return;
    this.#count(worker, answer);
  }

  /** Undefined: this run does not count. */
  async #ask(worker: Worker, pod: Pod, container: Container): Promise<'success' | 'failure' | undefined> {
    const { runner, events } = this.#options;
    const target = { pod, container, containerId: worker.containerId, podIp: this.#podIp };
    const { signal } = worker.stop;
    const title =
      worker.kind === 'readiness' ? 'Readiness' : worker.kind === 'liveness' ? 'Liveness' : 'Startup';
    const about = podTarget(pod, worker.name);
    for (let attempt = 1; ; attempt++) {
      try {
        const { result, output } = await runner.run(worker.spec, target, { signal });
        signal.throwIfAborted();
        if (result === 'success') return 'success';
        if (result === 'warning') {
          events.record(about, 'Warning', 'ProbeWarning', `${title} probe warning: ${output}`);
          return 'success';
        }
        events.record(about, 'Warning', 'Unhealthy', `${title} probe failed: ${output}`);
        return 'failure';
      } catch (e) {
        if (signal.aborted) return undefined;
        if (attempt < MAX_ATTEMPTS) continue;
        const message = `${title} probe errored and resulted in unknown state: ${(e as Error).message}`;
        events.record(about, 'Warning', 'Unhealthy', message);
        this.#options.logger.debug({ pod: describePod(pod), err: e }, 'probe errored');
        return undefined;
      }
    }
  }

  #count(worker: Worker, answer: 'success' | 'failure'): void {
    worker.run = worker.lastAnswer === answer ? worker.run + 1 : 1;
    worker.lastAnswer = answer;
    const { failureThreshold = 3, successThreshold = 1 } = worker.spec;
    if (worker.run < (answer === 'success' ? successThreshold : failureThreshold)) return;
    const changed = worker.outcome !== answer;
    worker.outcome = answer;
    // The container is going to be restarted, or has started for good: enough asked.
    if (worker.kind === 'startup' || (worker.kind === 'liveness' && answer === 'failure')) worker.done = true;
    if (worker.kind === 'startup' && answer === 'success') {
      for (const other of this.#workers.values()) if (other.name === worker.name) this.#plan(other);
    }
    if (changed) this.#options.onResult();
  }

  #halt(worker: Worker): void {
    worker.done = true;
    worker.timer?.cancel();
    worker.timer = undefined;
    worker.stop.abort(new Error('probe stopped'));
  }
}

const periodMs = (worker: Worker): number => (worker.spec.periodSeconds ?? 10) * 1000;

function findByName(pod: Pod, name: string): Container | undefined {
  for (const { container } of containersOf(pod)) if (container.name === name) return container;
  return undefined;
}

/**
 * What the API last said of this very container: said by the kubelet before this one, since this one has not probed it
 * yet. A kubelet that comes back changes nothing until it knows better.
 */
function reportedOutcome(pod: Pod, name: string, kind: ProbeKind, id: string): ProbeOutcome | undefined {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const status = [...containerStatuses, ...initContainerStatuses].find((one) => one.name === name);
  if (status?.containerID?.endsWith(id) !== true) return undefined;
  if (kind === 'startup') return status.started === true ? 'success' : undefined;
  return kind === 'readiness' && status.ready ? 'success' : undefined;
}
