/**
 * Create and update, for every stored kind: what the request brings goes through the server's own metadata rules, the
 * record of field managers, admission, the kind's strategy and validation, and becomes one transaction. When somebody
 * else was faster the whole sequence runs again on what is there now; nothing is ever written over an unseen state.
 */
import {
  alreadyExists,
  deepEqual,
  type FieldError,
  internalError,
  invalid,
  invalidObject,
  type KubeObject,
  modifiedConflict,
  notFound,
  type ResourceTarget,
  StatusError,
  trackUpdate,
} from '#machinery';
import { type Clock, formatTime, type Random } from '#platform';
import type { Store } from '#store';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission/admission.ts';
import { CacheEntry } from '../watch-cache/cache-entry.ts';
import { entryOf } from '../watch-cache/resource-cache.ts';
import {
  validateBuiltinFinalizers,
  validateMetadata,
  validateMetadataUpdate,
} from './metadata-validation.ts';
import {
  inRequestNamespace,
  needsGeneratedName,
  withGeneratedName,
  withMetadata,
  withoutDuplicateOwners,
  withoutSystemFields,
  withSystemFields,
  withoutNewTimes,
} from './object-metadata.ts';
import type { ServedResource } from './served-resource.ts';
import { commitPut, type Rider } from './store-commit.ts';
import { ownPart } from './subresource-parts.ts';
import type { Transform, WriteCall, WriteResult } from './write-call.ts';

/** A generated name that is taken is generated anew this often. */
const MAX_NAME_ATTEMPTS = 8;
/** Optimistic retries of one write; beyond it the caller gets the conflict. */
const MAX_UPDATE_ATTEMPTS = 64;

/** Things that must happen in the transaction of certain kinds: Service addresses, Event leases. */
export interface WriteCompanion {
  /** May fill in fields (allocate), and returns what rides along. Called anew on each attempt. */
  prepare(
    next: KubeObject,
    old: KubeObject | undefined,
    dryRun: boolean,
  ): Promise<{ readonly object: KubeObject; readonly rider: Rider }>;
  /** What rides along with the deletion of `old`. */
  release?(old: KubeObject): Rider;
}

export interface ObjectWriterOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly admission: () => readonly AdmissionPlugin[];
  /** Key: `group/resource`. */
  readonly companions: ReadonlyMap<string, WriteCompanion>;
  /** Deletes what an update has left without finalizers. */
  readonly finishDeletion: (served: ServedResource, entry: CacheEntry) => Promise<CacheEntry>;
  /** Asked before an update may turn into a create. @throws StatusError 403 */
  readonly authorizeCreate: (target: ResourceTarget, call: WriteCall) => void;
}

export class ObjectWriter {
  readonly #options: ObjectWriterOptions;
  #second = -1;
  #now = '';

  constructor(options: ObjectWriterOptions) {
    this.#options = options;
  }

  /** RFC 3339, to the second. */
  get now(): string {
    const second = Math.floor(this.#options.clock.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#now = formatTime(second * 1000);
    }
    return this.#now;
  }

  /** `body`: decoded and defaulted, in the served version. */
  async create(
    served: ServedResource,
    target: ResourceTarget,
    body: KubeObject,
    call: WriteCall,
  ): Promise<CacheEntry> {
    const { resourceVersion } = body.metadata;
    // What is no number, or nought, upstream overlooks.
    if (/^0*[1-9]\d*$/.test(resourceVersion ?? '')) {
      throw new StatusError(500, '', 'resourceVersion should not be set on objects to be created');
    }
    const given = withoutSystemFields(body);
    const wiped = resourceVersion === undefined ? given : withMetadata(given, { resourceVersion: undefined });
    const namespace = served.info.namespaced ? target.namespace : undefined;
    const placed = withoutDuplicateOwners(inRequestNamespace(wiped, namespace), call.warn, false);
    return this.#createPlaced(served, target, this.#track(served, undefined, placed, call), call);
  }

  /**
   * Replaces what is there by what `transform` makes of it. With `mayCreate` a missing object is created
   * (PUT of kinds that allow it, server-side apply).
   */
  async update(
    served: ServedResource,
    target: ResourceTarget,
    transform: Transform,
    call: WriteCall,
    options: UpdateOptions = {},
  ): Promise<WriteResult> {
    const { stored } = served;
    const name = target.name ?? '';
    const key = stored.keyOf(target.namespace, name);
    await stored.cache.fresh();
    let live = stored.cache.get(key);
    for (let attempt = 0; attempt < MAX_UPDATE_ATTEMPTS; attempt++) {
      call.signal.throwIfAborted();
      if (live === undefined) {
        if (options.mayCreate !== true) throw notFound(served.groupResource, name);
        this.#options.authorizeCreate(target, call);
        const body = await transform(undefined);
        const fresh = withoutSystemFields(withMetadata(body, { resourceVersion: undefined }));
        const placed = inRequestNamespace(fresh, served.info.namespaced ? target.namespace : undefined);
        const tracked = options.isTracked === true ? placed : this.#track(served, undefined, placed, call);
        return { entry: await this.#createPlaced(served, target, tracked, call), created: true };
      }
      const outcome = await this.#updateOnce(served, target, live, transform, call, options);
      if (outcome.entry !== undefined) return { entry: outcome.entry, created: false };
      live = outcome.live;
    }
    throw modifiedConflict(served.groupResource, name);
  }

  /** `body` has its namespace and its managers; admission runs once, only the name is tried anew. */
  async #createPlaced(
    served: ServedResource,
    target: ResourceTarget,
    body: KubeObject,
    call: WriteCall,
  ): Promise<CacheEntry> {
    const attributes = this.#attributes(served, target, call, 'CREATE', undefined);
    const admitted = await this.#mutate(attributes, served.toStorage(body));
    const owned = withoutDuplicateOwners(admitted, call.warn, true);
    if (!needsGeneratedName(owned)) return this.#createOnce(served, attributes, owned, call);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#createOnce(
          served,
          attributes,
          withGeneratedName(owned, this.#options.random),
          call,
        );
      } catch (error) {
        if (!(error instanceof StatusError && error.reason === 'AlreadyExists')) throw error;
        if (attempt === MAX_NAME_ATTEMPTS) throw noUniqueName(error);
      }
    }
  }

  async #createOnce(
    served: ServedResource,
    attributes: Omit<AdmissionAttributes, 'object'>,
    admitted: KubeObject,
    call: WriteCall,
    attempt = 1,
  ): Promise<CacheEntry> {
    const { stored } = served;
    const { random, store } = this.#options;
    const owned = withSystemFields(admitted, this.now, random);
    const context = { now: this.now, user: call.user };
    const prepared = served.behaviour?.prepareForCreate?.(owned, context) ?? owned;
    const companion = this.#companion(served);
    const ready =
      companion === undefined ? undefined : await companion.prepare(prepared, undefined, call.dryRun);
    const object = ready?.object ?? prepared;
    const errors = validateMetadata(
      object,
      stored.namespaced,
      served.behaviour?.nameRule ?? 'dns1123-subdomain',
    );
    if (!stored.isCustom) errors.push(...validateBuiltinFinalizers(object.metadata.finalizers ?? []));
    errors.push(...(served.behaviour?.validateCreate?.(object) ?? []));
    refuseInvalid(served, object, errors);
    for (const text of served.behaviour?.warnings?.(object, undefined) ?? []) call.warn(text);
    await this.#validate(attributes, object);
    const name = object.metadata.name ?? '';
    const exists = () => alreadyExists(served.groupResource, name);
    if (call.dryRun) {
      if (stored.cache.get(stored.keyOfObject(object)) !== undefined) throw exists();
      return CacheEntry.fromObject(stored.keyOfObject(object), 0, object);
    }
    const result = await commitPut(store, stored, object, 0, ready?.rider);
    if (result.committed) return result.entry;
    if (!result.riderFailed) throw exists();
    if (attempt === MAX_UPDATE_ATTEMPTS) throw modifiedConflict(served.groupResource, name);
    return this.#createOnce(served, attributes, admitted, call, attempt + 1);
  }

  /** One optimistic attempt: `entry` when it is done, `live` to try again on. */
  async #updateOnce(
    served: ServedResource,
    target: ResourceTarget,
    live: CacheEntry,
    transform: Transform,
    call: WriteCall,
    options: UpdateOptions,
  ): Promise<{ readonly entry?: CacheEntry; readonly live?: CacheEntry | undefined }> {
    const { stored } = served;
    const old = live.object;
    const oldServed = live.in(served);
    const asked = await transform(oldServed);
    this.#checkRevision(served, asked, live);
    const merged = ownPart(asked, oldServed, served, target.subresource);
    const kept = keepSystemFields(merged, old);
    const tracked =
      options.isTracked === true ? kept : this.#track(served, oldServed, kept, call, target.subresource);
    const attributes = this.#attributes(served, target, call, 'UPDATE', old);
    const admitted = await this.#mutate(attributes, served.toStorage(tracked));
    const owned = withoutDuplicateOwners(admitted, call.warn, true);
    const prepared = this.#prepareUpdate(served, owned, old, call, target.subresource);
    const companion = target.subresource === 'status' ? undefined : this.#companion(served);
    const ready = companion === undefined ? undefined : await companion.prepare(prepared, old, call.dryRun);
    const object = ready?.object ?? prepared;
    this.#refuseInvalidUpdate(served, object, old, target.subresource);
    for (const text of served.behaviour?.warnings?.(object, old) ?? []) call.warn(text);
    await this.#validate({ ...attributes, oldObject: old }, object);
    if (isReadyToDelete(object, old)) {
      if (call.dryRun) return { entry: CacheEntry.fromObject(live.key, live.revision, object) };
      await this.#options.finishDeletion(served, live);
      return { entry: CacheEntry.fromObject(live.key, live.revision, object) };
    }
    if (deepEqual(withoutNewTimes(object, old), old)) return { entry: live };
    if (call.dryRun) return { entry: CacheEntry.fromObject(live.key, live.revision, object) };
    const result = await commitPut(this.#options.store, stored, object, live.revision, ready?.rider);
    if (result.committed) return { entry: result.entry };
    return { live: result.current === undefined ? undefined : entryOf(live.key, result.current) };
  }

  #checkRevision(served: ServedResource, asked: KubeObject, live: CacheEntry): void {
    const revision = asked.metadata.resourceVersion ?? '';
    const name = live.object.metadata.name ?? '';
    if (revision === '' || revision === '0') {
      if (served.stored.policy.allowsUnconditionalUpdate) return;
      const { group, resource } = served.groupResource;
      const error = invalid('metadata.resourceVersion', 0, 'must be specified for an update');
      throw invalidObject({ group, kind: resource }, name, [error]);
    }
    if (revision !== String(live.revision)) throw modifiedConflict(served.groupResource, name);
  }

  #prepareUpdate(
    served: ServedResource,
    object: KubeObject,
    old: KubeObject,
    call: WriteCall,
    subresource: string | undefined,
  ): KubeObject {
    const { behaviour } = served;
    const context = { now: this.now, user: call.user };
    if (subresource === 'status') return behaviour?.prepareForStatusUpdate?.(object, old, context) ?? object;
    // Of the other subresources, what the write may touch has been settled already.
    const isWhole = subresource === undefined || subresource === 'scale';
    const prepared = isWhole ? (behaviour?.prepareForUpdate?.(object, old, context) ?? object) : object;
    const { generation } = old.metadata;
    if (generation === undefined || prepared.metadata.generation !== generation) return prepared;
    const bumps = behaviour?.bumpsGeneration?.(prepared, old) ?? differsInSpec(prepared, old);
    return bumps ? withMetadata(prepared, { generation: generation + 1 }) : prepared;
  }

  #refuseInvalidUpdate(
    served: ServedResource,
    object: KubeObject,
    old: KubeObject,
    subresource: string | undefined,
  ): void {
    const { stored, behaviour } = served;
    const errors = validateMetadata(object, stored.namespaced, behaviour?.nameRule ?? 'dns1123-subdomain');
    // A name that is there already may break a rule that came later.
    const relevant = errors.filter((e) => e.field !== 'metadata.name' && e.field !== 'metadata.generateName');
    relevant.push(...validateMetadataUpdate(object.metadata, old.metadata));
    const own =
      subresource === 'status'
        ? behaviour?.validateStatusUpdate?.(object, old)
        : behaviour?.validateUpdate?.(object, old, subresource);
    relevant.push(...(own ?? []));
    refuseInvalid(served, object, relevant);
  }

  #companion(served: ServedResource): WriteCompanion | undefined {
    return this.#options.companions.get(`${served.stored.group}/${served.stored.resource}`);
  }

  #track(
    served: ServedResource,
    live: KubeObject | undefined,
    next: KubeObject,
    call: WriteCall,
    subresource?: string,
  ): KubeObject {
    return trackUpdate({
      schema: served.schema,
      live,
      next,
      manager: call.manager,
      apiVersion: served.apiVersion,
      ...(subresource === undefined ? {} : { subresource }),
      now: this.now,
    });
  }

  #attributes(
    served: ServedResource,
    target: ResourceTarget,
    call: WriteCall,
    operation: 'CREATE' | 'UPDATE',
    oldObject: KubeObject | undefined,
  ): Omit<AdmissionAttributes, 'object'> {
    const { user, dryRun, warn, signal } = call;
    return { operation, target, kind: served.kind, user, oldObject, dryRun, warn, signal };
  }

  async #mutate(attributes: Omit<AdmissionAttributes, 'object'>, object: KubeObject): Promise<KubeObject> {
    let current = { ...attributes, object };
    for (const plugin of this.#options.admission()) {
      const answer = plugin.mutate?.(current);
      const changed = answer instanceof Promise ? await answer : answer;
      // Most plugins leave most objects alone.
      if (changed !== undefined && changed !== current.object) current = { ...attributes, object: changed };
    }
    return current.object;
  }

  async #validate(attributes: Omit<AdmissionAttributes, 'object'>, object: KubeObject): Promise<void> {
    const whole = { ...attributes, object };
    for (const plugin of this.#options.admission()) {
      const waiting = plugin.validate?.(whole);
      if (waiting !== undefined) await waiting;
    }
  }
}

export interface UpdateOptions {
  readonly mayCreate?: boolean;
  /** The transform has recorded the field managers itself (server-side apply). */
  readonly isTracked?: boolean;
}

/** What an update cannot change, taken from what is there. */
function keepSystemFields(next: KubeObject, old: KubeObject): KubeObject {
  const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generation } = old.metadata;
  const given = next.metadata;
  return withMetadata(next, {
    uid: given.uid === undefined || given.uid === '' ? uid : given.uid,
    resourceVersion: old.metadata.resourceVersion,
    creationTimestamp: creationTimestamp ?? given.creationTimestamp,
    generation,
    deletionTimestamp: deletionTimestamp ?? given.deletionTimestamp,
    deletionGracePeriodSeconds: given.deletionGracePeriodSeconds ?? deletionGracePeriodSeconds,
  });
}

/** The update took the last finalizer of an object whose grace period is over. */
function isReadyToDelete(next: KubeObject, old: KubeObject): boolean {
  if ((next.metadata.finalizers?.length ?? 0) > 0 || old.metadata.deletionTimestamp === undefined)
    return false;
  if ((old.metadata.deletionGracePeriodSeconds ?? 0) !== 0) return false;
  if (next.kind !== 'Namespace' || next.apiVersion !== 'v1') return true;
  const spec = next.spec as { readonly finalizers?: readonly string[] } | undefined;
  return (spec?.finalizers?.length ?? 0) === 0;
}

function differsInSpec(next: KubeObject, old: KubeObject): boolean {
  for (const field of new Set([...Object.keys(next), ...Object.keys(old)])) {
    if (field === 'metadata' || field === 'status' || field === 'kind' || field === 'apiVersion') continue;
    if (!deepEqual(next[field], old[field])) return true;
  }
  return false;
}

function refuseInvalid(served: ServedResource, object: KubeObject, errors: readonly FieldError[]): void {
  if (errors.length === 0) return;
  throw invalidObject({ group: served.info.group, kind: served.kind }, object.metadata.name ?? '', errors);
}

function noUniqueName(error: StatusError): StatusError {
  if (error.details === undefined) return internalError(error);
  const message = `${error.message}, the server was not able to generate a unique name for the object`;
  return new StatusError(409, 'AlreadyExists', message, { ...error.details, retryAfterSeconds: 1 });
}
