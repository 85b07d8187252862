/**
 * Admission: what happens to a write between decoding and validation (mutating), and right before it is stored
 * (validating). Plugins run in a fixed order; each sees the object as the ones before left it.
 */
import type { ApiEndpoint, KubeObject, ResourceTarget, UserInfo } from '#machinery';

export interface AdmissionAttributes {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  readonly target: ResourceTarget;
  readonly kind: string;
  readonly user: UserInfo;
  /** As it will be stored; undefined on DELETE. Frozen: return a changed copy. */
  readonly object: KubeObject | undefined;
  readonly oldObject: KubeObject | undefined;
  readonly dryRun: boolean;
  readonly warn: (text: string) => void;
  readonly signal: AbortSignal;
}

export interface AdmissionPlugin {
  /** Upstream's name, e.g. `NamespaceLifecycle`. */
  readonly name: string;
  /** Returns the object to go on with. @throws StatusError to refuse. */
  mutate?(attributes: AdmissionAttributes): KubeObject | undefined | Promise<KubeObject | undefined>;
  /** @throws StatusError to refuse. */
  validate?(attributes: AdmissionAttributes): void | Promise<void>;
}

/** What plugins need from the server beside its caches. */
export interface AdmissionDependencies {
  /** The server itself as its most privileged user: for a live look past the caches, and to write quota usage. */
  readonly endpoint: ApiEndpoint;
}
