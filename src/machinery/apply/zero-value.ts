/**
 * The JSON of a built-in type of which nothing is set. Before an object exists, this is what it is compared with:
 * structs that are always there (`spec`, `status`) do not count as set by whoever creates it.
 */
import type { FieldSchema, Schema, StructSchema } from '../schema.ts';

const zeroValues = new WeakMap<StructSchema, Readonly<Record<string, unknown>>>();

/** `{}` for a custom resource: nothing in it is always there. */
export function zeroValue(schema: StructSchema): Readonly<Record<string, unknown>> {
  let zero = zeroValues.get(schema);
  if (zero === undefined) {
    zero = schema.name === '' ? {} : zeroStruct(schema, 0);
    zeroValues.set(schema, zero);
  }
  return zero;
}

/** Types contain themselves only through pointers and lists; the depth is a guard against a wrong schema. */
const MAX_DEPTH = 32;

function zeroStruct(schema: StructSchema, depth: number): Readonly<Record<string, unknown>> {
  const zero: Record<string, unknown> = {};
  if (depth > MAX_DEPTH) return zero;
  for (const field of schema.fields) {
    const value = zeroField(field, depth);
    if (value !== undefined) zero[field.name] = value;
  }
  return zero;
}

function zeroField(field: FieldSchema, depth: number): unknown {
  if (field.omitZero || (field.omitEmpty && field.pointer)) return undefined;
  if (field.pointer) return null;
  if (field.schema.kind === 'struct') return zeroStruct(field.schema, depth + 1);
  return field.omitEmpty ? undefined : zeroScalar(field.schema);
}

function zeroScalar(schema: Schema): unknown {
  if (schema.kind !== 'scalar') return null;
  switch (schema.type) {
    case 'string':
      return '';
    case 'boolean':
      return false;
    case 'int32':
    case 'int64':
    case 'uint32':
    case 'float64':
    case 'int-or-string':
      return 0;
    case 'quantity':
      return '0';
    case 'duration':
      return '0s';
    default:
      return null;
  }
}
