/**
 * Decoding custom resources: a schemaless object is pruned by its structural schema. What does not fit a type
 * stays as it is, since validation answers for it (422, with all errors at once), not the decoder. Keys are in
 * the order in which Go prints a map.
 */
import type { Schema, StructSchema } from '../schema.ts';
import { decodeBuiltin } from './builtin-decoder.ts';
import { copyJson, setKey } from './copy-json.ts';
import type { DecodeContext, FieldStep } from './decode-context.ts';

/** Every object with an identity of its own has these, declared or not. */
const EMBEDDED_FIELDS = new Set(['apiVersion', 'kind', 'metadata']);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function pruneValue(schema: Schema, value: unknown, context: DecodeContext): unknown {
  switch (schema.kind) {
    case 'struct':
      if (!isObject(value)) return copyJson(value, true);
      return schema.name === '' ? pruneStruct(schema, value, context) : decodeBuiltin(schema, value, context);
    case 'list':
      if (!Array.isArray(value)) return copyJson(value, true);
      return value.map((item, i) => {
        context.enter(i);
        const pruned = pruneValue(schema.items, item, context);
        context.leave();
        return pruned;
      });
    case 'map': {
      if (!isObject(value)) return copyJson(value, true);
      const out: Record<string, unknown> = {};
      for (const key of Object.keys(value).sort()) {
        context.met(key);
        context.enter(key);
        setKey(out, key, pruneValue(schema.values, value[key], context));
        context.leave();
      }
      return out;
    }
    case 'any':
    case 'scalar':
      return copyJson(value, true);
    default:
      return schema satisfies never;
  }
}

/** Prunes an object by a struct of a custom resource's schema, and copies the rest. */
export function pruneStruct(
  schema: StructSchema,
  value: Readonly<Record<string, unknown>>,
  context: DecodeContext,
): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(value).sort()) {
    const field = schema.byName.get(key);
    if (field !== undefined) {
      context.met(key);
      const step: FieldStep = { name: key, errorName: key, ownerName: '' };
      context.enter(step);
      setKey(out, key, pruneValue(field.schema, value[key], context));
      context.leave();
    } else if (
      schema.preserveUnknownFields === true ||
      (schema.embeddedResource === true && EMBEDDED_FIELDS.has(key))
    ) {
      setKey(out, key, copyJson(value[key], true));
    } else {
      context.unknownField(key);
    }
  }
  return out;
}
