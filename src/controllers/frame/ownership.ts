/**
 * Who owns what. An object matches a controller by its labels and belongs to it by an owner reference with
 * `controller: true`; this keeps the two in step: matching orphans are adopted, owned ones that no longer match are
 * released.
 */
import { isInvalid, isNotFound, type OwnerReference } from '#machinery';

interface Owned {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
    readonly ownerReferences?: readonly OwnerReference[];
  };
}

interface Owner {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
}

/** The reference with which `owner` marks its objects. */
export function controllerReference(owner: Owner): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

export function controllerOfObject(object: Owned): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.controller === true);
}

export function isControlledBy(object: Owned, owner: Owner): boolean {
  return controllerOfObject(object)?.uid === owner.metadata.uid;
}

export interface ClaimOptions<T extends Owned> {
  readonly owner: Owner;
  readonly matches: (labels: Readonly<Record<string, string>> | undefined) => boolean;
  /**
   * Asked once, before the first adoption: reads the owner from the server, for adopting on behalf of an owner that is
   * gone or being deleted would leave orphans behind.
   */
  readonly readOwner: () => Promise<Owner>;
  /** Given to what is adopted, so that it cannot vanish before its owner has taken note. */
  readonly finalizers?: readonly string[];
  /** Writes a strategic merge patch of the object. */
  readonly patch: (object: T, patch: object) => Promise<unknown>;
}

/** Of `candidates`, those that belong to the owner now, adopting and releasing on the way. */
export async function claim<T extends Owned>(
  candidates: readonly T[],
  options: ClaimOptions<T>,
): Promise<readonly T[]> {
  const { owner, matches } = options;
  const claimed: T[] = [];
  let mayAdopt: Promise<void> | undefined;
  for (const object of candidates) {
    const reference = controllerOfObject(object);
    if (reference !== undefined) {
      if (reference.uid !== owner.metadata.uid) continue;
      if (matches(object.metadata.labels)) claimed.push(object);
      else if (owner.metadata.deletionTimestamp === undefined) await release(object, options);
      continue;
    }
    if (!canBeAdopted(object, owner) || !matches(object.metadata.labels)) continue;
    mayAdopt ??= assertAlive(options);
    await mayAdopt;
    if (await adopt(object, options)) claimed.push(object);
  }
  return claimed;
}

const canBeAdopted = (object: Owned, owner: Owner): boolean =>
  owner.metadata.deletionTimestamp === undefined && object.metadata.deletionTimestamp === undefined;

async function assertAlive<T extends Owned>({ owner, readOwner }: ClaimOptions<T>): Promise<void> {
  const live = await readOwner();
  const { name, uid } = owner.metadata;
  if (live.metadata.uid !== uid)
    throw new Error(`original ${owner.kind} ${name} is gone: got uid ${live.metadata.uid}, wanted ${uid}`);
  if (live.metadata.deletionTimestamp !== undefined)
    throw new Error(`${owner.kind} ${name} has just been deleted`);
}

/** False when the object is gone. */
async function adopt<T extends Owned>(
  object: T,
  { owner, finalizers, patch }: ClaimOptions<T>,
): Promise<boolean> {
  try {
    await patch(object, {
      metadata: {
        ownerReferences: [controllerReference(owner)],
        uid: object.metadata.uid,
        ...(finalizers === undefined ? {} : { finalizers }),
      },
    });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

async function release<T extends Owned>(object: T, { owner, patch }: ClaimOptions<T>): Promise<void> {
  try {
    await patch(object, {
      metadata: {
        ownerReferences: [{ $patch: 'delete', uid: owner.metadata.uid }],
        uid: object.metadata.uid,
      },
    });
  } catch (error) {
    // Gone, or no longer ours: what was wanted.
    if (!isNotFound(error) && !isInvalid(error)) throw error;
  }
}
