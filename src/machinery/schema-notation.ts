/**
 * Schemas written by hand, for tests and for the few types no table describes:
 * `struct('Spec', { replicas: scalar('int32'), ports: mapList(struct('Port', {…}), ['name']) })`.
 */
import type {
  FieldSchema,
  ListSchema,
  MapSchema,
  ScalarSchema,
  ScalarType,
  Schema,
  StructSchema,
} from './schema.ts';

type FieldNotation = Schema | { readonly schema: Schema; readonly field: Partial<FieldSchema> };

export const scalar = (type: ScalarType): ScalarSchema => ({ kind: 'scalar', type });
export const text = scalar('string');
export const anything: Schema = { kind: 'any' };
export const mapOf = (values: Schema, mapType?: 'granular' | 'atomic'): MapSchema => ({
  kind: 'map',
  values,
  ...(mapType === undefined ? {} : { mapType }),
});
export const listOf = (items: Schema, more: Partial<ListSchema> = {}): ListSchema => ({
  kind: 'list',
  items,
  ...more,
});
export const setOf = (items: Schema): ListSchema =>
  listOf(items, { listType: 'set', patchStrategy: ['merge'] });

/** A list of maps merged by `keys` in apply and by the first of them in strategic merge. */
export const mapList = (items: Schema, keys: readonly string[], more: Partial<ListSchema> = {}): ListSchema =>
  listOf(items, {
    listType: 'map',
    listMapKeys: keys,
    patchStrategy: ['merge'],
    ...(keys[0] === undefined ? {} : { patchMergeKey: keys[0] }),
    ...more,
  });

/** A field with more to say than its schema: `{ default: 'TCP' }`, `{ required: true }`. */
export const withField = (schema: Schema, field: Partial<FieldSchema>): FieldNotation => ({ schema, field });

export function struct(
  name: string,
  fields: Readonly<Record<string, FieldNotation>>,
  more: Partial<StructSchema> = {},
): StructSchema {
  const rows = Object.entries(fields).map(([fieldName, notation]): FieldSchema => {
    const { schema, field } = 'kind' in notation ? { schema: notation, field: {} } : notation;
    return {
      name: fieldName,
      schema,
      required: false,
      omitEmpty: true,
      omitZero: false,
      pointer: false,
      protoNumber: 0,
      ...field,
    };
  });
  return { kind: 'struct', name, fields: rows, byName: new Map(rows.map((row) => [row.name, row])), ...more };
}
