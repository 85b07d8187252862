/**
 * What Go prints for a field that is not there: `omitempty` leaves out empty strings, zeros, nil pointers and
 * empty lists and maps, but never a struct that is not a pointer (`status: {}`, `lastProbeTime: null`).
 */
import type { FieldSchema, Schema, StructSchema } from '../schema.ts';

/** Go structs with a JSON form of their own: `omitempty` does not leave them out. */
const STRUCT_SCALARS: Readonly<Record<string, unknown>> = {
  time: null,
  microtime: null,
  quantity: '0',
  duration: '0s',
  'int-or-string': 0,
};

/** True when the field is printed even when nobody set it. */
export function isAlwaysPrinted(field: FieldSchema): boolean {
  if (field.omitZero) return false;
  if (!field.omitEmpty) return true;
  if (field.pointer) return false;
  const { schema } = field;
  if (schema.kind === 'struct' || schema.kind === 'any') return true;
  return schema.kind === 'scalar' && schema.type in STRUCT_SCALARS;
}

const zeroStructs = new WeakMap<StructSchema, object>();

/** Frozen and shared: every pod template without metadata has the same `{}`. */
export function zeroStruct(schema: StructSchema): object {
  const known = zeroStructs.get(schema);
  if (known !== undefined) return known;
  const zero: Record<string, unknown> = {};
  for (const field of schema.fields) if (isAlwaysPrinted(field)) zero[field.name] = zeroOf(field);
  Object.freeze(zero);
  zeroStructs.set(schema, zero);
  return zero;
}

/** The JSON of the Go zero value of a schema that is not behind a pointer. */
export function zeroValue(schema: Schema): unknown {
  switch (schema.kind) {
    case 'struct':
      return zeroStruct(schema);
    case 'list':
    case 'map':
    case 'any':
      return null;
    case 'scalar':
      if (schema.type in STRUCT_SCALARS) return STRUCT_SCALARS[schema.type];
      if (schema.type === 'string') return '';
      if (schema.type === 'boolean') return false;
      return schema.type === 'bytes' ? null : 0;
    default:
      return schema satisfies never;
  }
}

export const zeroOf = (field: FieldSchema): unknown => (field.pointer ? null : zeroValue(field.schema));
