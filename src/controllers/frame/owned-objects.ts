import { type Informer, objectKey } from '#client';
import type { OwnerReference } from '#machinery';
import type { Expectations } from './expectations.ts';
import { controllerOfObject } from './ownership.ts';

interface Owned {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
    readonly ownerReferences?: readonly OwnerReference[];
  };
}

export interface OwnedObjectsOptions<T extends Owned> {
  readonly owned: Informer<T>;
  /** Kind of the owners, and where they are found by key. */
  readonly ownerKind: string;
  readonly owners: Pick<Informer<Owned>, 'get'>;
  readonly enqueue: (ownerKey: string) => void;
  readonly expectations?: Expectations;
  /** Keys of owners that might adopt an object nobody owns. */
  readonly adopters?: (orphan: T) => readonly string[];
  /** Called for an owned object that changed, after its owner was enqueued. */
  readonly onChange?: (ownerKey: string, object: T, old: T) => void;
}

/**
 * Wakes the owner of whatever changes, and keeps its expectations. An object that has begun to be deleted counts as
 * gone, for no owner waits until its containers have ended. Returns the way to stop.
 */
export function watchOwned<T extends Owned>(options: OwnedObjectsOptions<T>): () => void {
  const { owned, enqueue, expectations, adopters } = options;
  const ownerOf = (object: T): string | undefined => ownerKey(options, object);
  const offer = (orphan: T): void => {
    for (const key of adopters?.(orphan) ?? []) enqueue(key);
  };
  const gone = (object: T): void => {
    const key = ownerOf(object);
    if (key === undefined) return;
    expectations?.deletionObserved(key, object.metadata.uid);
    enqueue(key);
  };
  return owned.addHandler({
    onAdd(object) {
      if (object.metadata.deletionTimestamp !== undefined) {
        gone(object);
        return;
      }
      if (controllerOfObject(object) === undefined) {
        offer(object);
        return;
      }
      const key = ownerOf(object);
      if (key === undefined) return;
      expectations?.creationObserved(key);
      enqueue(key);
    },
    onUpdate(object, old) {
      if (object.metadata.deletionTimestamp !== undefined) {
        gone(object);
        if (old.metadata.deletionTimestamp === undefined) gone(old);
        return;
      }
      const ownerChanged = controllerOfObject(object)?.uid !== controllerOfObject(old)?.uid;
      if (ownerChanged) {
        const before = ownerOf(old);
        if (before !== undefined) enqueue(before);
      }
      if (controllerOfObject(object) === undefined) {
        if (ownerChanged || object.metadata.labels !== old.metadata.labels) offer(object);
        return;
      }
      const key = ownerOf(object);
      if (key === undefined) return;
      enqueue(key);
      options.onChange?.(key, object, old);
    },
    onDelete: gone,
  });
}

/** Undefined when the owner is of another kind, unknown, or another object of the same name. */
function ownerKey<T extends Owned>(
  { ownerKind, owners }: OwnedObjectsOptions<T>,
  object: T,
): string | undefined {
  const reference = controllerOfObject(object);
  if (reference?.kind !== ownerKind) return undefined;
  const key = objectKey({ metadata: { namespace: object.metadata.namespace, name: reference.name } });
  return owners.get(key)?.metadata.uid === reference.uid ? key : undefined;
}
