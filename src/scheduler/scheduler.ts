/**
 * The scheduler: watches pods without a node, finds one for each, binds.
 *
 * One scheduling cycle is synchronous and runs for one pod at a time against the cache; the binding that follows is
 * a request and runs beside the next cycles, at most MAX_BINDINGS at once. Nothing polls: the loop runs when the
 * queue has something active.
 */
import type { coreV1 } from '#api';
import { type Client, type Informer, type InformerFactory, objectKey, resources } from '#client';
import { isNotFound } from '#machinery';
import { type Clock, formatTime, type Logger, type Random } from '#platform';
import { SchedulerCache } from './cache.ts';
import type { ClusterEvent, SchedulerPlugin } from './framework.ts';
import { defaultPlugins } from './plugins/index.ts';
import { type QueuedPod, SchedulingQueue } from './queue.ts';
import { SchedulingCycle } from './scheduling-cycle.ts';

/** Bindings under way at once; further pods wait in the queue. */
const MAX_BINDINGS = 128;
/** Pods tried in one turn of the event loop before others get it. */
const CYCLES_PER_TURN = 32;

/** What the scheduler tells people about a pod. */
export interface PodEventSink {
  event(
    object: coreV1.Pod,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    action?: string,
  ): void;
}

export interface SchedulerOptions {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly events: PodEventSink;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** `spec.schedulerName` of the pods it takes. Default `default-scheduler`. */
  readonly schedulerName?: string;
  readonly plugins?: readonly SchedulerPlugin[];
}

const isFinished = (pod: coreV1.Pod): boolean =>
  pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed';
const isAssigned = (pod: coreV1.Pod): boolean => (pod.spec.nodeName ?? '') !== '';

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #schedulerName: string;
  readonly #pods: Informer<coreV1.Pod>;
  readonly #nodes: Informer<coreV1.Node>;
  readonly #cache = new SchedulerCache();
  readonly #queue: SchedulingQueue;
  readonly #cycle: SchedulingCycle;
  readonly #stopped = new AbortController();
  readonly #removeHandlers: (() => void)[] = [];
  #bindings = 0;
  #scheduled = false;
  #started = false;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#schedulerName = options.schedulerName ?? 'default-scheduler';
    const plugins = options.plugins ?? defaultPlugins;
    this.#pods = options.informers.for(resources.pods);
    this.#nodes = options.informers.for(resources.nodes);
    this.#cycle = new SchedulingCycle(plugins, options.random);
    this.#queue = new SchedulingQueue({ clock: options.clock, plugins, onActive: () => this.#wake() });
  }

  /** Resolves when nodes and pods are known and scheduling has begun. */
  async start(): Promise<void> {
    this.#removeHandlers.push(
      this.#nodes.addHandler({
        onAdd: (node) => this.#onNode(node, undefined),
        onUpdate: (node, old) => this.#onNode(node, old),
        onDelete: (node) => this.#cache.removeNode(node.metadata.name),
      }),
      this.#pods.addHandler({
        onAdd: (pod) => this.#onPod(pod, undefined),
        onUpdate: (pod, old) => this.#onPod(pod, old),
        onDelete: (pod) => this.#onPodGone(pod),
      }),
    );
    const { signal } = this.#stopped;
    await Promise.all([this.#nodes.synced({ signal }), this.#pods.synced({ signal })]);
    this.#started = true;
    this.#wake();
  }

  /** Bindings under way still finish. */
  stop(): void {
    this.#stopped.abort(new Error('scheduler stopped'));
    for (const remove of this.#removeHandlers) remove();
    this.#queue.close();
  }

  #onNode(node: coreV1.Node, old: coreV1.Node | undefined): void {
    this.#cache.setNode(node);
    if (old === undefined) this.#queue.onEvent({ type: 'node-added', node });
    else if (mattersToScheduling(node, old)) this.#queue.onEvent({ type: 'node-updated', node, old });
  }

  #onPod(pod: coreV1.Pod, old: coreV1.Pod | undefined): void {
    if (isAssigned(pod)) {
      this.#queue.remove(pod.metadata.uid);
      this.#cache.setPod(pod);
      const newlyAssigned = old === undefined || !isAssigned(old);
      if (isFinished(pod) && !(old !== undefined && isFinished(old))) this.#freed(pod);
      else if (newlyAssigned) this.#queue.onEvent({ type: 'assigned-pod-added', pod });
      return;
    }
    if (pod.spec.schedulerName !== this.#schedulerName || isFinished(pod)) return;
    if (pod.metadata.deletionTimestamp !== undefined) {
      this.#queue.remove(pod.metadata.uid);
    } else if (!this.#cache.isAssumed(pod.metadata.uid)) {
      const shapeChanged = old !== undefined && old.metadata.generation !== pod.metadata.generation;
      this.#queue.update(pod, objectKey(pod), shapeChanged);
    }
  }

  #onPodGone(pod: coreV1.Pod): void {
    this.#queue.remove(pod.metadata.uid);
    if (!isAssigned(pod)) return;
    this.#cache.removePod(pod.metadata.uid);
    this.#freed(pod);
  }

  #freed(pod: coreV1.Pod): void {
    const event: ClusterEvent = { type: 'assigned-pod-deleted', pod };
    this.#queue.onEvent(event);
  }

  /** Runs the loop soon, once however often it is called. */
  #wake(): void {
    if (this.#scheduled || !this.#started || this.#stopped.signal.aborted) return;
    this.#scheduled = true;
    this.#options.clock.setTimer(0, () => {
      this.#scheduled = false;
      this.#run();
    });
  }

  #run(): void {
    for (let tried = 0; this.#bindings < MAX_BINDINGS; tried++) {
      if (this.#stopped.signal.aborted) return;
      if (tried === CYCLES_PER_TURN) {
        this.#wake();
        return;
      }
      const queued = this.#queue.next();
      if (queued === undefined) return;
      this.#schedule(queued);
    }
  }

  #schedule(queued: QueuedPod): void {
    const { pod } = queued;
    const moves = this.#queue.moves;
    const result = this.#cycle.findNode(pod, this.#cache);
    if (result.node === undefined) {
      this.#queue.failed(queued, result.rejectedBy, moves);
      this.#options.events.event(pod, 'Warning', 'FailedScheduling', result.message, 'Scheduling');
      this.#background(this.#recordUnschedulable(pod, result.message), pod);
      return;
    }
    this.#cache.assume({ ...pod, spec: { ...pod.spec, nodeName: result.node.name } }, result.node.name);
    this.#bindings++;
    this.#background(this.#bind(queued, result.node.name), pod);
  }

  #background(work: Promise<void>, pod: coreV1.Pod): void {
    work.catch((error: unknown) => {
      this.#options.logger.warn({ error, pod: objectKey(pod) }, 'scheduling a pod failed');
    });
  }

  async #bind(queued: QueuedPod, nodeName: string): Promise<void> {
    const { pod } = queued;
    const { namespace = '', name, uid } = pod.metadata;
    try {
      await this.#options.client.resource(resources.pods, namespace).createSubresource(name, 'binding', {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace, uid },
        target: { apiVersion: 'v1', kind: 'Node', name: nodeName },
      });
      this.#options.events.event(
        pod,
        'Normal',
        'Scheduled',
        `Successfully assigned ${namespace}/${name} to ${nodeName}`,
        'Binding',
      );
    } catch (error) {
      this.#cache.forget(uid);
      // Gone meanwhile, or another scheduler was faster: the informer tells.
      const current = this.#pods.get(queued.key);
      if (isNotFound(error) || current === undefined || current.metadata.uid !== uid || isAssigned(current))
        return;
      this.#queue.failed({ ...queued, pod: current }, [], this.#queue.moves);
      throw error;
    } finally {
      this.#bindings--;
      this.#wake();
    }
  }

  async #recordUnschedulable(pod: coreV1.Pod, message: string): Promise<void> {
    const known = pod.status.conditions?.find((condition) => condition.type === 'PodScheduled');
    if (known?.status === 'False' && known.reason === 'Unschedulable' && known.message === message) return;
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
      observedGeneration: pod.metadata.generation,
      lastProbeTime: null,
      lastTransitionTime:
        known?.status === 'False' ? known.lastTransitionTime : formatTime(this.#options.clock.now()),
    };
    try {
      await this.#options.client
        .resource(resources.pods, pod.metadata.namespace ?? '')
        .patch(
          pod.metadata.name,
          'application/strategic-merge-patch+json',
          { metadata: { uid: pod.metadata.uid }, status: { conditions: [condition] } },
          { subresource: 'status' },
        );
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

/** Heartbeats change a node's status all the time; only these parts decide about pods. */
function mattersToScheduling(node: coreV1.Node, old: coreV1.Node): boolean {
  const relevant = ({ spec, status, metadata }: coreV1.Node): string =>
    JSON.stringify([spec.unschedulable, spec.taints, status.allocatable, metadata.labels]);
  return relevant(node) !== relevant(old);
}
