/**
 * Server-side apply (KEP-555) and the tracking of field ownership through every other write.
 */
import { type KubeObject, type ManagedFieldsEntry, parseApiVersion } from '../object.ts';
import { isJsonObject, jsonTypeName } from '../patch/json-value.ts';
import type { StructSchema } from '../schema.ts';
import { badRequest, StatusError } from '../status-error.ts';
import { applyConflict } from './apply-conflict.ts';
import { type ApplyType, applyTypeOf } from './apply-type.ts';
import type { FieldFilter } from './field-filter.ts';
import { difference, isEmptyTree, treeOfFields, union } from './field-tree.ts';
import { CLIENT_SIDE_APPLY_SUCCESSOR, conflictsBeyondLastApplied, withLastApplied } from './last-applied.ts';
import {
  capUpdateManagers,
  isManagersReset,
  type ManagerKey,
  type Managers,
  managerId,
  readManagers,
  writeManagers,
} from './managers.ts';
import { Ownership, OwnershipConflict, type Versioned, type VersionConverter } from './ownership.ts';
import { defaultFieldFilter } from './reset-fields.ts';
import { sameValue } from './same-value.ts';
import { typeErrors } from './typed-validation.ts';
import { zeroValue } from './zero-value.ts';

interface WriteOptions {
  /** Of `apiVersion`, the version of the request; `live` and the other object are in it too. */
  readonly schema: StructSchema;
  readonly apiVersion: string;
  /** '' is recorded as `unknown`. */
  readonly manager: string;
  readonly subresource?: string;
  /** RFC 3339, in whole seconds. */
  readonly now: string;
  /** What a write here can own. Default: the resource not `status`, its status not `spec`. */
  readonly filter?: FieldFilter;
  /** For objects whose managers wrote in several versions. Absent: all versions are taken to have one shape. */
  readonly convert?: VersionConverter;
}

export interface ApplyOptions extends WriteOptions {
  readonly kind?: string;
  /** Undefined: the object does not exist and is created. */
  readonly live: KubeObject | undefined;
  /** The parsed body. */
  readonly applied: unknown;
  readonly force: boolean;
}

export interface TrackUpdateOptions extends WriteOptions {
  /** Undefined on create. */
  readonly live: KubeObject | undefined;
  /** What is to be stored, before admission. */
  readonly next: KubeObject;
}

/** Fields nobody owns: the server's, and those that name the object. */
const UNOWNED = treeOfFields([
  ['apiVersion'],
  ['kind'],
  ['metadata'],
  ...[
    'name',
    'namespace',
    'creationTimestamp',
    'selfLink',
    'uid',
    'clusterName',
    'generation',
    'managedFields',
    'resourceVersion',
  ].map((field) => ['metadata', field]),
]);

const BEFORE_FIRST_APPLY = 'before-first-apply';

/**
 * Merges `applied` into `live` and records its manager.
 * @returns the object to store, not yet decoded or defaulted. An apply that changes nothing returns the live values
 *   and leaves the manager's time as it was.
 * @throws StatusError 409 with one cause per field that another manager owns; 400 for an object of another type;
 *   500 (as upstream) when `applied` does not fit the schema.
 */
export function applyServerSide(options: ApplyOptions): { readonly object: KubeObject } {
  const applied = appliedObject(options);
  const type = applyTypeOf(options.schema);
  const misfit = typeErrors(type, applied);
  if (misfit !== undefined) {
    throw unclassified(`failed to create typed patch object (${describe(applied)}): ${misfit}`);
  }
  const live = options.live ?? zeroObject(options);
  const managers = managersForApply(options, live);
  const merge = (force: boolean): KubeObject => mergeApplied(options, type, live, applied, managers, force);
  if (options.manager !== CLIENT_SIDE_APPLY_SUCCESSOR) return { object: merge(options.force) };
  return { object: withLastApplied(mergeAfterClientSideApply(options, type, live, merge), applied) };
}

function mergeApplied(
  options: ApplyOptions,
  type: ApplyType,
  live: KubeObject,
  applied: KubeObject,
  before: Managers,
  force: boolean,
): KubeObject {
  const managers: Managers = new Map(before);
  const key = keyOf(options, 'Apply');
  const id = managerId(key);
  const at = (value: unknown): Versioned => ({ value, type, apiVersion: options.apiVersion });
  let merged: unknown;
  try {
    merged = ownershipOf(options).apply(at(live), at(applied), managers, { id, key }, force);
  } catch (e) {
    if (e instanceof StatusError || e instanceof OwnershipConflict) {
      throw e instanceof OwnershipConflict && options.manager !== CLIENT_SIDE_APPLY_SUCCESSOR
        ? applyConflict(e.conflicts, e.managers)
        : e;
    }
    throw unclassified(`failed to merge config: ${(e as Error).message}`);
  }
  strip(managers, id);
  const isNoop = sameValue(live, merged);
  const own = managers.get(id);
  if (!isNoop && own !== undefined) managers.set(id, { ...own, time: options.now });
  return withManagers((isNoop ? live : merged) as KubeObject, writeManagers(managers));
}

function mergeAfterClientSideApply(
  options: ApplyOptions,
  type: ApplyType,
  live: KubeObject,
  merge: (force: boolean) => KubeObject,
): KubeObject {
  try {
    return merge(options.force);
  } catch (e) {
    if (!(e instanceof OwnershipConflict)) throw e;
    const rest = conflictsBeyondLastApplied(type, live, options.apiVersion, e.conflicts);
    if (rest !== undefined) throw applyConflict(rest, e.managers);
    return merge(true);
  }
}

/**
 * Records who owns what after a create, update or patch.
 * @returns `next` with `metadata.managedFields`. An object that lost or never had managed fields stays without until
 *   it is applied; `[]` and `[{}]` in `next` ask for just that.
 */
export function trackUpdate(options: TrackUpdateOptions): KubeObject {
  const { live, next } = options;
  const managers = managersForUpdate(options);
  if (managers.size === 0 && live !== undefined) return withManagers(next, undefined);
  recordUpdate(options, live ?? zeroObject({ ...options, kind: next.kind }), next, managers);
  return withManagers(next, writeManagers(managers));
}

function recordUpdate(options: WriteOptions, live: KubeObject, next: KubeObject, managers: Managers): void {
  const type = applyTypeOf(options.schema);
  const at = (value: unknown): Versioned => ({ value, type, apiVersion: options.apiVersion });
  const owned = difference(ownershipOf(options).update(at(live), at(next), managers), UNOWNED);
  if (!isEmptyTree(owned)) {
    const key = keyOf(options, 'Update');
    const id = managerId(key);
    const previous = managers.get(id);
    const set = previous === undefined ? owned : union(owned, previous.set);
    // Upstream carries a scale's managers over to the parent without a time.
    const time = options.subresource === 'scale' ? previous?.time : options.now;
    managers.set(id, { ...key, ...(time === undefined ? {} : { time }), set });
  }
  capUpdateManagers(managers);
}

/** A subresource cannot carry managed fields; the resource itself may, to change them. */
function managersForUpdate({ live, next, subresource }: TrackUpdateOptions): Managers {
  const ofLive = (): Managers => managersOrNone(live?.metadata.managedFields);
  if (subresource !== undefined) return ofLive();
  if (isManagersReset(next.metadata.managedFields)) return new Map();
  const ofNext = managersOrNone(next.metadata.managedFields);
  return ofNext.size === 0 ? ofLive() : ofNext;
}

function managersOrNone(entries: readonly ManagedFieldsEntry[] | undefined): Managers {
  try {
    return readManagers(entries);
  } catch {
    return new Map();
  }
}

/** What an object held before anyone tracked it belongs to `before-first-apply`. */
function managersForApply(options: ApplyOptions, live: KubeObject): Managers {
  let managers: Managers;
  try {
    managers = readManagers(live.metadata?.managedFields);
  } catch (e) {
    throw unclassified(`failed to decode managed fields: ${(e as Error).message}`);
  }
  if (managers.size === 0) {
    recordUpdate({ ...options, manager: BEFORE_FIRST_APPLY }, zeroObject(options), live, managers);
  }
  return managers;
}

function appliedObject(options: ApplyOptions): KubeObject {
  const { applied, apiVersion } = options;
  if (!isJsonObject(applied)) {
    throw badRequest(
      `error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${jsonTypeName(applied)} into Go value of type map[string]interface {}`,
    );
  }
  const kind = options.kind ?? options.live?.kind;
  if (applied.apiVersion !== apiVersion || (kind !== undefined && applied.kind !== kind)) {
    throw badRequest(`invalid object type: ${gvkText(applied)}`);
  }
  if (isJsonObject(applied.metadata) && Array.isArray(applied.metadata.managedFields)) {
    throw badRequest('metadata.managedFields must be nil');
  }
  return applied as KubeObject;
}

function strip(managers: Managers, id: string): void {
  const manager = managers.get(id);
  if (manager === undefined) return;
  const set = difference(manager.set, UNOWNED);
  if (isEmptyTree(set)) managers.delete(id);
  else managers.set(id, { ...manager, set });
}

const ownershipOf = (options: WriteOptions): Ownership =>
  new Ownership({
    filter: options.filter ?? defaultFieldFilter(options.schema, options.subresource),
    ...(options.convert === undefined ? {} : { convert: options.convert }),
  });

function keyOf(options: WriteOptions, operation: 'Apply' | 'Update'): ManagerKey {
  return {
    manager: options.manager === '' ? 'unknown' : options.manager,
    operation,
    apiVersion: options.apiVersion,
    ...(options.subresource === undefined ? {} : { subresource: options.subresource }),
  };
}

function zeroObject(
  options: WriteOptions & { readonly kind?: string; readonly applied?: unknown },
): KubeObject {
  const applied = isJsonObject(options.applied) ? options.applied : {};
  const zero = zeroValue(options.schema);
  return {
    ...zero,
    apiVersion: options.apiVersion,
    kind: options.kind ?? textOf(applied.kind),
  } as KubeObject;
}

function withManagers(object: KubeObject, entries: readonly ManagedFieldsEntry[] | undefined): KubeObject {
  const current = object.metadata?.managedFields;
  if (entries === undefined && current === undefined) return object;
  const { managedFields: _, ...metadata } = object.metadata ?? {};
  return {
    ...object,
    metadata: entries === undefined ? metadata : { ...metadata, managedFields: entries },
  };
}

function gvkText(object: Readonly<Record<string, unknown>>): string {
  const { group, version } = parseApiVersion(textOf(object.apiVersion));
  return `${group}/${version}, Kind=${textOf(object.kind)}`;
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function describe(object: KubeObject): string {
  const { namespace = '', name = '' } = object.metadata ?? {};
  return `${namespace}/${name}; ${gvkText(object)}`;
}

const unclassified = (message: string): StatusError => new StatusError(500, '', message);
