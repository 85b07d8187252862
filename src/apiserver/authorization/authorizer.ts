import type { UserInfo } from '#machinery';

/** What is asked, as SubjectAccessReview carries it. Either a resource or a path. */
export interface AuthorizationAttributes {
  readonly user: UserInfo;
  readonly verb: string;
  /** With `path` undefined this is a resource request. */
  readonly group?: string;
  readonly version?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly path?: string;
  /** Parsed selectors of list, watch and deletecollection, for the Node authorizer. */
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}

export type Decision =
  | { readonly verdict: 'allow'; readonly reason: string }
  | { readonly verdict: 'deny'; readonly reason: string }
  /** Ask the next one; when all abstain the request is refused. */
  | { readonly verdict: 'no-opinion'; readonly reason: string };

export interface Authorizer {
  /** Synchronous: everything it needs is in caches fed by watches. */
  authorize(attributes: AuthorizationAttributes): Decision;
}
