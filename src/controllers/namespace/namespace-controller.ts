/**
 * Empties a namespace that is being deleted and then lets it go: all pods first (so that no controller's policy is
 * taken from under a running container), then everything else, then the finalizer.
 */
import type { coreV1 } from '#api';
import { type Informer, resources } from '#client';
import { type KubeObject, isNotFound, isStatusError, parseTimestamp } from '#machinery';
import { formatTime } from '#platform';
import { type ControllerContext, defineController, type ReconcileResult } from '../frame/controller.ts';
import { messageOf } from '../frame/pod-control.ts';
import { isFinished } from '../frame/pods.ts';
import { type ServedResource, ServedResources } from '../frame/served-resources.ts';
import { type DeletionProgress, deletionConditions } from './namespace-conditions.ts';

const WORKERS = 10;
const FINALIZER = 'kubernetes';
/** What objects with finalizers are given before the next look, at most. */
const FINALIZER_ESTIMATE_SECONDS = 15;
/** First pause before content that remains is looked at again; doubles up to the estimate. */
const FIRST_RECHECK_MS = 100;

export const namespaceController = defineController({
  name: 'namespace-controller',
  workers: WORKERS,
  setup(context) {
    const loop = new NamespaceLoop(context);
    return {
      informers: [loop.namespaces, loop.pods, loop.served.definitions],
      reconcile: (key) => loop.reconcile(key),
      stop: () => loop.stop(),
    };
  },
});

/** Counts over all resources of one namespace. */
class Progress implements DeletionProgress {
  readonly errors: string[] = [];
  readonly remaining = new Map<string, number>();
  readonly finalizers = new Map<string, number>();
  estimateSeconds = 0;
}

class NamespaceLoop {
  readonly namespaces: Informer<coreV1.Namespace>;
  readonly pods: Informer<coreV1.Pod>;
  readonly served: ServedResources;
  readonly #context: ControllerContext;
  readonly #removeHandlers: readonly (() => void)[];
  /** Looks at a namespace whose content remains; an entry goes with its namespace. */
  readonly #rechecks = new Map<string, number>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.namespaces = context.informers.for(resources.namespaces);
    this.pods = context.informers.for(resources.pods);
    this.served = new ServedResources(context.informers);
    const enqueue = ({ metadata }: coreV1.Namespace): void => {
      if (metadata.deletionTimestamp !== undefined) context.queue.add(metadata.name);
    };
    this.#removeHandlers = [
      this.namespaces.addHandler({
        onAdd: enqueue,
        onUpdate: enqueue,
        onDelete: ({ metadata }) => this.#rechecks.delete(metadata.name),
      }),
      this.pods.addHandler({ onDelete: (pod) => this.#onPodGone(pod.metadata.namespace ?? '') }),
    ];
  }

  stop(): void {
    for (const remove of this.#removeHandlers) remove();
  }

  async reconcile(name: string): Promise<ReconcileResult | undefined> {
    const namespace = await this.#read(name);
    if (namespace?.metadata.deletionTimestamp === undefined) return undefined;
    if ((namespace.spec?.finalizers ?? []).length === 0) return undefined;
    const progress = await this.#deleteContent(namespace);
    const current = await this.#writeProgress(namespace, progress);
    if (progress.errors.length > 0) throw new Error(`namespace ${name}: ${progress.errors.join(', ')}`);
    if (progress.remaining.size > 0) return this.#recheck(name, progress.estimateSeconds);
    await this.#finalize(current);
    return undefined;
  }

  async #read(name: string): Promise<coreV1.Namespace | undefined> {
    try {
      return await this.#context.client.resource(resources.namespaces).get(name);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async #deleteContent({ metadata }: coreV1.Namespace): Promise<Progress> {
    const progress = new Progress();
    const deletedAt = parseTimestamp(metadata.deletionTimestamp ?? '');
    const all = this.served.list('list', 'delete').filter((resource) => resource.namespaced);
    const isPods = (resource: ServedResource): boolean =>
      resource.group === '' && resource.resource === 'pods';
    for (const resource of all.filter(isPods))
      await this.#deleteAll(resource, metadata.name, deletedAt, progress);
    if (progress.remaining.size > 0) return progress;
    const others = all.filter((resource) => !isPods(resource));
    await Promise.all(
      others.map((resource) => this.#deleteAll(resource, metadata.name, deletedAt, progress)),
    );
    return progress;
  }

  async #deleteAll(
    resource: ServedResource,
    namespace: string,
    deletedAt: number,
    progress: Progress,
  ): Promise<void> {
    const objects = this.#context.client.resource(resource, namespace);
    try {
      const before = await objects.list();
      if (before.items.length === 0) return;
      const estimate = this.#gracefulEstimate(resource, namespace, deletedAt);
      // What belongs to the objects is in the namespace too, or will be collected: nothing need be held back.
      if (resource.verbs.includes('deletecollection')) {
        await objects.deleteCollection({ propagationPolicy: 'Background' });
      } else {
        for (const { metadata } of before.items) {
          await objects.delete(metadata.name ?? '', { propagationPolicy: 'Background' }).catch(ignoreGone);
        }
      }
      this.#count(resource, (await objects.list()).items, estimate, progress);
    } catch (error) {
      // Not served (any more), or not in this way: nothing to delete.
      if (isNotFound(error) || (isStatusError(error) && error.reason === 'MethodNotAllowed')) return;
      progress.errors.push(messageOf(error));
    }
  }

  #count(resource: ServedResource, left: readonly KubeObject[], estimate: number, progress: Progress): void {
    if (left.length === 0) return;
    progress.remaining.set(`${resource.resource}.${resource.group}`, left.length);
    for (const finalizer of left.flatMap(({ metadata }) => metadata.finalizers ?? [])) {
      progress.finalizers.set(finalizer, (progress.finalizers.get(finalizer) ?? 0) + 1);
    }
    progress.estimateSeconds = Math.max(
      progress.estimateSeconds,
      estimate === 0 ? FINALIZER_ESTIMATE_SECONDS : estimate,
    );
  }

  /** Longest grace period of the pods that still run; 0 when it has passed. */
  #gracefulEstimate({ group, resource }: ServedResource, namespace: string, deletedAt: number): number {
    if (group !== '' || resource !== 'pods') return 0;
    const grace = Math.max(
      0,
      ...this.pods
        .list(namespace)
        .filter((pod) => !isFinished(pod))
        .map((pod) => pod.spec.terminationGracePeriodSeconds ?? 0),
    );
    return this.#context.clock.now() - deletedAt >= grace * 1000 ? 0 : grace;
  }

  async #writeProgress(namespace: coreV1.Namespace, progress: Progress): Promise<coreV1.Namespace> {
    const current = namespace.status?.conditions ?? [];
    const conditions = deletionConditions(current, progress, formatTime(this.#context.clock.now()));
    const phase = 'Terminating';
    if (conditions === current && namespace.status?.phase === phase) return namespace;
    return this.#context.client
      .resource(resources.namespaces)
      .updateStatus({ ...namespace, status: { ...namespace.status, phase, conditions } });
  }

  async #finalize(namespace: coreV1.Namespace): Promise<void> {
    const finalizers = (namespace.spec?.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
    try {
      await this.#context.client
        .resource(resources.namespaces)
        .updateSubresource(namespace.metadata.name, 'finalize', {
          ...namespace,
          spec: { ...namespace.spec, finalizers },
        });
    } catch (error) {
      ignoreGone(error);
    }
  }

  #recheck(name: string, estimateSeconds: number): ReconcileResult {
    const times = this.#rechecks.get(name) ?? 0;
    this.#rechecks.set(name, times + 1);
    const longest = (Math.floor(estimateSeconds / 2) + 1) * 1000;
    return { requeueAfterMs: Math.min(longest, FIRST_RECHECK_MS * 2 ** times) };
  }

  /** The last pod is what the rest waits for. */
  #onPodGone(namespace: string): void {
    const isDeleting = this.namespaces.get(namespace)?.metadata.deletionTimestamp !== undefined;
    if (isDeleting && this.pods.list(namespace).length === 0) this.#context.queue.add(namespace);
  }
}

function ignoreGone(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
