import type { appsV1, coreV1 } from '#api';
import { type Informer, objectKey, resources } from '#client';
import { compileLabelSelector, deepEqual } from '#machinery';
import { type ControllerContext, defineController, type ReconcileResult } from '../frame/controller.ts';
import { controlledBy, indexByController, orphansIn } from '../frame/indexes.ts';
import { watchOwned } from '../frame/owned-objects.ts';
import { claim } from '../frame/ownership.ts';
import { isReady, msUntilNextAvailable } from '../frame/pods.ts';
import { type CurrentRevision, type Revision, RevisionHistory } from '../frame/revisions.ts';
import { isMember, revisionOf } from './identity.ts';
import { SetUpdate, type SetUpdateOptions, setStatus } from './set-update.ts';
import { StatefulPods } from './stateful-pods.ts';

type StatefulSet = appsV1.StatefulSet;
type Pod = coreV1.Pod;
type Claim = coreV1.PersistentVolumeClaim;

const WORKERS = 5;
const HASH_LABEL = 'controller.kubernetes.io/hash';

/** Runs pods that each have a number, a name and storage of their own. */
export const statefulSetController = defineController({
  name: 'statefulset-controller',
  workers: WORKERS,
  setup(context) {
    const loop = new StatefulSetLoop(context);
    return {
      informers: [loop.sets, loop.pods, loop.claims, loop.revisions],
      reconcile: (key) => loop.reconcile(key),
      stop: () => loop.stop(),
    };
  },
});

class StatefulSetLoop {
  readonly sets: Informer<StatefulSet>;
  readonly pods: Informer<Pod>;
  readonly claims: Informer<Claim>;
  readonly revisions: Informer<Revision>;
  readonly #context: ControllerContext;
  readonly #history: RevisionHistory<StatefulSet>;
  readonly #statefulPods: StatefulPods;
  readonly #removeHandlers: readonly (() => void)[];

  constructor(context: ControllerContext) {
    this.#context = context;
    const { informers, queue, client, events } = context;
    this.sets = informers.for(resources.statefulSets);
    this.pods = informers.for(resources.pods);
    this.claims = informers.for(resources.persistentVolumeClaims);
    this.revisions = informers.for(resources.controllerRevisions);
    indexByController(this.pods);
    indexByController(this.revisions);
    this.#statefulPods = new StatefulPods({ client, events, claims: this.claims });
    this.#history = new RevisionHistory<StatefulSet>({
      client,
      revisions: this.revisions,
      owners: resources.statefulSets,
      labelsOf: ({ spec }, hash) => ({ ...spec.template.metadata?.labels, [HASH_LABEL]: hash }),
    });
    const enqueue = (set: StatefulSet): void => queue.add(objectKey(set));
    this.#removeHandlers = [
      this.sets.addHandler({ onAdd: enqueue, onUpdate: enqueue }),
      watchOwned({
        owned: this.pods,
        ownerKind: 'StatefulSet',
        owners: this.sets,
        enqueue: (key) => queue.add(key),
        adopters: (pod) => this.#adopters(pod),
      }),
      this.claims.addHandler({ onDelete: (gone) => this.#onClaimGone(gone) }),
    ];
  }

  stop(): void {
    for (const remove of this.#removeHandlers) remove();
  }

  async reconcile(key: string): Promise<ReconcileResult | undefined> {
    const set = this.sets.get(key);
    if (set === undefined) return undefined;
    const revisions = await this.#history.current(set);
    const pods = await this.#claim(set);
    const updateRevision = revisions.current;
    const known = [...revisions.old, updateRevision];
    const currentRevision =
      known.find(({ metadata }) => metadata.name === set.status.currentRevision) ?? updateRevision;
    const options: SetUpdateOptions = {
      set,
      pods,
      currentRevision,
      updateRevision,
      statefulPods: this.#statefulPods,
      nowMs: this.#context.clock.now(),
    };
    const update = new SetUpdate(options);
    let failure: { readonly error: unknown } | undefined;
    if (set.metadata.deletionTimestamp === undefined)
      failure = await update.run().then(
        () => undefined,
        (error: unknown) => ({ error }),
      );
    await this.#writeStatus(set, setStatus(options, revisions.collisionCount, update.deletedForUpdate));
    await this.#prune(options, revisions);
    if (failure !== undefined) throw failure.error;
    return nextLook(options);
  }

  async #writeStatus(set: StatefulSet, status: appsV1.StatefulSetStatus): Promise<void> {
    if (deepEqual(withoutZeros(status), withoutZeros(set.status))) return;
    await this.#context.client.resource(resources.statefulSets).updateStatus({ ...set, status });
  }

  /** What is in use does not count against the limit. */
  #prune({ set, pods, currentRevision }: SetUpdateOptions, { old }: CurrentRevision): Promise<void> {
    const used = new Set([currentRevision.metadata.name, ...pods.map(revisionOf)]);
    const unused = old.filter(({ metadata }) => !used.has(metadata.name));
    return this.#history.prune(unused, set.spec.revisionHistoryLimit ?? 10, () => false);
  }

  #claim(set: StatefulSet): Promise<readonly Pod[]> {
    const { client } = this.#context;
    const { name, namespace = '', uid } = set.metadata;
    const candidates = [...controlledBy(this.pods, uid), ...orphansIn(this.pods, namespace)];
    return claim(
      candidates.filter((pod) => isMember(set, pod)),
      {
        owner: set,
        matches: compileLabelSelector(set.spec.selector),
        readOwner: () => client.resource(resources.statefulSets, namespace).get(name),
        patch: (pod, patch) =>
          client
            .resource(resources.pods, namespace)
            .patch(pod.metadata.name, 'application/strategic-merge-patch+json', patch),
      },
    );
  }

  #adopters(pod: Pod): readonly string[] {
    return this.sets
      .list(pod.metadata.namespace)
      .filter((set) => isMember(set, pod) && compileLabelSelector(set.spec.selector)(pod.metadata.labels))
      .map(objectKey);
  }

  /** A pod may wait for the claim of the one before it to be gone. */
  #onClaimGone({ metadata }: Claim): void {
    for (const set of this.sets.list(metadata.namespace)) {
      const isItsOwn = set.spec.volumeClaimTemplates?.some((template) =>
        metadata.name.startsWith(`${template.metadata.name}-${set.metadata.name}-`),
      );
      if (isItsOwn === true) this.#context.queue.add(objectKey(set));
    }
  }
}

function nextLook({ set, pods, nowMs }: SetUpdateOptions): ReconcileResult | undefined {
  const { minReadySeconds = 0 } = set.spec;
  if (minReadySeconds === 0) return undefined;
  const next = msUntilNextAvailable(pods.filter(isReady), minReadySeconds, nowMs);
  return next === undefined ? undefined : { requeueAfterMs: next };
}

/** Absent and zero are the same in Go. */
function withoutZeros(status: appsV1.StatefulSetStatus): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(status).filter(([, value]) => value !== 0));
}
