/**
 * The table of schema facts as it is written down in `facts.json`: every built-in type of Kubernetes 1.36 with
 * field names, types, flags, protobuf numbers and merge rules. Only `schema-table.ts` and `builtin-resources.ts`
 * read it; everybody else sees `Schema` and `ResourceInfo`.
 */
import facts from './facts.json' with { type: 'json' };

/** What a field carries beyond name, type, flags and number. */
export interface FactExtras {
  /** patchStrategy, comma-separated */
  readonly ps?: string;
  /** patchMergeKey */
  readonly pk?: string;
  /** listType */
  readonly lt?: 'atomic' | 'set' | 'map';
  /** listMapKeys */
  readonly lk?: readonly string[];
  /** mapType */
  readonly mt?: 'atomic' | 'granular';
  /** default that upstream marks on the field */
  readonly d?: unknown;
  /** enum type, `core/v1.RestartPolicy` */
  readonly en?: string;
  /** the innermost list is a message of its own on the wire */
  readonly w?: number;
}

/** Flags: `p` pointer, `e` omitempty, `z` omitzero, `r` required, `I` embedded struct. */
export type FactRow = readonly [
  name: string,
  type: string,
  flags: string,
  protoNumber: number,
  extras?: FactExtras,
];

export type ResourceRow = readonly [kind: string, namespaced: 0 | 1, verbs: string, groupVersion?: string];

/** Owner, field or dotted path under it, value, and (when it is not unconditional) when. */
export type DefaultRow = readonly [owner: string, path: string, value: unknown, when?: string];

export interface Facts {
  /** package → OpenAPI name prefix and protobuf package */
  readonly pk: Readonly<Record<string, readonly [string, string]>>;
  readonly t: Readonly<Record<string, readonly [rows: readonly FactRow[], extras?: FactExtras]>>;
  /** named list types → what they are */
  readonly wraps: Readonly<Record<string, string>>;
  readonly enums: Readonly<Record<string, readonly string[]>>;
  /** `group/version|resource[/subresource]` */
  readonly res: Readonly<Record<string, ResourceRow>>;
  readonly defaults: readonly DefaultRow[];
}

// The compiler infers a type with one property per row; the shape above is what the table promises.
export const schemaFacts = facts as unknown as Facts;
