import type { KubeObject } from '#machinery';

/**
 * A stored object in the type of its kind. Sound because the caller knows the resource it came from, and what is
 * stored or admitted has been decoded by that resource's schema.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names the kind, as with CacheReader.get
export function typed<T>(object: KubeObject): T {
  // Generated types have no index signature, so TypeScript sees no overlap with KubeObject.
  return object as unknown as T;
}

/** The other way: any typed object is a KubeObject. Same reason for the detour. */
export function untyped(object: { readonly kind: string }): KubeObject {
  return object as unknown as KubeObject;
}
