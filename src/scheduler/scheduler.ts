/**
 * The scheduler: watches pods without a node, finds one for each, binds.
 *
 * One scheduling cycle is synchronous and runs for one pod at a time against the cache; the binding that follows is
 * a request and runs beside the next cycles, at most MAX_BINDINGS at once. Nothing polls: the loop runs when the
 * queue has something to try.
 */
import type { coreV1 } from '#api';
import { type Client, type Informer, type InformerFactory, objectKey, resources } from '#client';
import { deepEqual, isNotFound } from '#machinery';
import type { Clock, Logger, Random } from '#platform';
import { Binder, BindingError } from './binder.ts';
import { SchedulerCache } from './cache.ts';
import { type InformedView, viewOf } from './cluster-view.ts';
import { Evictions } from './evictions.ts';
import type { PostFilterResult, SchedulerPlugin } from './framework.ts';
import { Nominations } from './nominations.ts';
import type { NodeInfo } from './node-info.ts';
import { defaultPlugins } from './plugins/index.ts';
import type { PodEventSink } from './pod-event-sink.ts';
import { isAssigned, isFinished, isTerminating, priorityOf } from './pod-state.ts';
import { PodStatusWriter } from './pod-status.ts';
import { type QueuedPod, SchedulingQueue } from './queue.ts';
import { podRequests } from './resources.ts';
import { type NoFit, SchedulingCycle } from './scheduling-cycle.ts';

/** Bindings under way at once; further pods wait in the queue. */
const MAX_BINDINGS = 128;
/** Pods tried in one turn of the event loop before others get it. */
const CYCLES_PER_TURN = 32;
/** Longest message an event takes; conditions hold all of it. */
const MAX_EVENT_MESSAGE = 1_024;

export interface SchedulerOptions {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly events: PodEventSink;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** `spec.schedulerName` of the pods it takes. Default `default-scheduler`. */
  readonly schedulerName?: string;
  /** Default: those that upstream enables by default. */
  readonly plugins?: readonly SchedulerPlugin[];
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #schedulerName: string;
  readonly #plugins: readonly SchedulerPlugin[];
  readonly #pods: Informer<coreV1.Pod>;
  readonly #nodes: Informer<coreV1.Node>;
  readonly #view: InformedView;
  readonly #cache = new SchedulerCache();
  readonly #nominations = new Nominations();
  readonly #queue: SchedulingQueue;
  readonly #cycle: SchedulingCycle;
  readonly #binder: Binder;
  readonly #status: PodStatusWriter;
  readonly #evictions: Evictions;
  readonly #stopped = new AbortController();
  readonly #removeHandlers: (() => void)[] = [];
  /** Pods to be tried again once their victims are told to go. */
  readonly #heldBack = new Set<string>();
  #woken = false;
  #started = false;

  constructor(options: SchedulerOptions) {
    const { client, informers, events, clock, random } = options;
    this.#options = options;
    this.#schedulerName = options.schedulerName ?? 'default-scheduler';
    this.#view = viewOf(informers);
    this.#plugins = options.plugins ?? defaultPlugins({ view: this.#view, client, clock, random });
    this.#pods = informers.for(resources.pods);
    this.#nodes = informers.for(resources.nodes);
    this.#cycle = new SchedulingCycle(this.#plugins, random);
    this.#queue = new SchedulingQueue({ clock, plugins: this.#plugins, onReady: () => this.#wake() });
    this.#binder = new Binder({ client, clock, plugins: this.#plugins, stopped: this.#stopped.signal });
    this.#status = new PodStatusWriter(client, clock);
    this.#evictions = new Evictions({
      client,
      events,
      status: this.#status,
      schedulerName: this.#schedulerName,
    });
  }

  /** Resolves when nodes, pods and what plugins look at are known and scheduling has begun. */
  async start(): Promise<void> {
    this.#removeHandlers.push(
      this.#nodes.addHandler({
        onAdd: (node) => this.#onNode(node, undefined),
        onUpdate: (node, old) => this.#onNode(node, old),
        onDelete: (node) => this.#onNodeGone(node),
      }),
      this.#pods.addHandler({
        onAdd: (pod) => this.#onPod(pod, undefined),
        onUpdate: (pod, old) => this.#onPod(pod, old),
        onDelete: (pod) => this.#onPodGone(pod),
      }),
      this.#view.onStorageChange(() => this.#queue.onEvent({ type: 'storage-changed' })),
    );
    const { signal } = this.#stopped;
    await Promise.all([
      this.#nodes.synced({ signal }),
      this.#pods.synced({ signal }),
      this.#view.synced({ signal }),
    ]);
    this.#started = true;
    this.#wake();
  }

  /** Bindings that were sent still finish. */
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

  #onNodeGone(node: coreV1.Node): void {
    this.#cache.removeNode(node.metadata.name);
    this.#queue.onEvent({ type: 'node-deleted', node });
  }

  #onPod(pod: coreV1.Pod, old: coreV1.Pod | undefined): void {
    if (isAssigned(pod)) this.#onAssignedPod(pod, old);
    else if (pod.spec.schedulerName === this.#schedulerName && !isFinished(pod)) this.#onWaitingPod(pod, old);
  }

  #onAssignedPod(pod: coreV1.Pod, old: coreV1.Pod | undefined): void {
    const { uid } = pod.metadata;
    this.#queue.remove(uid);
    this.#nominations.remove(uid);
    this.#cache.setPod(pod);
    if (isFinished(pod)) {
      if (old === undefined || !isFinished(old)) this.#freed(pod);
    } else if (old === undefined || !isAssigned(old)) {
      this.#queue.onEvent({ type: 'assigned-pod-added', pod });
    } else if (changesItsPlace(pod, old)) {
      this.#queue.onEvent({ type: 'assigned-pod-updated', pod, old });
    }
  }

  #onWaitingPod(pod: coreV1.Pod, old: coreV1.Pod | undefined): void {
    const { uid } = pod.metadata;
    if (isTerminating(pod) || isFinished(pod)) {
      this.#withdraw(pod);
      return;
    }
    const nominated = pod.status.nominatedNodeName ?? '';
    // Only a change is news: what was decided here reaches the API server later.
    if (nominated !== (old?.status.nominatedNodeName ?? '')) {
      this.#nominations.set(pod, nominated);
      if (old?.status.nominatedNodeName !== undefined) this.#yielded(old);
    }
    if (!this.#cache.isAssumed(uid))
      this.#queue.update(pod, objectKey(pod), old !== undefined && changesItsNeeds(pod, old));
  }

  #onPodGone(pod: coreV1.Pod): void {
    if (isAssigned(pod)) {
      this.#queue.remove(pod.metadata.uid);
      this.#cache.removePod(pod.metadata.uid);
      if (!isFinished(pod)) this.#freed(pod);
    } else this.#withdraw(pod);
  }

  /** A pod without a node is going: whatever is set aside for it is free again. */
  #withdraw(pod: coreV1.Pod): void {
    const { uid } = pod.metadata;
    this.#queue.remove(uid);
    this.#binder.cancel(uid);
    const wasNominated = this.#nominations.nodeOf(uid) !== undefined;
    this.#nominations.remove(uid);
    if (this.#cache.isAssumed(uid)) {
      this.#cache.forget(uid);
      this.#freed(pod);
    } else if (wasNominated) this.#yielded(pod);
  }

  #freed(pod: coreV1.Pod): void {
    this.#queue.onEvent({ type: 'assigned-pod-deleted', pod });
  }

  /** The node held for this pod is open to those that had to leave it room. */
  #yielded(pod: coreV1.Pod): void {
    const concerned = (other: coreV1.Pod): boolean => priorityOf(other) <= priorityOf(pod);
    this.#queue.onEvent({ type: 'assigned-pod-deleted', pod }, concerned);
  }

  /** Runs the loop soon, once however often it is called. */
  #wake(): void {
    if (this.#woken || !this.#started || this.#stopped.signal.aborted) return;
    this.#woken = true;
    queueMicrotask(() => this.#run());
  }

  #run(): void {
    this.#woken = false;
    for (let tried = 0; this.#binder.underWay < MAX_BINDINGS; tried++) {
      if (this.#stopped.signal.aborted) return;
      if (tried === CYCLES_PER_TURN) {
        this.#woken = true;
        this.#options.clock.setTimer(0, () => this.#run());
        return;
      }
      const queued = this.#queue.next();
      if (queued === undefined) return;
      this.#schedule(queued);
    }
  }

  #schedule(queued: QueuedPod): void {
    const { pod } = queued;
    const { uid } = pod.metadata;
    if (this.#evictions.isUnderWay(uid)) {
      this.#heldBack.add(uid);
      this.#queue.putBack(queued);
      return;
    }
    const result = this.#cycle.findNode(pod, this.#cache, this.#nominations);
    if (result.node === undefined) this.#onNoFit(queued, result);
    else this.#background(this.#place(queued, result.node), pod);
  }

  #onNoFit(queued: QueuedPod, noFit: NoFit): void {
    const { pod } = queued;
    const outcome = this.#postFilter(noFit);
    const { nominatedNode } = outcome;
    const message = [noFit.message, outcome.message].filter((part) => part !== undefined).join(' ');
    this.#queue.rejected(queued, noFit.rejectedBy);
    if (nominatedNode !== undefined) this.#nominations.set(pod, nominatedNode);
    this.#tell(pod, {
      reason: 'Unschedulable',
      message,
      ...(nominatedNode === undefined ? {} : { nominatedNode }),
    });
    if (outcome.victims !== undefined && nominatedNode !== undefined)
      this.#background(this.#preempt(pod, nominatedNode, outcome.victims), pod);
  }

  #postFilter({ failed }: NoFit): PostFilterResult {
    // Without any node there is nothing to free.
    if (failed.snapshot.nodes.length === 0) return { nominatedNode: '' };
    for (const plugin of this.#plugins) if (plugin.postFilter !== undefined) return plugin.postFilter(failed);
    return { nominatedNode: '' };
  }

  async #preempt(pod: coreV1.Pod, nodeName: string, victims: readonly coreV1.Pod[]): Promise<void> {
    const { uid } = pod.metadata;
    const displaced = this.#nominations.behind(nodeName, pod);
    for (const other of displaced) this.#nominations.remove(other.metadata.uid);
    try {
      await Promise.all([
        this.#evictions.evict(pod, nodeName, victims),
        ...displaced.map((other) => this.#status.clearNomination(other)),
      ]);
      if (this.#heldBack.has(uid)) this.#queue.retry(uid);
    } catch (error) {
      this.#queue.retry(uid, 'error');
      throw error;
    } finally {
      this.#heldBack.delete(uid);
    }
  }

  #tell(pod: coreV1.Pod, report: Parameters<PodStatusWriter['reportUnscheduled']>[1]): void {
    const { message } = report;
    const short =
      message.length <= MAX_EVENT_MESSAGE ? message : `${message.slice(0, MAX_EVENT_MESSAGE - 4)} ...`;
    this.#options.events.event(pod, 'Warning', 'FailedScheduling', short, 'Scheduling');
    this.#background(this.#status.reportUnscheduled(pod, report), pod);
  }

  /** From the decision for a node to the binding. */
  async #place(queued: QueuedPod, node: NodeInfo): Promise<void> {
    const { pod } = queued;
    const { uid, namespace = '', name } = pod.metadata;
    this.#cache.assume({ ...pod, spec: { ...pod.spec, nodeName: node.name } });
    this.#nominations.remove(uid);
    try {
      await this.#binder.bind(pod, node);
      const message = `Successfully assigned ${namespace}/${name} to ${node.name}`;
      this.#options.events.event(pod, 'Normal', 'Scheduled', message, 'Binding');
    } catch (error) {
      this.#onBindingFailed(queued, error);
    } finally {
      this.#wake();
    }
  }

  #onBindingFailed(queued: QueuedPod, error: unknown): void {
    const { uid } = queued.pod.metadata;
    if (this.#stopped.signal.aborted) return;
    if (this.#cache.isAssumed(uid)) {
      this.#cache.forget(uid);
      this.#freed(queued.pod);
    }
    // Gone meanwhile, or another scheduler was faster: nobody waits any more.
    const current = this.#pods.get(queued.key);
    const gone = error instanceof BindingError && isNotFound(error.cause);
    if (gone || current?.metadata.uid !== uid || isAssigned(current) || isTerminating(current)) return;
    this.#queue.failed({ ...queued, pod: current });
    this.#tell(current, {
      reason: 'SchedulerError',
      message: error instanceof Error ? error.message : String(error),
      nominatedNode: '',
    });
  }

  #background(work: Promise<void>, pod: coreV1.Pod): void {
    work.catch((error: unknown) => {
      if (this.#stopped.signal.aborted) return;
      this.#options.logger.warn({ err: error, pod: objectKey(pod) }, 'scheduling a pod failed');
    });
  }
}

/** Heartbeats change a node's status all the time; only these parts decide about pods. */
function mattersToScheduling(node: coreV1.Node, old: coreV1.Node): boolean {
  return (
    node.spec.unschedulable !== old.spec.unschedulable ||
    !deepEqual(node.spec.taints, old.spec.taints) ||
    !deepEqual(node.status.allocatable, old.status.allocatable) ||
    !deepEqual(node.metadata.labels, old.metadata.labels)
  );
}

/** Whether others may fit where they did not, because of how a pod that has a node changed. */
function changesItsPlace(pod: coreV1.Pod, old: coreV1.Pod): boolean {
  if (!deepEqual(pod.metadata.labels, old.metadata.labels)) return true;
  const resizable =
    pod.metadata.generation !== old.metadata.generation || !deepEqual(resourcesIn(pod), resourcesIn(old));
  if (!resizable) return false;
  const [now, before] = [podRequests(pod), podRequests(old)];
  return now.milliCpu < before.milliCpu || now.memoryBytes < before.memoryBytes;
}

const resourcesIn = ({ status }: coreV1.Pod): readonly unknown[] =>
  (status.containerStatuses ?? []).map(({ resources: actual, allocatedResources }) => [
    actual,
    allocatedResources,
  ]);

/** Whether a pod that waits may fit where it did not, because it changed itself. */
function changesItsNeeds(pod: coreV1.Pod, old: coreV1.Pod): boolean {
  return (
    pod.metadata.generation !== old.metadata.generation ||
    !deepEqual(pod.metadata.labels, old.metadata.labels)
  );
}
