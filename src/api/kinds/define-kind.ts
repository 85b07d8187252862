/** Writing a kind's behaviour against its own type instead of `KubeObject`. */
import type { FieldError, KubeObject } from '#machinery';
import type { KindBehaviour, TableColumn, WriteContext } from '../kind-behaviour.ts';

/** A column whose cell reads the kind's own type. */
export interface KindColumn<T> {
  readonly name: string;
  readonly type?: TableColumn['type'];
  readonly format?: string;
  readonly description: string;
  /** Only with `-o wide`. */
  readonly wide?: boolean;
  readonly cell: (object: T, nowMs: number) => string | number | boolean | null;
}

export interface KindDefinition<T> {
  readonly group: string;
  readonly kind: string;
  readonly version?: string;
  readonly setDefaults?: (object: T) => T;
  readonly prepareForCreate?: (object: T, context: WriteContext) => T;
  readonly prepareForUpdate?: (object: T, old: T, context: WriteContext) => T;
  readonly prepareForStatusUpdate?: (object: T, old: T, context: WriteContext) => T;
  readonly validateCreate?: (object: T) => readonly FieldError[];
  readonly validateUpdate?: (object: T, old: T, subresource: string | undefined) => readonly FieldError[];
  readonly validateStatusUpdate?: (object: T, old: T) => readonly FieldError[];
  readonly warnings?: (object: T, old: T | undefined) => readonly string[];
  readonly bumpsGeneration?: (object: T, old: T) => boolean;
  readonly nameRule?: KindBehaviour['nameRule'];
  readonly selectableFields?: (object: T) => Readonly<Record<string, string>>;
  readonly columns?: readonly KindColumn<T>[];
  readonly gracePeriodSeconds?: (object: T, asked: number | undefined) => number;
}

/**
 * Sound because every object that reaches a behaviour was decoded by the kind's own schema, which has the shape of
 * the generated type.
 */
export function defineKind<T>(definition: KindDefinition<T>): KindBehaviour {
  const { columns, ...rest } = definition;
  const behaviour = rest as unknown as Omit<KindBehaviour, 'columns'>;
  return columns === undefined ? behaviour : { ...behaviour, columns: columns.map(toTableColumn) };
}

function toTableColumn<T>(column: KindColumn<T>): TableColumn {
  return {
    name: column.name,
    type: column.type ?? 'string',
    ...(column.format === undefined ? {} : { format: column.format }),
    description: column.description,
    priority: column.wide === true ? 1 : 0,
    cell: column.cell as unknown as (object: KubeObject, nowMs: number) => string | number | boolean | null,
  };
}
