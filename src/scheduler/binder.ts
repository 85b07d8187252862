/** Binds pods to the nodes chosen for them, after what plugins have to do first. */
import type { coreV1 } from '#api';
import { type Client, resources } from '#client';
import type { Clock } from '#platform';
import type { SchedulerPlugin } from './framework.ts';
import type { NodeInfo } from './node-info.ts';

/** How long plugins may take before the pod is tried anew: volumes are provisioned meanwhile. */
const PRE_BIND_TIMEOUT_MS = 10 * 60_000;

/** A pod was not bound: which plugin failed, in upstream's words; `cause` is what it threw. */
export class BindingError extends Error {
  override readonly name = 'BindingError';

  constructor(point: 'PreBind' | 'Bind', plugin: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`running ${point} plugin ${JSON.stringify(plugin)}: ${reason}`, { cause });
  }
}

export interface BinderOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly plugins: readonly SchedulerPlugin[];
  readonly stopped: AbortSignal;
}

export class Binder {
  readonly #options: BinderOptions;
  readonly #reserving: readonly SchedulerPlugin[];
  readonly #preparing: readonly SchedulerPlugin[];
  /** Pods that plugins still work for. */
  readonly #cancellations = new Map<string, AbortController>();
  #underWay = 0;

  constructor(options: BinderOptions) {
    this.#options = options;
    this.#reserving = options.plugins.filter((plugin) => plugin.reserve !== undefined);
    this.#preparing = options.plugins.filter((plugin) => plugin.preBind !== undefined);
  }

  /** Binding requests that have not been answered. */
  get underWay(): number {
    return this.#underWay;
  }

  /** The pod is gone: ends the wait for plugins. A request on its way is left to fail. */
  cancel(uid: string): void {
    this.#cancellations.get(uid)?.abort(new Error('the pod was deleted while it was being bound'));
  }

  /** Rejects with BindingError when the pod is not bound; nothing stays reserved then. */
  async bind(pod: coreV1.Pod, node: NodeInfo): Promise<void> {
    const release: (() => void)[] = [];
    const nodeName = node.name;
    try {
      for (const plugin of this.#reserving) {
        const unreserve = plugin.reserve?.(pod, node);
        if (unreserve !== undefined) release.push(unreserve);
      }
      if (release.length > 0) await this.#prepare(pod, nodeName);
      await this.#send(pod, nodeName);
    } finally {
      for (const unreserve of release) unreserve();
    }
  }

  async #prepare(pod: coreV1.Pod, nodeName: string): Promise<void> {
    const { clock, stopped } = this.#options;
    const { uid } = pod.metadata;
    const cancellation = new AbortController();
    this.#cancellations.set(uid, cancellation);
    const timer = clock.setTimer(PRE_BIND_TIMEOUT_MS, () =>
      cancellation.abort(new Error('binding volumes: context deadline exceeded')),
    );
    const signal = AbortSignal.any([cancellation.signal, stopped]);
    try {
      for (const plugin of this.#preparing) {
        await plugin.preBind?.(pod, nodeName, { signal })?.catch((error: unknown) => {
          throw new BindingError('PreBind', plugin.name, error);
        });
      }
    } finally {
      timer.cancel();
      this.#cancellations.delete(uid);
    }
  }

  async #send({ metadata }: coreV1.Pod, nodeName: string): Promise<void> {
    const { name, namespace = '', uid } = metadata;
    this.#underWay++;
    try {
      await this.#options.client.resource(resources.pods, namespace).createSubresource(name, 'binding', {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace, uid },
        target: { apiVersion: 'v1', kind: 'Node', name: nodeName },
      });
    } catch (error) {
      throw new BindingError('Bind', 'DefaultBinder', error);
    } finally {
      this.#underWay--;
    }
  }
}
