/**
 * Keeps as many pods as asked for: ReplicaSet and ReplicationController, which differ only in how they spell their
 * selector.
 */
import type { appsV1, coreV1 } from '#api';
import { type Informer, objectKey, type ResourceRef, resources } from '#client';
import { isNamespaceTerminating } from '#machinery';
import { formatTime } from '#platform';
import {
  type Controller,
  type ControllerContext,
  defineController,
  type ReconcileResult,
} from '../frame/controller.ts';
import { Expectations } from '../frame/expectations.ts';
import { controlledBy, indexByController, orphansIn } from '../frame/indexes.ts';
import { watchOwned } from '../frame/owned-objects.ts';
import { claim, controllerOfObject, controllerReference } from '../frame/ownership.ts';
import { PodControl, podFromTemplate } from '../frame/pod-control.ts';
import { isActive, isReady, isTerminating, msUntilNextAvailable } from '../frame/pods.ts';
import { slowStart } from '../frame/slow-start.ts';
import { podsToDelete } from './deletion-order.ts';
import { replicaStatus } from './replica-status.ts';

type Matches = (labels: Readonly<Record<string, string>> | undefined) => boolean;

interface ReplicaOwner {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: appsV1.ReplicaSet['metadata'];
  readonly spec: {
    readonly replicas?: number;
    readonly minReadySeconds?: number;
    readonly template?: coreV1.PodTemplateSpec;
  };
  readonly status: appsV1.ReplicaSetStatus;
}

/** What the two kinds do not share. */
export interface ReplicaKind<T extends ReplicaOwner> {
  readonly controllerName: string;
  readonly ref: ResourceRef<T>;
  readonly matcher: (owner: T) => Matches;
  readonly reportsTerminating: boolean;
}

/** Pods created or deleted in one reconcile; the next one goes on. */
const BURST_REPLICAS = 500;
const WORKERS = 5;

export function replicaController<T extends ReplicaOwner>(kind: ReplicaKind<T>): Controller {
  return defineController({
    name: kind.controllerName,
    workers: WORKERS,
    setup(context) {
      const loop = new ReplicaLoop(kind, context);
      return {
        informers: [loop.owners, loop.pods],
        reconcile: (key) => loop.reconcile(key),
        stop: () => loop.stop(),
      };
    },
  });
}

class ReplicaLoop<T extends ReplicaOwner> {
  readonly owners: Informer<T>;
  readonly pods: Informer<coreV1.Pod>;
  readonly #kind: ReplicaKind<T>;
  readonly #context: ControllerContext;
  readonly #podControl: PodControl;
  readonly #expectations: Expectations;
  readonly #removeHandlers: readonly (() => void)[];

  constructor(kind: ReplicaKind<T>, context: ControllerContext) {
    this.#kind = kind;
    this.#context = context;
    const { informers, queue, client, events, clock } = context;
    this.owners = informers.for(kind.ref);
    this.pods = informers.for(resources.pods);
    indexByController(this.pods);
    indexByController(this.owners);
    this.#podControl = new PodControl(client, events);
    this.#expectations = new Expectations(clock);
    this.#removeHandlers = [
      this.owners.addHandler({
        onAdd: (owner) => queue.add(objectKey(owner)),
        onUpdate: (owner) => queue.add(objectKey(owner)),
        onDelete: (owner) => {
          this.#expectations.forget(objectKey(owner));
          queue.add(objectKey(owner));
        },
      }),
      watchOwned({
        owned: this.pods,
        ownerKind: kind.ref.kind,
        owners: this.owners,
        enqueue: (key) => queue.add(key),
        expectations: this.#expectations,
        adopters: (pod) => this.#adopters(pod),
        onChange: (key, pod, old) => this.#onPodChange(key, pod, old),
      }),
    ];
  }

  stop(): void {
    for (const remove of this.#removeHandlers) remove();
  }

  async reconcile(key: string): Promise<ReconcileResult | undefined> {
    const owner = this.owners.get(key);
    if (owner === undefined) {
      this.#expectations.forget(key);
      return undefined;
    }
    const trusted = this.#expectations.satisfied(key);
    const matches = this.#kind.matcher(owner);
    const namespace = owner.metadata.namespace ?? '';
    const owned = controlledBy(this.pods, owner.metadata.uid);
    const candidates = [...owned, ...orphansIn(this.pods, namespace)].filter(isActive);
    const active = await claim(candidates, {
      owner,
      matches,
      readOwner: () => this.#context.client.resource(this.#kind.ref, namespace).get(owner.metadata.name),
      patch: (pod, patch) =>
        this.#context.client
          .resource(resources.pods, namespace)
          .patch(pod.metadata.name, 'application/strategic-merge-patch+json', patch),
    });
    let error: unknown;
    if (trusted && owner.metadata.deletionTimestamp === undefined) {
      error = await this.#manage(key, owner, active).then(
        () => undefined,
        (reason: unknown) => reason,
      );
    }
    const terminating = owned.filter((pod) => isTerminating(pod) && matches(pod.metadata.labels));
    await this.#writeStatus(owner, active, terminating, error);
    if (error !== undefined) throw error;
    return this.#nextLook(owner, active);
  }

  async #manage(key: string, owner: T, active: readonly coreV1.Pod[]): Promise<void> {
    const difference = (owner.spec.replicas ?? 0) - active.length;
    if (difference > 0) await this.#createPods(key, owner, Math.min(difference, BURST_REPLICAS));
    else if (difference < 0)
      await this.#deletePods(key, owner, active, Math.min(-difference, BURST_REPLICAS));
  }

  async #createPods(key: string, owner: T, count: number): Promise<void> {
    const { template } = owner.spec;
    if (template === undefined) return;
    if (Object.keys(template.metadata?.labels ?? {}).length === 0)
      throw new Error('unable to create pods, no labels');
    const pod = podFromTemplate(template, owner, controllerReference(owner));
    this.#expectations.expectCreations(key, count);
    const { succeeded, error } = await slowStart(count, async () => {
      try {
        await this.#podControl.create(owner, pod);
      } catch (failure) {
        // Nothing will come of it, and trying again will not help.
        if (!isNamespaceTerminating(failure)) throw failure;
      }
    });
    for (let i = succeeded; i < count; i++) this.#expectations.creationObserved(key);
    if (error !== undefined) throw error;
  }

  async #deletePods(key: string, owner: T, active: readonly coreV1.Pod[], count: number): Promise<void> {
    const chosen = podsToDelete(active, this.#related(owner), count, this.#context.clock.now());
    this.#expectations.expectDeletions(
      key,
      chosen.map(({ metadata }) => metadata.uid),
    );
    const results = await Promise.allSettled(
      chosen.map(async (pod) => {
        const observed = (): void => this.#expectations.deletionObserved(key, pod.metadata.uid);
        try {
          if (!(await this.#podControl.delete(owner, pod))) observed();
        } catch (error) {
          observed();
          throw error;
        }
      }),
    );
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** Active pods of all sets of the same owner; without one, its own. */
  #related(owner: T): readonly coreV1.Pod[] {
    const parent = controllerOfObject(owner);
    const siblings = parent === undefined ? [owner] : controlledBy(this.owners, parent.uid);
    return siblings.flatMap(({ metadata }) => controlledBy(this.pods, metadata.uid)).filter(isActive);
  }

  async #writeStatus(
    owner: T,
    active: readonly coreV1.Pod[],
    terminating: readonly coreV1.Pod[],
    error: unknown,
  ): Promise<void> {
    const nowMs = this.#context.clock.now();
    const status = replicaStatus({
      status: owner.status,
      generation: owner.metadata.generation,
      replicas: owner.spec.replicas ?? 0,
      minReadySeconds: owner.spec.minReadySeconds ?? 0,
      templateLabels: owner.spec.template?.metadata?.labels ?? {},
      active,
      ...(this.#kind.reportsTerminating ? { terminating } : {}),
      error,
      nowMs,
      now: formatTime(nowMs),
    });
    if (status === owner.status) return;
    await this.#context.client.resource(this.#kind.ref).updateStatus({ ...owner, status });
  }

  /** A ready pod becomes available without an event when its time has come. */
  #nextLook(owner: T, active: readonly coreV1.Pod[]): ReconcileResult | undefined {
    const minReadySeconds = owner.spec.minReadySeconds ?? 0;
    if (minReadySeconds === 0) return undefined;
    const next = msUntilNextAvailable(active, minReadySeconds, this.#context.clock.now());
    return next === undefined ? undefined : { requeueAfterMs: next };
  }

  #adopters(pod: coreV1.Pod): readonly string[] {
    return this.owners
      .list(pod.metadata.namespace)
      .filter((owner) => this.#kind.matcher(owner)(pod.metadata.labels))
      .map(objectKey);
  }

  #onPodChange(key: string, pod: coreV1.Pod, old: coreV1.Pod): void {
    const minReadySeconds = this.owners.get(key)?.spec.minReadySeconds ?? 0;
    if (minReadySeconds > 0 && isReady(pod) && !isReady(old)) {
      this.#context.queue.addAfter(key, minReadySeconds * 1000);
    }
  }
}
