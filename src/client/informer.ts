/**
 * A cache of one resource kept true by list and watch, with handlers. Shared: one per resource and scope per
 * process (`InformerFactory`), whoever asks.
 *
 * Promised: for one object, handlers see every change they see in order, and the cache is never older than what the
 * handler is told. Not promised: that every intermediate state is seen, or any order between objects.
 */
import type { KubeObject } from '#machinery';
import type { ResourceRef } from './client.ts';

export interface InformerHandler<T> {
  onAdd?(object: T): void;
  onUpdate?(object: T, old: T): void;
  /** `object` is the last state known. */
  onDelete?(object: T): void;
}

export interface Lister<T> {
  /** Key `namespace/name`, or `name` when cluster-scoped. */
  get(key: string): T | undefined;
  list(namespace?: string): readonly T[];
  /** Objects that an index function filed under `value`. @throws for an index that was not added. */
  byIndex(index: string, value: string): readonly T[];
}

export interface Informer<T> extends Lister<T> {
  /** Handlers are told of everything already in the cache first. Returns the way to remove it again. */
  addHandler(handler: InformerHandler<T>): () => void;
  /** At any time. The same name twice with the same function is fine. @throws when the function is another one. */
  addIndex(name: string, keysOf: (object: T) => readonly string[]): void;
  /** Resolves when the first list is in the cache and its handlers have been called. */
  synced(options?: { readonly signal?: AbortSignal }): Promise<void>;
  readonly hasSynced: boolean;
}

export interface InformerFactory {
  for<T = KubeObject>(
    ref: ResourceRef<T>,
    scope?: { readonly namespace?: string; readonly labelSelector?: string; readonly fieldSelector?: string },
  ): Informer<T>;
  /** Starts all informers asked for so far (and later ones at once). */
  start(): void;
  stop(): Promise<void>;
}

/** `namespace/name`, or `name` for cluster-scoped objects. */
export function objectKey(object: {
  readonly metadata: { readonly namespace?: string; readonly name?: string };
}): string {
  const { namespace, name = '' } = object.metadata;
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;
}

export function splitKey(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/');
  return slash < 0
    ? { namespace: '', name: key }
    : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
