/** Stops containers the polite way: preStop hook, its turn among sidecars, stop signal, grace period, kill. */
import type { RuntimeService } from '#cri';
import type { Clock, Logger } from '#platform';
import { type EventSink, podTarget } from '../events.ts';
import { type Container, describePod, findContainer, type Pod } from '../pods/pod-spec.ts';
import type { RuntimePod } from '../pods/runtime-pod.ts';
import type { LifecycleHooks } from './lifecycle-hooks.ts';
import type { KillReason } from './pod-actions.ts';
import { hasSidecars } from './restart-policy.ts';
import { TerminationOrder } from './termination-order.ts';

/** Even a grace period that is used up leaves the process this long before SIGKILL. */
const MIN_GRACE_SECONDS = 2;

export interface KillRequest {
  readonly pod: Pod;
  readonly container: Container;
  readonly id: string;
  readonly message?: string;
  readonly reason?: KillReason;
  /** Wins over every period of the spec. */
  readonly graceSeconds?: number;
  readonly order?: TerminationOrder;
  readonly signal?: AbortSignal;
}

export class ContainerKiller {
  readonly #runtime: RuntimeService;
  readonly #hooks: LifecycleHooks;
  readonly #events: EventSink;
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(options: {
    readonly runtime: RuntimeService;
    readonly hooks: LifecycleHooks;
    readonly events: EventSink;
    readonly clock: Clock;
    readonly logger: Logger;
  }) {
    this.#runtime = options.runtime;
    this.#hooks = options.hooks;
    this.#events = options.events;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  /** Resolves when the container is gone; one that is gone already is fine. */
  async kill(request: KillRequest): Promise<void> {
    const { pod, container, id, order, signal } = request;
    const message = request.message ?? `Stopping container ${container.name}`;
    this.#events.record(podTarget(pod, container.name), 'Normal', 'Killing', message);
    let graceMs = 1000 * (request.graceSeconds ?? graceSeconds(pod, container, request.reason ?? 'other'));
    if (container.lifecycle?.preStop !== undefined && graceMs > 0) {
      graceMs -= await this.#preStop(request, graceMs);
    }
    if (order !== undefined && graceMs > 0) graceMs -= await order.turn(container.name, graceMs);
    const seconds = Math.max(MIN_GRACE_SECONDS, Math.floor(graceMs / 1000));
    try {
      await this.#runtime.stopContainer(id, seconds, { signal });
    } finally {
      order?.ended(container.name);
    }
  }

  /**
   * Stops every running container of a pod, sidecars last, then its sandboxes.
   * @throws AggregateError when something could not be stopped.
   */
  async killPod(
    pod: Pod,
    runtime: RuntimePod,
    options: { readonly graceSeconds?: number; readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    const running = runtime.containers.filter(({ state }) => state === 'running' || state === 'unknown');
    const order = hasSidecars(pod)
      ? new TerminationOrder(this.#clock, pod, new Set(running.map(({ name }) => name)))
      : undefined;
    const failures: unknown[] = [];
    await Promise.all(
      running.map(async ({ id, name }) => {
        const container = findContainer(pod, name)?.container ?? { name };
        try {
          await this.kill({ pod, container, id, ...options, ...(order === undefined ? {} : { order }) });
        } catch (e) {
          failures.push(e);
        }
      }),
    );
    options.signal?.throwIfAborted();
    for (const sandbox of runtime.sandboxes) {
      try {
        await this.#runtime.stopPodSandbox(sandbox.id, { signal: options.signal });
      } catch (e) {
        failures.push(e);
      }
    }
    if (failures.length > 0)
      throw new AggregateError(failures, failures.map((e) => (e as Error).message).join(', '));
  }

  async #preStop(request: KillRequest, graceMs: number): Promise<number> {
    const { pod, container, id } = request;
    const from = this.#clock.monotonic();
    const stop = new AbortController();
    const timer = this.#clock.setTimer(graceMs, () => stop.abort(new Error('grace period is over')));
    const signal =
      request.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, request.signal]);
    try {
      await this.#hooks.run('preStop', { pod, container, containerId: id }, { signal });
    } catch (e) {
      request.signal?.throwIfAborted();
      this.#logger.warn({ pod: describePod(pod), container: container.name, err: e }, 'preStop hook failed');
      if (stop.signal.aborted) return graceMs;
      // The hook's output may hold secrets: it stays out of the event.
      this.#events.record(
        podTarget(pod, container.name),
        'Warning',
        'FailedPreStopHook',
        'PreStopHook failed',
      );
    } finally {
      timer.cancel();
    }
    return this.#clock.monotonic() - from;
  }
}

function graceSeconds(pod: Pod, container: Container, reason: KillReason): number {
  const deletion = pod.metadata.deletionGracePeriodSeconds;
  if (deletion !== undefined) return deletion;
  const own = pod.spec.terminationGracePeriodSeconds;
  if (own === undefined) return MIN_GRACE_SECONDS;
  const probe =
    reason === 'startup-probe'
      ? container.startupProbe
      : reason === 'liveness-probe'
        ? container.livenessProbe
        : undefined;
  return probe?.terminationGracePeriodSeconds ?? own;
}
