/**
 * Keeps the Node object and its lease alive: registers, renews the lease every ten seconds, writes the status when
 * it changed or five minutes have passed.
 */
import type { coordinationV1, coreV1 } from '#api';
import { type Client, type Informer, resources } from '#client';
import type { ImageService, RuntimeService } from '#cri';
import { isAlreadyExists, isConflict, isNotFound, parseQuantity } from '#machinery';
import { type Clock, formatMicroTime, formatTime, type Logger, type Random, type Timer } from '#platform';
import type { EventSink, EventTarget } from '../events.ts';
import { sameValue } from '../status/same-value.ts';
import {
  conditionEvents,
  nodeCapacity,
  type NodeFacts,
  nodeLabels,
  nodeStatus,
  type Pressure,
} from './node-status.ts';

export interface NodeAgentOptions {
  readonly client: Client;
  /** Of this node only. */
  readonly node: Informer<coreV1.Node>;
  readonly runtime: RuntimeService;
  readonly images: ImageService;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly facts: NodeFacts;
  readonly taints: readonly coreV1.Taint[];
  readonly providerId: string | undefined;
  readonly pressure: () => Pressure;
  /** Further reasons not to be ready. */
  readonly errors: () => readonly string[];
}

const LEASE_NAMESPACE = 'kube-node-lease';
const LEASE_SECONDS = 40;
/** A quarter of the lease: three renewals may be lost. */
const HEARTBEAT_MS = 10_000;
const STATUS_REPORT_MS = 300_000;
const FIRST_RETRY_MS = 200;
const MAX_RETRY_MS = 7_000;
/** Of one renewal of the lease, the first included: three seconds together. The next heartbeat tries again. */
const RENEW_ATTEMPTS = 5;

export class NodeAgent {
  readonly #options: NodeAgentOptions;
  readonly allocatable: Readonly<Record<string, string>>;
  readonly #stop = new AbortController();
  #timer: Timer | undefined;
  #lease: coordinationV1.Lease | undefined;
  #reported: coreV1.NodeStatus | undefined;
  #reportedMs = Number.NEGATIVE_INFINITY;
  #unschedulable = false;
  #unsubscribe: () => void = () => undefined;

  constructor(options: NodeAgentOptions) {
    this.#options = options;
    this.allocatable = allocatableOf(options.facts);
  }

  get target(): EventTarget {
    const { nodeName } = this.#options.facts;
    // Upstream's node events carry the name as uid; kubectl describe looks for that.
    return { apiVersion: 'v1', kind: 'Node', name: nodeName, uid: nodeName };
  }

  /** Resolves when the node is registered and has reported its first status. */
  async start(): Promise<void> {
    const { events, node, clock } = this.#options;
    events.record(this.target, 'Normal', 'Starting', 'Starting kubelet.');
    await this.#insist(() => this.#register());
    this.#unsubscribe = node.addHandler({ onUpdate: (now) => this.#noteSchedulable(now) });
    await this.#insist(() => this.#renewLease());
    await this.#insist(() => this.#report());
    this.#timer = clock.setTimer(this.#pause(), () => this.#beat());
  }

  stop(): void {
    this.#stop.abort(new Error('the kubelet stops'));
    this.#timer?.cancel();
    this.#unsubscribe();
  }

  /** Something about the node changed: do not wait for the next heartbeat. */
  async reportNow(): Promise<void> {
    await this.#report();
  }

  #pause(): number {
    return HEARTBEAT_MS * (1 + 0.04 * this.#options.random.next());
  }

  #beat(): void {
    const { clock, logger } = this.#options;
    const failed = (what: string) => (e: unknown) => {
      if (!this.#stop.signal.aborted) logger.warn({ err: e }, `could not ${what}`);
    };
    void Promise.all([
      this.#insist(() => this.#renewLease(), RENEW_ATTEMPTS).catch(failed('renew the node lease')),
      this.#report().catch(failed('report the node status')),
    ]).finally(() => {
      if (!this.#stop.signal.aborted) this.#timer = clock.setTimer(this.#pause(), () => this.#beat());
    });
  }

  /** Tries until it works or the kubelet stops. @throws what the last of `attempts` threw. */
  async #insist(act: () => Promise<void>, attempts = Infinity): Promise<void> {
    const { clock, logger } = this.#options;
    const { signal } = this.#stop;
    let delayMs = FIRST_RETRY_MS;
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted();
      try {
        await act();
        return;
      } catch (e) {
        signal.throwIfAborted();
        if (attempt >= attempts) throw e;
        logger.warn({ err: e, retryMs: delayMs }, 'the API server does not answer the node');
        await clock.sleep(delayMs, { signal });
        delayMs = Math.min(delayMs * 2, MAX_RETRY_MS);
      }
    }
  }

  async #register(): Promise<void> {
    const { client, facts, taints, providerId } = this.#options;
    const nodes = client.resource(resources.nodes);
    const status = await this.#wantedStatus({});
    try {
      await nodes.create({
        apiVersion: 'v1',
        kind: 'Node',
        metadata: {
          name: facts.nodeName,
          labels: nodeLabels(facts),
          annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
        },
        spec: {
          ...(taints.length === 0 ? {} : { taints }),
          ...(providerId === undefined ? {} : { providerID: providerId }),
        },
        status,
      });
    } catch (e) {
      if (!isAlreadyExists(e)) throw e;
      await this.#reconcile(await nodes.get(facts.nodeName));
    }
  }

  /** The node was registered before: only what this kubelet decides is brought up to date. */
  async #reconcile(node: coreV1.Node): Promise<void> {
    const { client, facts } = this.#options;
    const have = node.metadata.labels ?? {};
    const labels = Object.fromEntries(
      Object.entries(nodeLabels(facts)).filter(([key, value]) => have[key] !== value),
    );
    if (Object.keys(labels).length > 0) {
      await client
        .resource(resources.nodes)
        .patch(facts.nodeName, 'application/strategic-merge-patch+json', { metadata: { labels } });
    }
  }

  async #wantedStatus(old: coreV1.NodeStatus): Promise<coreV1.NodeStatus> {
    const { runtime, images, facts, pressure, errors, clock } = this.#options;
    const problems = [...errors()];
    try {
      const health = await runtime.status();
      if (!health.ready)
        problems.push(`container runtime status check may not have completed yet: ${health.message}`);
      if (!health.networkReady) {
        problems.push(
          `container runtime network not ready: NetworkReady=false reason:${health.reason} message:${health.message}`,
        );
      }
    } catch (e) {
      problems.push(`container runtime is down: ${(e as Error).message}`);
    }
    const listed = await images.listImages().catch(() => []);
    const health = { errors: problems, pressure: pressure(), images: listed };
    return nodeStatus(facts, health, old, this.allocatable, formatTime(clock.now()));
  }

  async #report(): Promise<void> {
    const { client, node, facts, clock, events } = this.#options;
    const { signal } = this.#stop;
    const nodes = client.resource(resources.nodes);
    const current = node.get(facts.nodeName) ?? (await this.#currentNode());
    const old = current.status ?? {};
    const wanted = await this.#wantedStatus(old);
    const now = clock.monotonic();
    const same = this.#reported !== undefined && sameStatus(old, wanted);
    if (same && now - this.#reportedMs < STATUS_REPORT_MS) return;
    const patch = { status: { ...wanted, addresses: replaced(old.addresses, wanted.addresses) } };
    await nodes.patch(facts.nodeName, 'application/strategic-merge-patch+json', patch, {
      subresource: 'status',
      signal,
    });
    const before = this.#reported === undefined ? [] : (old.conditions ?? []);
    for (const reason of conditionEvents(before, wanted.conditions ?? [])) {
      events.record(this.target, 'Normal', reason, `Node ${facts.nodeName} status is now: ${reason}`);
    }
    this.#reported = wanted;
    this.#reportedMs = now;
  }

  /** Somebody deleted the node: it is there again. */
  async #currentNode(): Promise<coreV1.Node> {
    const { client, facts } = this.#options;
    const nodes = client.resource(resources.nodes);
    try {
      return await nodes.get(facts.nodeName);
    } catch (e) {
      if (!isNotFound(e)) throw e;
      await this.#register();
      return nodes.get(facts.nodeName);
    }
  }

  async #renewLease(): Promise<void> {
    const { client, facts, clock } = this.#options;
    const { signal } = this.#stop;
    const leases = client.resource(resources.leases, LEASE_NAMESPACE);
    const renewTime = formatMicroTime(clock.now());
    if (this.#lease !== undefined) {
      try {
        const spec = { ...this.#lease.spec, renewTime };
        this.#lease = await leases.update({ ...this.#lease, spec }, { signal });
        return;
      } catch (e) {
        if (!isConflict(e) && !isNotFound(e)) throw e;
        this.#lease = undefined;
      }
    }
    try {
      const found = await leases.get(facts.nodeName, { signal });
      this.#lease = await leases.update(
        { ...found, spec: { ...found.spec, ...this.#leaseSpec(renewTime) } },
        { signal },
      );
    } catch (e) {
      if (!isNotFound(e)) throw e;
      this.#lease = await leases.create(await this.#newLease(renewTime), { signal });
    }
  }

  #leaseSpec(renewTime: string): coordinationV1.LeaseSpec {
    return { holderIdentity: this.#options.facts.nodeName, leaseDurationSeconds: LEASE_SECONDS, renewTime };
  }

  async #newLease(renewTime: string): Promise<{
    readonly metadata: Partial<coordinationV1.Lease['metadata']>;
    readonly spec: coordinationV1.LeaseSpec;
  }> {
    const { client, facts } = this.#options;
    const { metadata } = await client.resource(resources.nodes).get(facts.nodeName);
    const owner = { apiVersion: 'v1', kind: 'Node', name: facts.nodeName, uid: metadata.uid ?? '' };
    return {
      metadata: { name: facts.nodeName, namespace: LEASE_NAMESPACE, ownerReferences: [owner] },
      spec: this.#leaseSpec(renewTime),
    };
  }

  #noteSchedulable(node: coreV1.Node): void {
    const unschedulable = node.spec?.unschedulable === true;
    if (unschedulable === this.#unschedulable) return;
    this.#unschedulable = unschedulable;
    const reason = unschedulable ? 'NodeNotSchedulable' : 'NodeSchedulable';
    const { facts, events } = this.#options;
    events.record(this.target, 'Normal', reason, `Node ${facts.nodeName} status is now: ${reason}`);
  }
}

/** Capacity without what is kept back for the system. */
function allocatableOf(facts: NodeFacts): Readonly<Record<string, string>> {
  const out: Record<string, string> = {};
  for (const [name, quantity] of Object.entries(nodeCapacity(facts))) {
    const reserved = facts.reserved[name];
    out[name] =
      reserved === undefined ? quantity : parseQuantity(quantity).sub(parseQuantity(reserved)).toString();
  }
  return out;
}

/** Heartbeat times aside. */
function sameStatus(a: coreV1.NodeStatus, b: coreV1.NodeStatus): boolean {
  const bare = (status: coreV1.NodeStatus): object => ({
    ...status,
    conditions: (status.conditions ?? []).map(({ lastHeartbeatTime: _, ...rest }) => rest),
  });
  const left = bare(a) as Record<string, unknown>;
  const right = bare(b) as Record<string, unknown>;
  return Object.keys(right).every((key) => sameValue(left[key] ?? [], right[key]));
}

/** Addresses are merged by type: one that went must be said to be gone. */
function replaced<T>(old: readonly T[] | undefined, wanted: readonly T[] | undefined): readonly unknown[] {
  return sameValue(old ?? [], wanted ?? []) ? (wanted ?? []) : [{ $patch: 'replace' }, ...(wanted ?? [])];
}
