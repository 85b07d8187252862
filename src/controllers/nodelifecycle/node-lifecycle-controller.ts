/**
 * Notices nodes that fall silent or are not ready: writes their conditions, taints them, and takes their pods out of
 * service. Who then leaves the node is decided by the taints (see `tainteviction`).
 */
import type { coordinationV1, coreV1 } from '#api';
import { type Informer, resources } from '#client';
import { isNotFound } from '#machinery';
import { formatTime } from '#platform';
import {
  type Controller,
  type ControllerContext,
  defineController,
  type ReconcileResult,
} from '../frame/controller.ts';
import { indexByNode, podsOnNode } from '../frame/indexes.ts';
import { patchPodCondition } from '../frame/pod-conditions.ts';
import { isFinished, isReady, podCondition } from '../frame/pods.ts';
import { EvictionPace, evictionRate, zoneOf } from './disruption.ts';
import { NodeHealth, silentConditions } from './node-health.ts';
import { isNodeReady, nodeCondition, planTaints } from './node-taints.ts';

export interface NodeLifecycleOptions {
  /** Silence after which a node counts as lost. Default 50 s, as upstream since 1.32. */
  readonly monitorGraceMs?: number;
  /** The same for a node that never posted its status. Default 60 s. */
  readonly startupGraceMs?: number;
}

const WORKERS = 8;
const MONITOR_GRACE_MS = 50_000;
const STARTUP_GRACE_MS = 60_000;
const LEASE_NAMESPACE = 'kube-node-lease';

export function nodeLifecycleController(options: NodeLifecycleOptions = {}): Controller {
  return defineController({
    name: 'node-controller',
    workers: WORKERS,
    setup(context) {
      const loop = new NodeLoop(context, options);
      return {
        informers: [loop.nodes, loop.pods, loop.leases],
        reconcile: (key) => loop.reconcile(key),
        stop: () => loop.stop(),
      };
    },
  });
}

const isSilent = (node: coreV1.Node): boolean => nodeCondition(node, 'Ready')?.status === 'Unknown';

class NodeLoop {
  readonly nodes: Informer<coreV1.Node>;
  readonly pods: Informer<coreV1.Pod>;
  readonly leases: Informer<coordinationV1.Lease>;
  readonly #context: ControllerContext;
  readonly #options: NodeLifecycleOptions;
  readonly #health: NodeHealth;
  readonly #pace: EvictionPace;
  readonly #known = new Set<string>();
  /** Silent node → pods taken out of service since it fell silent. Bounded by the pods on such nodes. */
  readonly #takenOut = new Map<string, Set<string>>();
  readonly #removeHandlers: readonly (() => void)[];

  constructor(context: ControllerContext, options: NodeLifecycleOptions) {
    const { informers, queue, clock } = context;
    this.#context = context;
    this.#options = options;
    this.#health = new NodeHealth(clock);
    this.#pace = new EvictionPace(clock);
    this.nodes = informers.for(resources.nodes);
    this.pods = informers.for(resources.pods);
    this.leases = informers.for(resources.leases, { namespace: LEASE_NAMESPACE });
    indexByNode(this.pods);
    const onNode = (node: coreV1.Node): void => {
      this.#health.observeNode(node);
      queue.add(node.metadata.name);
    };
    this.#removeHandlers = [
      this.nodes.addHandler({
        onAdd: onNode,
        onUpdate: (node, old) => {
          onNode(node);
          if (isNodeReady(node) !== isNodeReady(old)) this.#reconsiderOthers();
        },
        onDelete: (node) => this.#onGone(node),
      }),
      this.leases.addHandler({
        onAdd: (lease) => this.#health.observeLease(lease),
        onUpdate: (lease) => this.#health.observeLease(lease),
      }),
      this.pods.addHandler({
        onUpdate: (pod) => this.#onPod(pod),
        onAdd: (pod) => this.#onPod(pod),
      }),
    ];
  }

  stop(): void {
    for (const remove of this.#removeHandlers) remove();
  }

  async reconcile(name: string): Promise<ReconcileResult | undefined> {
    const cached = this.nodes.get(name);
    if (cached === undefined) return undefined;
    if (!this.#known.has(name)) {
      this.#known.add(name);
      this.#tell(cached, 'RegisteredNode', `Registered Node ${name} in Controller`);
    }
    const node = await this.#markSilent(cached);
    const waitMs = await this.#taint(node);
    if (isSilent(node)) await this.#takePodsOut(node);
    else this.#takenOut.delete(name);
    const lookMs = this.#graceMs(node) - this.#health.silentForMs(name);
    // A silent node is looked at again when it is heard of; a waiting one when its turn may have come.
    const next = [waitMs, lookMs].filter((ms) => ms > 0);
    return next.length === 0 ? undefined : { requeueAfterMs: Math.min(...next) + 1 };
  }

  #graceMs(node: coreV1.Node): number {
    const { monitorGraceMs = MONITOR_GRACE_MS, startupGraceMs = STARTUP_GRACE_MS } = this.#options;
    return nodeCondition(node, 'Ready') === undefined ? startupGraceMs : monitorGraceMs;
  }

  async #markSilent(node: coreV1.Node): Promise<coreV1.Node> {
    const { client, clock } = this.#context;
    if (this.#health.silentForMs(node.metadata.name) <= this.#graceMs(node)) return node;
    const conditions = silentConditions(node, formatTime(clock.now()));
    if (conditions === node.status.conditions) return node;
    const wasReady = isNodeReady(node);
    const marked = await client
      .resource(resources.nodes)
      .updateStatus({ ...node, status: { ...node.status, conditions } });
    if (wasReady)
      this.#tell(marked, 'NodeNotReady', `Node ${node.metadata.name} status is now: NodeNotReady`);
    return marked;
  }

  /** Returns how long the node has to wait for its turn to be emptied; 0 when it need not. */
  async #taint(node: coreV1.Node): Promise<number> {
    const { client, clock } = this.#context;
    const now = formatTime(clock.now());
    const rate = evictionRate(zoneOf(node), this.nodes.list());
    let plan = planTaints(node, { evict: rate === 'stop' ? 'no' : 'now', now });
    let waitMs = 0;
    if (plan.startsEviction && rate !== 'stop') {
      waitMs = this.#pace.take(zoneOf(node), rate);
      if (waitMs > 0) plan = planTaints(node, { evict: 'later', now });
    }
    if (plan.taints !== (node.spec.taints ?? []) && plan.taints !== node.spec.taints) {
      // Taints are one list: a stale write would lose somebody else's, so the resourceVersion goes with it.
      const { resourceVersion } = node.metadata;
      const patch = { metadata: { resourceVersion }, spec: { taints: plan.taints } };
      await client.resource(resources.nodes).patch(node.metadata.name, 'application/merge-patch+json', patch);
    }
    return waitMs;
  }

  /**
   * Pods on a silent node take no traffic, whatever was last said of them. Each is told so once in a silence, and those
   * of a node that says itself that it is not ready not at all: a kubelet that lives writes the truth again, and
   * writing against it would never end.
   */
  async #takePodsOut(node: coreV1.Node): Promise<void> {
    const takenOut = this.#takenOut.get(node.metadata.name) ?? new Set<string>();
    this.#takenOut.set(node.metadata.name, takenOut);
    const ready = podsOnNode(this.pods, node.metadata.name).filter(
      (pod) => isReady(pod) && !isFinished(pod) && !takenOut.has(pod.metadata.uid),
    );
    await Promise.all(
      ready.map(async (pod) => {
        const { reason, message } = podCondition(pod, 'Ready') ?? {};
        const condition = { type: 'Ready', status: 'False', reason, message };
        try {
          await patchPodCondition(this.#context.client, pod, condition, {
            now: formatTime(this.#context.clock.now()),
          });
          takenOut.add(pod.metadata.uid);
          this.#context.events.event(pod, 'Warning', 'NodeNotReady', 'Node is not ready');
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
      }),
    );
  }

  #onPod(pod: coreV1.Pod): void {
    const node = this.nodes.get(pod.spec.nodeName ?? '');
    if (node === undefined || !isReady(pod)) return;
    if (isSilent(node)) this.#context.queue.add(node.metadata.name);
  }

  /** Whether a node may be emptied depends on how many others are ready. */
  #reconsiderOthers(): void {
    for (const node of this.nodes.list()) if (!isNodeReady(node)) this.#context.queue.add(node.metadata.name);
  }

  #onGone(node: coreV1.Node): void {
    const { name } = node.metadata;
    this.#health.forget(name);
    this.#takenOut.delete(name);
    this.#reconsiderOthers();
    if (this.#known.delete(name)) this.#tell(node, 'RemovingNode', `Removing Node ${name} from Controller`);
  }

  #tell(node: coreV1.Node, reason: string, message: string): void {
    const text = message.startsWith('Node ') ? message : `Node ${node.metadata.name} event: ${message}`;
    this.#context.events.event(node, 'Normal', reason, text);
  }
}
