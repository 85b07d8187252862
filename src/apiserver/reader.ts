/**
 * How the API server's own parts (authorizers, admission, token checks) read objects: straight from the watch
 * caches, synchronously, never through HTTP. Objects are in their storage version.
 */
import type { GroupVersionResource, KubeObject } from '#machinery';

export interface CacheReader {
  get<T = KubeObject>(
    gr: Pick<GroupVersionResource, 'group' | 'resource'>,
    namespace: string,
    name: string,
  ): T | undefined;
  /** All of a resource, or of one namespace of it. Order is by key. */
  list<T = KubeObject>(
    gr: Pick<GroupVersionResource, 'group' | 'resource'>,
    namespace?: string,
  ): readonly T[];
  /** Calls back after every change of the resource, with the object before and after (undefined: not there). */
  onChange(
    gr: Pick<GroupVersionResource, 'group' | 'resource'>,
    callback: (before: KubeObject | undefined, after: KubeObject | undefined) => void,
  ): () => void;
}
