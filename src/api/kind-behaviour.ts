/**
 * What is not in the schema facts: the behaviour of a kind. One file per kind (or family) in `api/kinds/`, all
 * collected in `api/kinds/index.ts`. A kind without an entry is served by the generic rules alone.
 *
 * Every function is pure. Objects given are frozen; functions that change an object return a changed copy.
 * Upstream's place for the same: `pkg/apis/<group>/{defaults,validation}` and `pkg/registry/<group>/<kind>/strategy.go`.
 */
import type { FieldError, KubeObject } from '#machinery';

export interface WriteContext {
  readonly now: string;
  readonly user: { readonly name: string; readonly groups: readonly string[] };
}

export interface TableColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format?: string;
  readonly description: string;
  /** 0: always shown; 1: with `-o wide`. */
  readonly priority: number;
  /** Cell value in the column's type; `now` in epoch milliseconds for ages. */
  readonly cell: (object: KubeObject, nowMs: number) => string | number | boolean | null;
}

export interface KindBehaviour {
  readonly group: string;
  readonly kind: string;
  /** Versions the functions read; absent: they read the storage version. */
  readonly version?: string;
  /** Defaults that a constant in the facts cannot express. Runs after the constant ones, on decode of any version. */
  readonly setDefaults?: (object: KubeObject) => KubeObject;
  /** Before validation on create: drop status, set generation, fill what the server owns. */
  readonly prepareForCreate?: (object: KubeObject, context: WriteContext) => KubeObject;
  /** Same on update; the generic rules already keep status from the old object on a main-resource write. */
  readonly prepareForUpdate?: (object: KubeObject, old: KubeObject, context: WriteContext) => KubeObject;
  readonly prepareForStatusUpdate?: (
    object: KubeObject,
    old: KubeObject,
    context: WriteContext,
  ) => KubeObject;
  /** Metadata is validated generically before. */
  readonly validateCreate?: (object: KubeObject) => readonly FieldError[];
  /** `subresource`: what was written to when it was not the object itself (`resize`, `scale`, …). */
  readonly validateUpdate?: (
    object: KubeObject,
    old: KubeObject,
    subresource: string | undefined,
  ) => readonly FieldError[];
  readonly validateStatusUpdate?: (object: KubeObject, old: KubeObject) => readonly FieldError[];
  readonly warnings?: (object: KubeObject, old: KubeObject | undefined) => readonly string[];
  /** True when `metadata.generation` must grow. Default: anything but metadata and status changed. */
  readonly bumpsGeneration?: (object: KubeObject, old: KubeObject) => boolean;
  /** How names are checked: default DNS-1123 subdomain. */
  readonly nameRule?: 'dns1123-subdomain' | 'dns1123-label' | 'dns1035-label' | 'path-segment' | 'any';
  /** Field selectors beyond metadata.name and metadata.namespace: path → value. */
  readonly selectableFields?: (object: KubeObject) => Readonly<Record<string, string>>;
  /** Beyond NAME and AGE; absent: NAME and AGE. The first column is NAME unless the list says otherwise. */
  readonly columns?: readonly TableColumn[];
  /** Deletion waits for `deletionGracePeriodSeconds` of this many (Pods); absent: at once. */
  readonly gracePeriodSeconds?: (object: KubeObject, asked: number | undefined) => number;
}
