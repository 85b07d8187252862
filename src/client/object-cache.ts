import { type InformerHandler, type Lister, objectKey } from './informer.ts';

interface CachedObject {
  readonly metadata: {
    readonly namespace?: string;
    readonly name?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
  };
}

/** Objects under one index value; the array is made once per change, however often it is read. */
class Bucket<T> {
  readonly objects = new Map<string, T>();
  #list: readonly T[] | undefined;

  list(): readonly T[] {
    this.#list ??= [...this.objects.values()];
    return this.#list;
  }

  changed(): void {
    this.#list = undefined;
  }
}

interface Index<T> {
  readonly keysOf: (object: T) => readonly string[];
  readonly buckets: Map<string, Bucket<T>>;
}

const NONE: readonly never[] = Object.freeze([]);
const BY_NAMESPACE = 'namespace';

/**
 * The state of one resource with its indexes and handlers. A change is in the cache and in every index before the
 * first handler hears of it; handlers run one after the other, in the order they were added.
 */
export class ObjectCache<T extends CachedObject> implements Lister<T> {
  readonly #all = new Bucket<T>();
  readonly #indexes = new Map<string, Index<T>>();
  readonly #handlers = new Set<InformerHandler<T>>();
  readonly #onHandlerError: (error: unknown) => void;

  /** `onHandlerError` is told what a handler threw; the others still run. */
  constructor(onHandlerError: (error: unknown) => void) {
    this.#onHandlerError = onHandlerError;
    this.addIndex(BY_NAMESPACE, namespaceOf);
  }

  get(key: string): T | undefined {
    return this.#all.objects.get(key);
  }

  list(namespace?: string): readonly T[] {
    return namespace === undefined || namespace === ''
      ? this.#all.list()
      : this.byIndex(BY_NAMESPACE, namespace);
  }

  byIndex(index: string, value: string): readonly T[] {
    const found = this.#indexes.get(index);
    if (found === undefined) throw new Error(`no index ${JSON.stringify(index)}`);
    return found.buckets.get(value)?.list() ?? NONE;
  }

  addIndex(name: string, keysOf: (object: T) => readonly string[]): void {
    const known = this.#indexes.get(name);
    if (known !== undefined) {
      if (known.keysOf === keysOf) return;
      throw new Error(`index ${JSON.stringify(name)} already has another function`);
    }
    const index: Index<T> = { keysOf, buckets: new Map() };
    this.#indexes.set(name, index);
    for (const [key, object] of this.#all.objects) file(index, key, undefined, object);
  }

  addHandler(handler: InformerHandler<T>): () => void {
    this.#handlers.add(handler);
    for (const object of this.#all.list()) this.#call(() => handler.onAdd?.(object));
    return () => this.#handlers.delete(handler);
  }

  /** Added or changed. An object of the same name with another uid is the old one's deletion and a new one. */
  set(object: T): void {
    const key = objectKey(object);
    const old = this.#all.objects.get(key);
    if (old !== undefined && old.metadata.uid !== object.metadata.uid) {
      this.delete(key, old);
      this.#put(key, undefined, object);
      this.#tell((handler) => handler.onAdd?.(object));
      return;
    }
    this.#put(key, old, object);
    this.#tell((handler) => (old === undefined ? handler.onAdd?.(object) : handler.onUpdate?.(object, old)));
  }

  /** `last`: the state the deletion reported, when it did. */
  delete(key: string, last?: T): void {
    const old = this.#all.objects.get(key);
    if (old === undefined) return;
    this.#all.objects.delete(key);
    this.#all.changed();
    for (const index of this.#indexes.values()) file(index, key, old, undefined);
    this.#tell((handler) => handler.onDelete?.(last ?? old));
  }

  /** The whole state at once: what is missing was deleted, what has the same resourceVersion did not change. */
  replace(objects: readonly T[]): void {
    const keys = new Set(objects.map(objectKey));
    // Deleting the current key while iterating a Map is defined to be fine.
    for (const key of this.#all.objects.keys()) if (!keys.has(key)) this.delete(key);
    for (const object of objects) {
      const old = this.#all.objects.get(objectKey(object));
      const same =
        old !== undefined &&
        old.metadata.uid === object.metadata.uid &&
        old.metadata.resourceVersion === object.metadata.resourceVersion;
      if (!same) this.set(object);
    }
  }

  #put(key: string, old: T | undefined, object: T): void {
    this.#all.objects.set(key, object);
    this.#all.changed();
    for (const index of this.#indexes.values()) file(index, key, old, object);
  }

  #tell(call: (handler: InformerHandler<T>) => void): void {
    for (const handler of this.#handlers) this.#call(() => call(handler));
  }

  #call(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#onHandlerError(error);
    }
  }
}

function namespaceOf(object: CachedObject): readonly string[] {
  return [object.metadata.namespace ?? ''];
}

function file<T>(index: Index<T>, key: string, old: T | undefined, object: T | undefined): void {
  const before = old === undefined ? NONE : index.keysOf(old);
  const after = object === undefined ? NONE : index.keysOf(object);
  for (const value of before) {
    if (after.includes(value)) continue;
    const bucket = index.buckets.get(value);
    bucket?.objects.delete(key);
    bucket?.changed();
    if (bucket?.objects.size === 0) index.buckets.delete(value);
  }
  if (object === undefined) return;
  for (const value of after) {
    let bucket = index.buckets.get(value);
    if (bucket === undefined) {
      bucket = new Bucket();
      index.buckets.set(value, bucket);
    }
    bucket.objects.set(key, object);
    bucket.changed();
  }
}
