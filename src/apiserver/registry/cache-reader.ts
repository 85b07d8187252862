/** The API server's own view of its caches. */
import type { GroupResource, KubeObject } from '#machinery';
import type { CacheReader } from '../reader.ts';
import type { ResourceTable } from './resource-table.ts';
import type { StoredResource } from './stored-resource.ts';

/** Objects given out are of the type the caller says the resource has. */
/* oxlint-disable typescript/no-unnecessary-type-parameters -- the caller names the kind */
export class TableReader implements CacheReader {
  readonly #table: ResourceTable;

  constructor(table: ResourceTable) {
    this.#table = table;
  }

  get<T = KubeObject>(gr: GroupResource, namespace: string, name: string): T | undefined {
    const stored = this.#stored(gr);
    return stored?.cache.get(stored.keyOf(namespace, name))?.object as T | undefined;
  }

  list<T = KubeObject>(gr: GroupResource, namespace?: string): readonly T[] {
    const stored = this.#stored(gr);
    if (stored === undefined || stored.cache.size === 0) return [];
    const scope = namespace === '' || !stored.namespaced ? undefined : namespace;
    return Array.from(stored.cache.inNamespace(scope), (entry) => entry.object as T);
  }

  onChange(
    gr: GroupResource,
    callback: (before: KubeObject | undefined, after: KubeObject | undefined) => void,
  ): () => void {
    const stored = this.#stored(gr);
    return stored === undefined ? () => undefined : stored.cache.onChange(callback);
  }

  #stored(gr: GroupResource): StoredResource | undefined {
    return this.#table.findStored(gr);
  }
}
