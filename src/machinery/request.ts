/**
 * One request to the API, free of HTTP: what an in-process client hands to the API server directly and what
 * the HTTP layer builds from a URL. Verbs and attributes are those that authorization sees.
 */
import type { KubeList, KubeObject } from './object.ts';
import type { Status } from './status-error.ts';

export interface UserInfo {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export type PatchType =
  | 'application/json-patch+json'
  | 'application/merge-patch+json'
  | 'application/strategic-merge-patch+json'
  | 'application/apply-patch+yaml';

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';
export type PropagationPolicy = 'Orphan' | 'Background' | 'Foreground';

/** Where a request goes. `namespace` is absent for cluster-scoped resources and for lists across namespaces. */
export interface ResourceTarget {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
}

export interface GetOptions {
  /** Absent: the newest; `"0"`: any; n: not older than n. */
  readonly resourceVersion?: string;
}

export interface ListOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan';
  readonly timeoutSeconds?: number;
}

export interface WatchOptions extends ListOptions {
  readonly allowWatchBookmarks?: boolean;
  /** WatchList (KEP-3157): the state as ADDED events, then a bookmark annotated `k8s.io/initial-events-end`. */
  readonly sendInitialEvents?: boolean;
}

export interface WriteOptions {
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  readonly fieldValidation?: FieldValidation;
}

export interface PatchOptions extends WriteOptions {
  /** Server-side apply: take fields that others own. */
  readonly force?: boolean;
}

export interface DeleteOptions {
  readonly dryRun?: boolean;
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: PropagationPolicy;
  readonly orphanDependents?: boolean;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

export type ResourceRequest = ResourceTarget &
  (
    | { readonly verb: 'get'; readonly options?: GetOptions }
    | { readonly verb: 'list'; readonly options?: ListOptions }
    | { readonly verb: 'create'; readonly body: unknown; readonly options?: WriteOptions }
    | { readonly verb: 'update'; readonly body: unknown; readonly options?: WriteOptions }
    | {
        readonly verb: 'patch';
        readonly patchType: PatchType;
        readonly body: unknown;
        readonly options?: PatchOptions;
      }
    | { readonly verb: 'delete'; readonly options?: DeleteOptions }
    | { readonly verb: 'deletecollection'; readonly options?: DeleteOptions; readonly list?: ListOptions }
  );

export interface WatchRequest extends ResourceTarget {
  readonly verb: 'watch';
  readonly options?: WatchOptions;
}

export interface ResourceResponse {
  readonly code: number;
  /** Shared and frozen in spirit: see `KubeObject`. */
  readonly object: KubeObject | KubeList | Status;
  /** `Warning` header texts (RFC 9111, code 299). */
  readonly warnings: readonly string[];
}

export type WatchEvent<T = KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  /** Only `metadata.resourceVersion` (and the annotation that ends the initial events) counts. */
  | { readonly type: 'BOOKMARK'; readonly object: KubeObject }
  /** The watch is over; 410 means: list again. */
  | { readonly type: 'ERROR'; readonly object: Status };

/**
 * A Kubernetes API that can be asked. The API server is one (in process); the HTTP client is another.
 * Bodies are JSON-shaped values and are not mutated by the callee.
 * @throws StatusError for every failed request.
 */
export interface ApiEndpoint {
  request(request: ResourceRequest, options?: { readonly signal?: AbortSignal }): Promise<ResourceResponse>;
  /**
   * Resolves when the watch is accepted. The iteration ends when the server ends it (time-out, shutdown)
   * or the signal aborts; it throws only on transport failure. Leaving the loop closes the watch.
   * The server holds a bounded queue for it and ends the watch when the reader falls too far behind.
   */
  watch(
    request: WatchRequest,
    options?: { readonly signal?: AbortSignal },
  ): Promise<AsyncIterable<WatchEvent>>;
}
