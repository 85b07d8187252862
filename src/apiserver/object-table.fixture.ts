import type { GroupVersionResource, KubeObject } from '#machinery';
import type { CacheReader } from './reader.ts';

type Resource = Pick<GroupVersionResource, 'group' | 'resource'>;
type Listener = (before: KubeObject | undefined, after: KubeObject | undefined) => void;

const idOf = ({ group, resource }: Resource): string => `${group}/${resource}`;

/** A CacheReader over objects put into it by hand: what tests of authorizers and admission read from. */
export class ObjectTable implements CacheReader {
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #listeners = new Map<string, Set<Listener>>();

  put(resource: Resource, object: KubeObject): KubeObject {
    const table = this.#table(resource);
    const key = keyOf(object.metadata.namespace, object.metadata.name ?? '');
    const before = table.get(key);
    table.set(key, object);
    this.#tell(resource, before, object);
    return object;
  }

  delete(resource: Resource, namespace: string, name: string): void {
    const table = this.#table(resource);
    const before = table.get(keyOf(namespace, name));
    table.delete(keyOf(namespace, name));
    this.#tell(resource, before, undefined);
  }

  get<T = KubeObject>(resource: Resource, namespace: string, name: string): T | undefined {
    // Sound as in every CacheReader: the caller names the kind of the resource it asks for.
    return this.#table(resource).get(keyOf(namespace, name)) as T | undefined;
  }

  list<T = KubeObject>(resource: Resource, namespace?: string): readonly T[] {
    return [...this.#table(resource)]
      .filter(([key]) => namespace === undefined || key.startsWith(`${namespace}/`))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => object as T);
  }

  onChange(resource: Resource, callback: Listener): () => void {
    const id = idOf(resource);
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners.add(callback));
    return () => listeners.delete(callback);
  }

  #table(resource: Resource): Map<string, KubeObject> {
    const id = idOf(resource);
    let table = this.#objects.get(id);
    if (table === undefined) this.#objects.set(id, (table = new Map()));
    return table;
  }

  #tell(resource: Resource, before: KubeObject | undefined, after: KubeObject | undefined): void {
    for (const listener of this.#listeners.get(idOf(resource)) ?? []) listener(before, after);
  }
}

const keyOf = (namespace: string | undefined, name: string): string => `${namespace ?? ''}/${name}`;
