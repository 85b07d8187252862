/**
 * Resources and subresources that are computed, not stored: reviews, TokenRequest, Binding, Eviction.
 * The generic registry routes `create` on them here after authentication, authorization and decoding.
 */
import type { KubeObject, ResourceTarget, UserInfo } from '#machinery';

export interface VirtualRequest {
  readonly target: ResourceTarget;
  /** Decoded and defaulted in the version it was sent. */
  readonly body: KubeObject;
  readonly user: UserInfo;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

export interface VirtualResource {
  readonly group: string;
  readonly resource: string;
  /** `token` of serviceaccounts, `binding` of pods; absent for a resource of its own. */
  readonly subresource?: string;
  /** Returns the body of the 201 answer, in the request's version. @throws StatusError */
  create(request: VirtualRequest): Promise<KubeObject>;
}
