/** One served resource: a row of discovery. Built-in rows come from the facts; custom ones from their definition. */
import type { GroupVersionKind, StructSchema } from '#machinery';

export interface ResourceInfo {
  readonly group: string;
  readonly version: string;
  /** Lower-case plural of the URL. */
  readonly resource: string;
  readonly kind: string;
  readonly listKind: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** False for alpha and beta versions of built-in resources: upstream serves them only when asked to. */
  readonly servedByDefault: boolean;
  /** As discovery lists them, `watch` included. */
  readonly verbs: readonly string[];
  readonly schema: StructSchema;
  readonly subresources: readonly SubresourceInfo[];
  /** The version whose form is in the store; several versions of one resource share it. */
  readonly storage: {
    readonly group: string;
    readonly version: string;
    readonly resource: string;
    readonly kind: string;
  };
}

export interface SubresourceInfo {
  /** `status`, `scale`, `binding`, `log`, … */
  readonly name: string;
  readonly verbs: readonly string[];
  /** What its body is; differs from the parent's kind for `scale`, `eviction`, `token`, `binding`. */
  readonly gvk: GroupVersionKind;
}
