/**
 * The typed client: what every component and user code talks to. It works over any `ApiEndpoint`: the API server
 * itself in process, or HTTPS (`httpEndpoint`).
 */
import type { Draft } from '#api';
import type {
  DeleteOptions,
  GetOptions,
  KubeList,
  KubeObject,
  ListOptions,
  PatchOptions,
  PatchType,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '#machinery';

/** A resource with its TypeScript type: `resources.pods` is `ResourceRef<coreV1.Pod>`. */
export interface ResourceRef<T> {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Carries the type; never set. */
  readonly __type?: T;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface Client {
  /** Cluster-scoped, or across all namespaces. */
  resource<T>(ref: ResourceRef<T>): ResourceClient<T>;
  resource<T>(ref: ResourceRef<T>, namespace: string): ResourceClient<T>;
}

/** Every method throws `StatusError`. Returned objects are shared: never mutate them. */
export interface ResourceClient<T> {
  get(name: string, options?: GetOptions & CallOptions): Promise<T>;
  list(options?: ListOptions & CallOptions): Promise<KubeList<T>>;
  watch(options?: WatchOptions & CallOptions): Promise<AsyncIterable<WatchEvent<T>>>;
  create(object: Draft<T>, options?: WriteOptions & CallOptions): Promise<T>;
  /** Optimistic: carries `metadata.resourceVersion`; a stale one throws Conflict. */
  update(object: T, options?: WriteOptions & CallOptions): Promise<T>;
  updateStatus(object: T, options?: WriteOptions & CallOptions): Promise<T>;
  patch(
    name: string,
    type: PatchType,
    patch: unknown,
    options?: PatchOptions & CallOptions & { readonly subresource?: string },
  ): Promise<T>;
  /** Server-side apply; `fieldManager` is required. */
  apply(
    name: string,
    object: unknown,
    options: PatchOptions & CallOptions & { readonly fieldManager: string; readonly subresource?: string },
  ): Promise<T>;
  delete(name: string, options?: DeleteOptions & CallOptions): Promise<void>;
  deleteCollection(options?: DeleteOptions & ListOptions & CallOptions): Promise<void>;
  /** Any other subresource: `scale`, `binding`, `eviction`, `token`. */
  createSubresource<R = KubeObject>(
    name: string,
    subresource: string,
    body: unknown,
    options?: CallOptions,
  ): Promise<R>;
  getSubresource<R = KubeObject>(name: string, subresource: string, options?: CallOptions): Promise<R>;
  updateSubresource<R = KubeObject>(
    name: string,
    subresource: string,
    body: unknown,
    options?: WriteOptions & CallOptions,
  ): Promise<R>;
}
