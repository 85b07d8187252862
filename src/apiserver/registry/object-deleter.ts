/**
 * Deletion: at once, or marked with a deletionTimestamp and finished later, when the grace period is over or the last
 * finalizer is taken off. https://kubernetes.io/docs/concepts/architecture/garbage-collection/
 */
import {
  conflict,
  type DeleteOptions,
  invalid,
  invalidObject,
  type KubeObject,
  modifiedConflict,
  notFound,
  type ResourceTarget,
  type Status,
} from '#machinery';
import { type Clock, formatTime } from '#platform';
import type { Store } from '#store';
import type { AdmissionPlugin } from '../admission/admission.ts';
import { CacheEntry } from '../watch-cache/cache-entry.ts';
import { entryOf } from '../watch-cache/resource-cache.ts';
import { withMetadata } from './object-metadata.ts';
import type { WriteCompanion } from './object-writer.ts';
import type { ServedResource } from './served-resource.ts';
import { commitDelete, commitPut } from './store-commit.ts';
import type { WriteCall } from './write-call.ts';

const ORPHAN = 'orphan';
const FOREGROUND = 'foregroundDeletion';
const MAX_DELETE_ATTEMPTS = 64;

export interface DeleteResult {
  /** The last state; with `deleted` false it is still there, on its way out. */
  readonly entry: CacheEntry;
  readonly deleted: boolean;
}

interface DeletionStep {
  /** Undefined: remove now. The same object: nothing to do, it is already on its way. */
  readonly marked?: KubeObject;
  /** What the answer shows of an object that is removed, when it is not the state it was in. */
  readonly last?: KubeObject;
}

export interface ObjectDeleterOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly admission: () => readonly AdmissionPlugin[];
  readonly companions: ReadonlyMap<string, WriteCompanion>;
}

export class ObjectDeleter {
  readonly #options: ObjectDeleterOptions;

  constructor(options: ObjectDeleterOptions) {
    this.#options = options;
  }

  async delete(
    served: ServedResource,
    target: ResourceTarget,
    options: DeleteOptions,
    call: WriteCall,
  ): Promise<DeleteResult> {
    validateDeleteOptions(options);
    const { stored } = served;
    const name = target.name ?? '';
    const key = stored.keyOf(target.namespace, name);
    await stored.cache.fresh();
    let live = stored.cache.get(key);
    for (let attempt = 0; attempt < MAX_DELETE_ATTEMPTS; attempt++) {
      if (live === undefined) throw notFound(served.groupResource, name);
      this.checkPreconditions(served, live.object, options);
      await this.#admit(served, target, live, call);
      const step = this.#nextStep(served, live.object, options);
      if (step.marked === live.object) return { entry: live, deleted: false };
      if (call.dryRun) {
        const entry = CacheEntry.fromObject(live.key, live.revision, step.marked ?? live.object);
        return { entry, deleted: step.marked === undefined };
      }
      const result =
        step.marked === undefined
          ? await commitDelete(
              this.#options.store,
              stored,
              live,
              this.#companion(served)?.release?.(live.object),
            )
          : await commitPut(this.#options.store, stored, step.marked, live.revision);
      if (result.committed) {
        const entry =
          step.last === undefined ? result.entry : CacheEntry.fromObject(key, live.revision, step.last);
        return { entry, deleted: step.marked === undefined };
      }
      live = result.current === undefined ? undefined : entryOf(key, result.current);
    }
    throw modifiedConflict(served.groupResource, name);
  }

  /** The second half of a deletion whose finalizers an update has taken off. */
  async finish(served: ServedResource, entry: CacheEntry): Promise<CacheEntry> {
    const rider = this.#companion(served)?.release?.(entry.object);
    const result = await commitDelete(this.#options.store, served.stored, entry, rider);
    if (result.committed) return result.entry;
    throw modifiedConflict(served.groupResource, entry.object.metadata.name ?? '');
  }

  /** @throws StatusError 409 when this is not the object, or not the state of it, that the caller meant. */
  checkPreconditions(served: ServedResource, live: KubeObject, options: DeleteOptions): void {
    const { uid, resourceVersion } = options.preconditions ?? {};
    const { metadata } = live;
    const subject = { group: served.info.group, resource: served.kind };
    if (uid !== undefined && uid !== metadata.uid) {
      const why = `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid ?? ''}). The object might have been deleted and then recreated`;
      throw conflict(subject, metadata.name ?? '', why);
    }
    if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
      const why = `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion ?? ''}). The object might have been modified`;
      throw conflict(subject, metadata.name ?? '', why);
    }
  }

  #companion(served: ServedResource): WriteCompanion | undefined {
    return this.#options.companions.get(`${served.stored.group}/${served.stored.resource}`);
  }

  async #admit(
    served: ServedResource,
    target: ResourceTarget,
    live: CacheEntry,
    call: WriteCall,
  ): Promise<void> {
    const { user, dryRun, warn, signal } = call;
    const attributes = {
      operation: 'DELETE' as const,
      target,
      kind: served.kind,
      user,
      object: undefined,
      oldObject: live.object,
      dryRun,
      warn,
      signal,
    };
    for (const plugin of this.#options.admission()) await plugin.mutate?.(attributes);
    for (const plugin of this.#options.admission()) await plugin.validate?.(attributes);
  }

  #nextStep(served: ServedResource, live: KubeObject, options: DeleteOptions): DeletionStep {
    const nowMs = this.#options.clock.now();
    if (served.stored.policy.hasSpecFinalizers === true && specFinalizers(live).length > 0) {
      return { marked: terminatingNamespace(live, nowMs) };
    }
    const graceful = gracefulDeletion(served, live, options, nowMs);
    if (graceful === 'pending') return { marked: live };
    const { cleanupFinalizer } = served.stored.policy;
    if (cleanupFinalizer !== undefined && live.metadata.deletionTimestamp === undefined) {
      const finalizers = finalizersFor(served, live, options);
      return { marked: withMetadata(live, { finalizers, deletionTimestamp: formatTime(nowMs) }) };
    }
    const finalizers = finalizersFor(served, live, options);
    const object = graceful ?? live;
    const withFinalizers =
      finalizers === live.metadata.finalizers ? object : withMetadata(object, { finalizers });
    if (graceful !== undefined) {
      const over = graceful.metadata.deletionGracePeriodSeconds === 0 && (finalizers?.length ?? 0) === 0;
      return over ? { last: graceful } : { marked: withFinalizers };
    }
    if ((finalizers?.length ?? 0) === 0) return {};
    return { marked: markedAsDeleting(withFinalizers, live, nowMs) };
  }
}

/** Undefined: this kind goes at once. `pending`: a deletion that is at least as soon is under way. */
function gracefulDeletion(
  served: ServedResource,
  live: KubeObject,
  options: DeleteOptions,
  nowMs: number,
): KubeObject | 'pending' | undefined {
  const gracePeriodOf = served.behaviour?.gracePeriodSeconds;
  if (gracePeriodOf === undefined) return undefined;
  const { deletionTimestamp, deletionGracePeriodSeconds: current = 0, generation } = live.metadata;
  const asked =
    options.gracePeriodSeconds !== undefined && options.gracePeriodSeconds < 0
      ? 1
      : options.gracePeriodSeconds;
  if (deletionTimestamp !== undefined) {
    if (current === 0) return undefined;
    if (asked === undefined || asked >= current) return 'pending';
    const startedMs = Date.parse(deletionTimestamp) - current * 1000;
    const endMs = startedMs + asked * 1000;
    const isPast = endMs < nowMs;
    return withMetadata(live, {
      deletionTimestamp: formatTime(isPast ? nowMs : endMs),
      deletionGracePeriodSeconds: isPast && asked !== 0 ? 1 : asked,
    });
  }
  const period = gracePeriodOf(live, asked);
  return withMetadata(live, {
    deletionTimestamp: formatTime(nowMs + period * 1000),
    deletionGracePeriodSeconds: period,
    ...(generation === undefined ? {} : { generation: generation + 1 }),
  });
}

function specFinalizers(object: KubeObject): readonly string[] {
  return (object.spec as { readonly finalizers?: readonly string[] } | undefined)?.finalizers ?? [];
}

/** A namespace stays, as Terminating, until the namespace controller has emptied it. */
function terminatingNamespace(live: KubeObject, nowMs: number): KubeObject {
  if (live.metadata.deletionTimestamp !== undefined) return live;
  const marked = withMetadata(live, { deletionTimestamp: formatTime(nowMs) });
  return { ...marked, status: { ...(live.status as object | undefined), phase: 'Terminating' } };
}

function markedAsDeleting(object: KubeObject, live: KubeObject, nowMs: number): KubeObject {
  const { deletionTimestamp, deletionGracePeriodSeconds, generation } = live.metadata;
  const isFirst = deletionTimestamp === undefined;
  if (!isFirst && deletionGracePeriodSeconds === 0 && object === live) return live;
  const isLater = !isFirst && Date.parse(deletionTimestamp) > nowMs;
  return withMetadata(object, {
    deletionTimestamp: isFirst || isLater ? formatTime(nowMs) : deletionTimestamp,
    deletionGracePeriodSeconds: 0,
    ...(isFirst && generation !== undefined ? { generation: generation + 1 } : {}),
  });
}

/** The finalizers that the propagation policy asks for. The same reference when nothing changes. */
function finalizersFor(
  served: ServedResource,
  live: KubeObject,
  options: DeleteOptions,
): readonly string[] | undefined {
  const existing = live.metadata.finalizers;
  const { dependents, cleanupFinalizer } = served.stored.policy;
  if (dependents === 'unsupported') return existing;
  const wanted = propagationFinalizer(options, existing ?? [], dependents === 'orphan');
  const kept = (existing ?? []).filter((f) => f !== ORPHAN && f !== FOREGROUND);
  const next = wanted === undefined ? kept : [...kept, wanted];
  const isFirst = live.metadata.deletionTimestamp === undefined;
  if (cleanupFinalizer !== undefined && isFirst && !next.includes(cleanupFinalizer))
    next.push(cleanupFinalizer);
  const isSame = next.length === (existing?.length ?? 0) && next.every((f) => existing?.includes(f) === true);
  return isSame ? existing : next;
}

function propagationFinalizer(
  options: DeleteOptions,
  existing: readonly string[],
  orphansByDefault: boolean,
): string | undefined {
  if (options.orphanDependents !== undefined) return options.orphanDependents ? ORPHAN : undefined;
  switch (options.propagationPolicy) {
    case 'Orphan':
      return ORPHAN;
    case 'Foreground':
      return FOREGROUND;
    case 'Background':
      return undefined;
    case undefined:
      break;
    default:
      options.propagationPolicy satisfies never;
  }
  const present = existing.find((f) => f === ORPHAN || f === FOREGROUND);
  return present ?? (orphansByDefault ? ORPHAN : undefined);
}

const POLICIES = ['Background', 'Foreground', 'Orphan'];

function validateDeleteOptions(options: DeleteOptions): void {
  const { propagationPolicy, orphanDependents } = options;
  const subject = { group: 'meta.k8s.io', kind: 'DeleteOptions' };
  if (propagationPolicy !== undefined && orphanDependents !== undefined) {
    const why = 'orphanDependents and deletionPropagation cannot be both set';
    throw invalidObject(subject, '', [invalid('propagationPolicy', propagationPolicy, why)]);
  }
  if (propagationPolicy !== undefined && !POLICIES.includes(propagationPolicy)) {
    throw invalidObject(subject, '', [
      {
        type: 'FieldValueNotSupported',
        field: 'propagationPolicy',
        body: `Unsupported value: ${JSON.stringify(propagationPolicy)}: supported values: "Foreground", "Background", "Orphan", "nil"`,
      },
    ]);
  }
}

/** The answer to DELETE of kinds that do not return the object. */
export function deletedStatus(served: ServedResource, object: KubeObject): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name: object.metadata.name ?? '',
      ...(served.info.group === '' ? {} : { group: served.info.group }),
      kind: served.info.resource,
      ...(object.metadata.uid === undefined ? {} : { uid: object.metadata.uid }),
    },
  };
}
