/** A request as the endpoints take it, from HTTP and from in-process callers alike. */
import type {
  DeleteOptions,
  GetOptions,
  KubeList,
  KubeObject,
  ListOptions,
  PatchOptions,
  PatchType,
  ResourceTarget,
  Status,
  UserInfo,
} from '#machinery';
import type { BodyKind, RequestBody, ServedResource } from '../registry/served-resource.ts';
import type { CacheEntry } from '../watch-cache/cache-entry.ts';
import type { ListPage } from '../watch-cache/list-page.ts';

export type EndpointRequest = ResourceTarget &
  (
    | { readonly verb: 'get'; readonly options?: GetOptions }
    | { readonly verb: 'list'; readonly options?: ListOptions }
    | { readonly verb: 'create' | 'update'; readonly body: RequestBody; readonly options?: PatchOptions }
    | {
        readonly verb: 'patch';
        readonly patchType: PatchType;
        readonly body: RequestBody;
        readonly options?: PatchOptions;
      }
    | { readonly verb: 'delete'; readonly options?: DeleteOptions }
    | { readonly verb: 'deletecollection'; readonly options?: DeleteOptions; readonly list?: ListOptions }
  );

export interface Caller {
  readonly user: UserInfo;
  /** Field manager when the request names none. */
  readonly defaultManager: string;
  readonly warn: (text: string) => void;
  readonly signal: AbortSignal;
}

export type EndpointResult =
  | {
      readonly type: 'entry';
      readonly code: number;
      readonly entry: CacheEntry;
      readonly served: ServedResource;
    }
  | { readonly type: 'list'; readonly code: number; readonly page: ListPage; readonly served: ServedResource }
  /** `kind`: how the value is encoded; absent for a Status. */
  | {
      readonly type: 'value';
      readonly code: number;
      readonly object: KubeObject | Status;
      readonly kind?: BodyKind;
    };

export function listOf(served: ServedResource, page: ListPage): KubeList {
  return {
    kind: served.info.listKind,
    apiVersion: served.apiVersion,
    metadata: listMetadata(page),
    items: page.entries.map((entry) => entry.in(served)),
  };
}

export function listMetadata(page: ListPage): KubeList['metadata'] {
  return {
    resourceVersion: String(page.revision),
    ...(page.continueToken === undefined ? {} : { continue: page.continueToken }),
    ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
  };
}
