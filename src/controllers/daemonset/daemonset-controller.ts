import type { appsV1, coreV1, Draft } from '#api';
import { Backoff, type Informer, objectKey, resources } from '#client';
import { compileLabelSelector, deepEqual, isNamespaceTerminating } from '#machinery';
import { type ControllerContext, defineController, type ReconcileResult } from '../frame/controller.ts';
import { Expectations } from '../frame/expectations.ts';
import { controlledBy, indexByController, indexByNode, orphansIn, podsOnNode } from '../frame/indexes.ts';
import { watchOwned } from '../frame/owned-objects.ts';
import { claim, controllerOfObject, controllerReference } from '../frame/ownership.ts';
import { PodControl, podFromTemplate } from '../frame/pod-control.ts';
import { isFinished, isReady, isTerminating, msUntilNextAvailable } from '../frame/pods.ts';
import { REVISION_LABEL, type Revision, RevisionHistory } from '../frame/revisions.ts';
import { slowStart } from '../frame/slow-start.ts';
import { daemonTolerations, nodeFitOf, pinnedTo, targetNode } from './node-fit.ts';
import { daemonStatus, type DaemonView, planPlacement, planRollout, type PodPlan } from './pod-plan.ts';

type DaemonSet = appsV1.DaemonSet;
type Node = coreV1.Node;
type Pod = coreV1.Pod;

const WORKERS = 2;
/** Pods created or deleted in one reconcile; the next one goes on. */
const BURST = 250;
const FAILED_POD_BACKOFF = { initialMs: 1000, maxMs: 900_000, jitter: 0, resetAfterMs: 1_800_000 };
const GENERATION_ANNOTATION = 'deprecated.daemonset.template.generation';
const GENERATION_LABEL = 'pod-template-generation';

/** Runs one pod on each node that fits. */
export const daemonSetController = defineController({
  name: 'daemonset-controller',
  identity: 'daemon-set-controller',
  workers: WORKERS,
  setup(context) {
    const loop = new DaemonSetLoop(context);
    return {
      informers: [loop.daemonSets, loop.pods, loop.nodes, loop.revisions],
      reconcile: (key) => loop.reconcile(key),
      stop: () => loop.stop(),
    };
  },
});

interface FailedNode {
  readonly backoff: Backoff;
  /** When the next failed pod may be replaced. */
  until: number;
}

class DaemonSetLoop {
  readonly daemonSets: Informer<DaemonSet>;
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  readonly revisions: Informer<Revision>;
  readonly #context: ControllerContext;
  readonly #expectations: Expectations;
  readonly #podControl: PodControl;
  readonly #history: RevisionHistory<DaemonSet>;
  /** By set, then by node; forgotten with the set. */
  readonly #failed = new Map<string, Map<string, FailedNode>>();
  readonly #removeHandlers: readonly (() => void)[];

  constructor(context: ControllerContext) {
    this.#context = context;
    const { informers, queue, client, clock, events } = context;
    this.daemonSets = informers.for(resources.daemonSets);
    this.pods = informers.for(resources.pods);
    this.nodes = informers.for(resources.nodes);
    this.revisions = informers.for(resources.controllerRevisions);
    indexByController(this.pods);
    indexByNode(this.pods);
    indexByController(this.revisions);
    this.#expectations = new Expectations(clock);
    this.#podControl = new PodControl(client, events);
    this.#history = new RevisionHistory<DaemonSet>({
      client,
      revisions: this.revisions,
      owners: resources.daemonSets,
      labelsOf: ({ spec }, hash) => ({ ...spec.template.metadata?.labels, [REVISION_LABEL]: hash }),
    });
    const enqueue = (daemonSet: DaemonSet): void => queue.add(objectKey(daemonSet));
    this.#removeHandlers = [
      this.daemonSets.addHandler({ onAdd: enqueue, onUpdate: enqueue, onDelete: enqueue }),
      watchOwned({
        owned: this.pods,
        ownerKind: 'DaemonSet',
        owners: this.daemonSets,
        enqueue: (key) => queue.add(key),
        expectations: this.#expectations,
        adopters: (pod) => this.#adopters(pod),
      }),
      watchOwned({
        owned: this.revisions,
        ownerKind: 'DaemonSet',
        owners: this.daemonSets,
        enqueue: (key) => queue.add(key),
      }),
      this.nodes.addHandler({
        onAdd: (node) => this.#onNode(node),
        onUpdate: (node, old) => {
          const isSame =
            deepEqual(node.metadata.labels, old.metadata.labels) &&
            deepEqual(node.spec.taints, old.spec.taints);
          if (!isSame) this.#onNode(node);
        },
        onDelete: () => {
          for (const daemonSet of this.daemonSets.list()) enqueue(daemonSet);
        },
      }),
    ];
  }

  stop(): void {
    for (const remove of this.#removeHandlers) remove();
  }

  async reconcile(key: string): Promise<ReconcileResult | undefined> {
    const daemonSet = this.daemonSets.get(key);
    if (daemonSet === undefined) {
      this.#expectations.forget(key);
      this.#failed.delete(key);
      return undefined;
    }
    const { matchLabels = {}, matchExpressions = [] } = daemonSet.spec.selector ?? {};
    if (Object.keys(matchLabels).length + matchExpressions.length === 0) {
      const message = 'This daemon set is selecting all pods. A non-empty selector is required.';
      this.#context.events.event(daemonSet, 'Warning', 'SelectingAll', message);
      return undefined;
    }
    // Its history may be gone already, and without it nothing can be told apart.
    if (daemonSet.metadata.deletionTimestamp !== undefined) return undefined;
    const { current, old, collisionCount } = await this.#history.current(daemonSet);
    const hash = current.metadata.labels?.[REVISION_LABEL] ?? '';
    const trusted = this.#expectations.satisfied(key);
    const pods = await this.#claim(daemonSet);
    const view = this.#view(daemonSet, pods, hash);
    const failure = trusted ? await this.#update(key, view, old, pods) : undefined;
    await this.#writeStatus(view, collisionCount, trusted);
    if (failure !== undefined) throw failure.error;
    return this.#nextLook(view);
  }

  #view(daemonSet: DaemonSet, pods: readonly Pod[], hash: string): DaemonView {
    const podsByNode = new Map<string, Pod[]>();
    for (const pod of pods) {
      const node = targetNode(pod);
      if (node === undefined || (isFinished(pod) && isTerminating(pod))) continue;
      const known = podsByNode.get(node);
      if (known === undefined) podsByNode.set(node, [pod]);
      else known.push(pod);
    }
    return { daemonSet, nodes: this.nodes.list(), podsByNode, hash, nowMs: this.#context.clock.now() };
  }

  async #update(
    key: string,
    view: DaemonView,
    old: readonly Revision[],
    pods: readonly Pod[],
  ): Promise<{ readonly error: unknown } | undefined> {
    const { daemonSet } = view;
    try {
      const plan = planPlacement(view, (_, nodeName) => this.#mayReplaceFailed(key, nodeName));
      this.#tellEnded(daemonSet, plan);
      await this.#apply(key, view, plan);
      // Whatever the placement did has to be seen first.
      const rolls = daemonSet.spec.updateStrategy?.type !== 'OnDelete' && this.#expectations.satisfied(key);
      if (rolls) await this.#apply(key, view, planRollout(view));
      const used = new Set(pods.map(({ metadata }) => metadata.labels?.[REVISION_LABEL]));
      await this.#history.prune(old, daemonSet.spec.revisionHistoryLimit ?? 10, ({ metadata }) =>
        used.has(metadata.labels?.[REVISION_LABEL]),
      );
      return undefined;
    } catch (error) {
      return { error };
    }
  }

  #tellEnded(daemonSet: DaemonSet, { ended }: PodPlan): void {
    for (const pod of ended) {
      const { metadata, status } = pod;
      const what = `daemon pod ${metadata.namespace}/${metadata.name} on node ${targetNode(pod) ?? ''}`;
      if (status.phase === 'Failed') {
        const message = `Found failed ${what}, will try to kill it`;
        this.#context.events.event(daemonSet, 'Warning', 'FailedDaemonPod', message);
      } else {
        const message = `Found succeeded ${what}, will try to delete it`;
        this.#context.events.event(daemonSet, 'Normal', 'SucceededDaemonPod', message);
      }
    }
  }

  #mayReplaceFailed(key: string, nodeName: string): boolean {
    const { clock, random } = this.#context;
    const byNode = this.#failed.get(key) ?? new Map<string, FailedNode>();
    this.#failed.set(key, byNode);
    const known = byNode.get(nodeName) ?? {
      backoff: new Backoff(FAILED_POD_BACKOFF, clock, random),
      until: 0,
    };
    byNode.set(nodeName, known);
    const now = clock.monotonic();
    if (now < known.until) {
      this.#context.queue.addAfter(key, known.until - now);
      return false;
    }
    known.until = now + known.backoff.nextDelayMs();
    return true;
  }

  async #apply(key: string, view: DaemonView, plan: Pick<PodPlan, 'create' | 'remove'>): Promise<void> {
    const create = plan.create.slice(0, BURST);
    const remove = plan.remove.slice(0, BURST);
    if (create.length === 0 && remove.length === 0) return;
    this.#expectations.expect(
      key,
      create.length,
      remove.map(({ metadata }) => metadata.uid),
    );
    const waiting = create.values();
    const { succeeded, error } = await slowStart(create.length, async () => {
      try {
        await this.#podControl.create(view.daemonSet, podFor(view, waiting.next().value ?? ''));
      } catch (failure) {
        // Nothing will come of it, and trying again will not help.
        if (!isNamespaceTerminating(failure)) throw failure;
      }
    });
    for (let i = succeeded; i < create.length; i++) this.#expectations.creationObserved(key);
    const deletions = await Promise.allSettled(remove.map((pod) => this.#delete(key, view.daemonSet, pod)));
    if (error !== undefined) throw error;
    const failed = deletions.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #delete(key: string, daemonSet: DaemonSet, pod: Pod): Promise<void> {
    const observed = (): void => this.#expectations.deletionObserved(key, pod.metadata.uid);
    try {
      if (!(await this.#podControl.delete(daemonSet, pod))) observed();
    } catch (error) {
      observed();
      throw error;
    }
  }

  async #writeStatus(
    view: DaemonView,
    collisionCount: number | undefined,
    processed: boolean,
  ): Promise<void> {
    const { daemonSet } = view;
    const counted = daemonStatus(view, processed);
    const status = collisionCount === undefined ? counted : { ...counted, collisionCount };
    if (deepEqual(withoutZeros(status), withoutZeros(daemonSet.status))) return;
    await this.#context.client.resource(resources.daemonSets).updateStatus({ ...daemonSet, status });
  }

  #nextLook({ daemonSet, podsByNode, nowMs }: DaemonView): ReconcileResult | undefined {
    const { minReadySeconds = 0 } = daemonSet.spec;
    if (minReadySeconds === 0) return undefined;
    const ready = [...podsByNode.values()].flat().filter(isReady);
    const next = msUntilNextAvailable(ready, minReadySeconds, nowMs);
    return next === undefined ? undefined : { requeueAfterMs: next };
  }

  #claim(daemonSet: DaemonSet): Promise<readonly Pod[]> {
    const { client } = this.#context;
    const { name, namespace = '', uid } = daemonSet.metadata;
    return claim([...controlledBy(this.pods, uid), ...orphansIn(this.pods, namespace)], {
      owner: daemonSet,
      matches: compileLabelSelector(daemonSet.spec.selector),
      readOwner: () => client.resource(resources.daemonSets, namespace).get(name),
      patch: (pod, patch) =>
        client
          .resource(resources.pods, namespace)
          .patch(pod.metadata.name, 'application/strategic-merge-patch+json', patch),
    });
  }

  /** Wakes the sets to which the node makes a difference. */
  #onNode(node: Node): void {
    const owners = new Set(
      podsOnNode(this.pods, node.metadata.name).map((pod) => controllerOfObject(pod)?.uid),
    );
    for (const daemonSet of this.daemonSets.list()) {
      const { shouldRun, mayStay } = nodeFitOf(daemonSet)(node);
      const isThere = owners.has(daemonSet.metadata.uid);
      const isMiscounted = isThere && daemonSet.status.numberMisscheduled > 0;
      if (shouldRun !== isThere || (!mayStay && isThere) || isMiscounted)
        this.#context.queue.add(objectKey(daemonSet));
    }
  }

  #adopters(pod: Pod): readonly string[] {
    return this.daemonSets
      .list(pod.metadata.namespace)
      .filter(({ spec }) => compileLabelSelector(spec.selector)(pod.metadata.labels))
      .map(objectKey);
  }
}

function podFor({ daemonSet, hash }: DaemonView, nodeName: string): Draft<Pod> {
  const { template } = daemonSet.spec;
  const pod = podFromTemplate(template, daemonSet, controllerReference(daemonSet));
  const generation = daemonSet.metadata.annotations?.[GENERATION_ANNOTATION];
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      labels: {
        ...pod.metadata.labels,
        ...(generation === undefined ? {} : { [GENERATION_LABEL]: generation }),
        [REVISION_LABEL]: hash,
      },
    },
    spec: {
      ...pod.spec,
      affinity: pinnedTo(pod.spec.affinity, nodeName),
      tolerations: daemonTolerations(template),
    },
  };
}

/** Absent and zero are the same in Go. */
function withoutZeros(status: appsV1.DaemonSetStatus): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(status).filter(([, value]) => value !== 0));
}
