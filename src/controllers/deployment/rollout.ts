/** One look at one Deployment: what it does to its ReplicaSets and writes into its status. */
import { objectKey, resources } from '#client';
import { isAlreadyExists, isNamespaceTerminating, isNotFound } from '#machinery';
import { formatTime } from '#platform';
import type { ControllerContext, ReconcileResult } from '../frame/controller.ts';
import { controllerOfObject, controllerReference } from '../frame/ownership.ts';
import { messageOf } from '../frame/pod-control.ts';
import { desiredReplicas, newSetAnnotations, REVISION, withReplicaNotes } from './annotations.ts';
import { type Condition, findCondition, newCondition, withCondition } from './conditions.ts';
import {
  countedStatus,
  hasProgressDeadline,
  isComplete,
  isSameStatus,
  msUntilProgressCheck,
  rolloutStatus,
  type Sets,
} from './deployment-status.ts';
import { isRolling, maxSurge } from './limits.ts';
import {
  activeSets,
  type Deployment,
  findNewSet,
  lowestRevisionFirst,
  maxRevision,
  type ReplicaSet,
  sizeOf,
  statusReplicas,
  wantedSize,
} from './replica-sets.ts';
import { isSaturated, newSetSize, scaleProportionally, shrinkOldSets, soleSet } from './scaling.ts';
import { isSameTemplate, TEMPLATE_HASH_LABEL, templateHash } from './template-hash.ts';

/** "Keep all" as the API spells it. */
const NO_HISTORY_LIMIT = 2 ** 31 - 1;
const MAX_NAME_LENGTH = 253;

export interface RolloutOptions {
  readonly context: ControllerContext;
  readonly deployment: Deployment;
  readonly replicaSets: readonly ReplicaSet[];
  /** Pods of old sets that have not ended; a Recreate rollout waits for them. */
  readonly oldPodsRun: (newSet: ReplicaSet | undefined) => boolean;
}

export class Rollout {
  readonly #context: ControllerContext;
  readonly #options: RolloutOptions;
  /** As last written: later writes of this look build on it. */
  #deployment: Deployment;
  #replicaSets: readonly ReplicaSet[];

  constructor(options: RolloutOptions) {
    this.#options = options;
    this.#context = options.context;
    this.#deployment = options.deployment;
    this.#replicaSets = options.replicaSets;
  }

  async run(): Promise<ReconcileResult | undefined> {
    const { metadata, spec } = this.#deployment;
    if (metadata.deletionTimestamp !== undefined) {
      await this.#writeStatus(countedStatus(this.#deployment, await this.#sets(), this.#context.clock.now()));
      return undefined;
    }
    await this.#notePause();
    if (spec.paused === true || (await this.#isScalingEvent())) return this.#resize();
    return isRolling(this.#deployment) ? this.#roll() : this.#recreate();
  }

  async #roll(): Promise<ReconcileResult | undefined> {
    const sets = await this.#sets({ create: true });
    const { newSet, oldSets } = sets;
    if (newSet === undefined) throw new Error('the new ReplicaSet was not created');
    const wanted = wantedSize(this.#deployment);
    const size =
      sizeOf(newSet) > wanted ? wanted : newSetSize(this.#deployment, [...oldSets, newSet], sizeOf(newSet));
    if (size !== sizeOf(newSet)) {
      await this.#scale(newSet, size);
      return this.#finish(await this.#sets());
    }
    const resizes = shrinkOldSets(this.#deployment, newSet, oldSets);
    for (const resize of resizes) await this.#scale(resize.set, resize.size);
    if (resizes.length === 0 && isComplete(this.#deployment, this.#deployment.status))
      await this.#cleanUp(oldSets);
    return this.#finish(await this.#sets());
  }

  async #recreate(): Promise<ReconcileResult | undefined> {
    // Not created yet: first the old ones go.
    const { newSet, oldSets } = await this.#sets();
    const active = activeSets(oldSets);
    for (const set of active) await this.#scale(set, 0);
    const oldRun = active.length > 0 || statusReplicas(oldSets) > 0 || this.#options.oldPodsRun(newSet);
    if (oldRun) return this.#finish(await this.#sets());
    const sets = await this.#sets({ create: true });
    if (sets.newSet !== undefined) await this.#scale(sets.newSet, wantedSize(this.#deployment));
    if (isComplete(this.#deployment, this.#deployment.status)) await this.#cleanUp(oldSets);
    return this.#finish(await this.#sets());
  }

  /** Follows a change of size, or of anything while paused; starts no rollout. */
  async #resize(): Promise<ReconcileResult | undefined> {
    const { newSet, oldSets } = await this.#sets();
    const sole = soleSet(newSet, oldSets);
    if (sole !== undefined) await this.#scale(sole, wantedSize(this.#deployment));
    else if (isSaturated(this.#deployment, newSet))
      for (const set of activeSets(oldSets)) await this.#scale(set, 0);
    else if (isRolling(this.#deployment)) {
      const all = newSet === undefined ? oldSets : [...oldSets, newSet];
      for (const { set, size } of scaleProportionally(this.#deployment, all)) {
        await this.#scale(set, size, { notesToo: true });
      }
    }
    if (this.#deployment.spec.paused === true) await this.#cleanUp(oldSets);
    await this.#writeStatus(countedStatus(this.#deployment, await this.#sets(), this.#context.clock.now()));
    return undefined;
  }

  async #finish(sets: Sets): Promise<ReconcileResult | undefined> {
    const now = this.#context.clock.now();
    const status = rolloutStatus(this.#deployment, sets, now);
    if (await this.#writeStatus(status)) return undefined;
    const check = msUntilProgressCheck(this.#deployment, status, now);
    return check === undefined ? undefined : { requeueAfterMs: check };
  }

  /** The desired-replicas note of an active set differs: someone changed the size since. */
  async #isScalingEvent(): Promise<boolean> {
    const { newSet, oldSets } = await this.#sets();
    return activeSets(newSet === undefined ? oldSets : [...oldSets, newSet]).some((set) => {
      const desired = desiredReplicas(set);
      return desired !== undefined && desired !== wantedSize(this.#deployment);
    });
  }

  /** New and old sets, with the revision brought up to date on the new one and on the Deployment. */
  async #sets({ create = false } = {}): Promise<Sets> {
    const existing = findNewSet(this.#deployment, this.#replicaSets);
    const oldSets = this.#replicaSets.filter((set) => set !== existing);
    if (existing !== undefined) return { newSet: await this.#keepNewSet(existing, oldSets), oldSets };
    return { newSet: create ? await this.#createNewSet(oldSets) : undefined, oldSets };
  }

  async #keepNewSet(set: ReplicaSet, oldSets: readonly ReplicaSet[]): Promise<ReplicaSet> {
    if (this.#deployment.metadata.deletionTimestamp !== undefined) return set;
    const current = set.metadata.annotations ?? {};
    const annotations = newSetAnnotations(this.#deployment, current, maxRevision(oldSets) + 1n);
    const minReadySeconds = this.#deployment.spec.minReadySeconds ?? 0;
    let kept = set;
    if (annotations !== current || (set.spec.minReadySeconds ?? 0) !== minReadySeconds) {
      kept = await this.#updateSet({
        ...set,
        metadata: { ...set.metadata, annotations },
        spec: { ...set.spec, minReadySeconds },
      });
    }
    const found =
      hasProgressDeadline(this.#deployment) &&
      findCondition(this.#deployment.status.conditions, 'Progressing') === undefined
        ? this.#condition('True', 'FoundNewReplicaSet', `Found new replica set "${set.metadata.name}"`)
        : undefined;
    await this.#noteRevision(kept.metadata.annotations?.[REVISION] ?? '', found);
    return kept;
  }

  async #createNewSet(oldSets: readonly ReplicaSet[]): Promise<ReplicaSet> {
    const draft = this.#newSet(oldSets);
    const { name } = draft.metadata;
    const sets = this.#context.client.resource(
      resources.replicaSets,
      this.#deployment.metadata.namespace ?? '',
    );
    let created: ReplicaSet;
    let isOurs = true;
    try {
      created = await sets.create(draft);
    } catch (error) {
      if (!isAlreadyExists(error)) return await this.#couldNotCreate(name, error);
      // An earlier look created it and the cache does not show it yet, or two templates share a hash.
      created = await sets.get(name);
      isOurs = false;
      const owned = controllerOfObject(created)?.uid === this.#deployment.metadata.uid;
      if (!owned || !isSameTemplate(created.spec.template, this.#deployment.spec.template)) {
        const collisionCount = (this.#deployment.status.collisionCount ?? 0) + 1;
        await this.#writeStatus({ ...this.#deployment.status, collisionCount });
        throw error;
      }
    }
    this.#replicaSets = [...this.#replicaSets, created];
    if (isOurs && sizeOf(created) > 0) this.#tellScaled('up', created, 0);
    const noted =
      isOurs && hasProgressDeadline(this.#deployment)
        ? this.#condition('True', 'NewReplicaSetCreated', `Created new replica set "${name}"`)
        : undefined;
    await this.#noteRevision(created.metadata.annotations?.[REVISION] ?? '', noted);
    return created;
  }

  #newSet(oldSets: readonly ReplicaSet[]) {
    const { metadata, spec, status } = this.#deployment;
    const hash = templateHash(spec.template, status.collisionCount);
    const labels = { ...spec.template.metadata?.labels, [TEMPLATE_HASH_LABEL]: hash };
    const notes = newSetAnnotations(this.#deployment, {}, maxRevision(oldSets) + 1n);
    const wanted = wantedSize(this.#deployment);
    return {
      metadata: {
        name: `${metadata.name.slice(0, MAX_NAME_LENGTH - 1 - hash.length)}-${hash}`,
        namespace: metadata.namespace,
        labels,
        annotations: withReplicaNotes(notes, wanted, wanted + maxSurge(this.#deployment)),
        ownerReferences: [controllerReference(this.#deployment)],
      },
      spec: {
        replicas: newSetSize(this.#deployment, oldSets, 0),
        minReadySeconds: spec.minReadySeconds ?? 0,
        selector: {
          ...spec.selector,
          matchLabels: { ...spec.selector?.matchLabels, [TEMPLATE_HASH_LABEL]: hash },
        },
        template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
      },
    };
  }

  async #couldNotCreate(name: string, error: unknown): Promise<never> {
    if (!isNamespaceTerminating(error)) {
      const message = `Failed to create new replica set "${name}": ${messageOf(error)}`;
      if (hasProgressDeadline(this.#deployment)) {
        // The failure itself is what has to be told.
        await this.#writeConditions(this.#condition('False', 'ReplicaSetCreateError', message)).catch(
          () => undefined,
        );
      }
      this.#context.events.event(this.#deployment, 'Warning', 'ReplicaSetCreateError', message);
    }
    throw error;
  }

  async #scale(set: ReplicaSet, size: number, { notesToo = false } = {}): Promise<void> {
    if (sizeOf(set) === size && !notesToo) return;
    const wanted = wantedSize(this.#deployment);
    const current = set.metadata.annotations ?? {};
    const annotations = withReplicaNotes(current, wanted, wanted + maxSurge(this.#deployment));
    if (annotations === current && sizeOf(set) === size) return;
    const scaled = await this.#updateSet({
      ...set,
      metadata: { ...set.metadata, annotations },
      spec: { ...set.spec, replicas: size },
    });
    if (size !== sizeOf(set)) this.#tellScaled(size > sizeOf(set) ? 'up' : 'down', scaled, sizeOf(set));
  }

  #tellScaled(direction: 'up' | 'down', set: ReplicaSet, from: number): void {
    const message = `Scaled ${direction} replica set ${set.metadata.name} from ${from} to ${sizeOf(set)}`;
    this.#context.events.event(this.#deployment, 'Normal', 'ScalingReplicaSet', message);
  }

  async #updateSet(set: ReplicaSet): Promise<ReplicaSet> {
    const updated = await this.#context.client.resource(resources.replicaSets).update(set);
    this.#replicaSets = this.#replicaSets.map((known) =>
      objectKey(known) === objectKey(updated) ? updated : known,
    );
    return updated;
  }

  /** Old sets beyond the history limit, those of the lowest revisions, once they are empty. */
  async #cleanUp(oldSets: readonly ReplicaSet[]): Promise<void> {
    const limit = this.#deployment.spec.revisionHistoryLimit;
    if (limit === undefined || limit === NO_HISTORY_LIMIT) return;
    const alive = oldSets.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const surplus = alive.toSorted(lowestRevisionFirst).slice(0, Math.max(0, alive.length - limit));
    for (const set of surplus) {
      const observed = (set.status.observedGeneration ?? 0) >= (set.metadata.generation ?? 0);
      if (set.status.replicas !== 0 || sizeOf(set) !== 0 || !observed) continue;
      try {
        await this.#context.client
          .resource(resources.replicaSets, set.metadata.namespace ?? '')
          .delete(set.metadata.name, { propagationPolicy: 'Background' });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
  }

  /** Time spent paused does not count against the progress deadline. */
  async #notePause(): Promise<void> {
    if (!hasProgressDeadline(this.#deployment)) return;
    const current = findCondition(this.#deployment.status.conditions, 'Progressing');
    if (current?.reason === 'ProgressDeadlineExceeded') return;
    const isNoted = current?.reason === 'DeploymentPaused';
    const paused = this.#deployment.spec.paused === true;
    if (paused === isNoted) return;
    await this.#writeConditions(
      paused
        ? this.#condition('Unknown', 'DeploymentPaused', 'Deployment is paused')
        : this.#condition('Unknown', 'DeploymentResumed', 'Deployment is resumed'),
    );
  }

  #condition(status: 'True' | 'False' | 'Unknown', reason: string, message: string): Condition {
    return newCondition(formatTime(this.#context.clock.now()), 'Progressing', status, reason, message);
  }

  async #writeConditions(condition: Condition): Promise<void> {
    const { status } = this.#deployment;
    await this.#writeStatus({ ...status, conditions: withCondition(status.conditions ?? [], condition) });
  }

  /** The Deployment's own annotation goes with its status, as there the controller may write. */
  async #noteRevision(revision: string, condition: Condition | undefined): Promise<void> {
    const { metadata, status } = this.#deployment;
    if (metadata.annotations?.[REVISION] === revision && condition === undefined) return;
    const conditions =
      condition === undefined ? status.conditions : withCondition(status.conditions ?? [], condition);
    this.#deployment = await this.#context.client.resource(resources.deployments).updateStatus({
      ...this.#deployment,
      metadata: { ...metadata, annotations: { ...metadata.annotations, [REVISION]: revision } },
      status: { ...status, ...(conditions === undefined ? {} : { conditions }) },
    });
  }

  /** False when nothing had to be written. */
  async #writeStatus(status: Deployment['status']): Promise<boolean> {
    if (isSameStatus(this.#deployment.status, status)) return false;
    this.#deployment = await this.#context.client
      .resource(resources.deployments)
      .updateStatus({ ...this.#deployment, status });
    return true;
  }
}
