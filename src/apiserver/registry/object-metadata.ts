/** The parts of `metadata` that belong to the server. */
import type { KubeObject, ObjectMetadata } from '#machinery';
import { badRequest, deepEqual } from '#machinery';
import { type Random, randomNameSuffix } from '#platform';

/** A generated name keeps this many characters of `generateName`, so that the suffix fits into 63. */
const MAX_GENERATED_PREFIX = 58;

/** A field that becomes undefined is left out, so that objects compare equal by what they print. */
export function withMetadata(object: KubeObject, change: Partial<ObjectMetadata>): KubeObject {
  const metadata: Record<string, unknown> = { ...object.metadata };
  for (const [field, value] of Object.entries(change)) {
    if (value === undefined) delete metadata[field];
    else metadata[field] = value;
  }
  return { ...object, metadata };
}

/** What a client cannot say about an object it creates. */
export function withoutSystemFields(object: KubeObject): KubeObject {
  const {
    uid: _uid,
    creationTimestamp: _created,
    deletionTimestamp: _deleted,
    deletionGracePeriodSeconds: _grace,
    ...metadata
  } = object.metadata;
  return { ...object, metadata };
}

export function withSystemFields(object: KubeObject, now: string, random: Random): KubeObject {
  return withMetadata(object, { uid: random.uuid(), creationTimestamp: now });
}

export function needsGeneratedName(object: KubeObject): boolean {
  return (object.metadata.generateName ?? '') !== '' && (object.metadata.name ?? '') === '';
}

export function withGeneratedName(object: KubeObject, random: Random): KubeObject {
  const base = (object.metadata.generateName ?? '').slice(0, MAX_GENERATED_PREFIX);
  return withMetadata(object, { name: `${base}${randomNameSuffix(random)}` });
}

/**
 * The namespace of the request, put on the object. `expected` is undefined for cluster-scoped resources.
 * @throws StatusError 400 when the object names another namespace.
 */
export function inRequestNamespace(object: KubeObject, expected: string | undefined): KubeObject {
  const { namespace, ...metadata } = object.metadata;
  if (namespace === expected || (namespace === '' && expected === undefined)) return object;
  if (expected === undefined) return { ...object, metadata };
  if (namespace === undefined || namespace === '') return withMetadata(object, { namespace: expected });
  throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
}

/** @throws StatusError 400 when the body names another object than the URL, or none. */
export function checkName(object: KubeObject, name: string): KubeObject {
  const own = object.metadata.name ?? '';
  if (own === '') {
    throw badRequest(
      `the name of the object (${name} based on URL) was undeterminable: name must be provided`,
    );
  }
  if (own !== name) {
    throw badRequest(`the name of the object (${own}) does not match the name on the URL (${name})`);
  }
  return object;
}

/**
 * The object with the old managers when these are the same but for when they last wrote: to have written the same
 * again is no change.
 */
export function withoutNewTimes(object: KubeObject, old: KubeObject): KubeObject {
  const managers = object.metadata.managedFields ?? [];
  const known = old.metadata.managedFields ?? [];
  const isSame =
    managers !== known &&
    managers.length === known.length &&
    managers.every((entry, i) => deepEqual({ ...entry, time: known[i]?.time }, known[i]));
  return isSame ? withMetadata(object, { managedFields: old.metadata.managedFields }) : object;
}

/** Owner references that occur twice are dropped, with a warning as upstream words it. */
export function withoutDuplicateOwners(
  object: KubeObject,
  warn: (text: string) => void,
  afterAdmission: boolean,
): KubeObject {
  const owners = object.metadata.ownerReferences;
  if (owners === undefined || owners.length < 2) return object;
  const seen = new Map<string, (typeof owners)[number]>();
  const duplicates = new Set<string>();
  for (const owner of owners) {
    const text = JSON.stringify(owner);
    if (seen.has(text)) duplicates.add(owner.uid);
    else seen.set(text, owner);
  }
  if (duplicates.size === 0) return object;
  warn(
    `.metadata.ownerReferences contains duplicate entries${afterAdmission ? ' after mutating admission happens' : ''}; ` +
      'API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; ' +
      `please fix your requests; duplicate UID(s) observed: ${[...duplicates].join(', ')}`,
  );
  return withMetadata(object, { ownerReferences: [...seen.values()] });
}
