/** Nulls in a custom resource where its schema allows none. */
import { setOwn } from '../patch/json-value.ts';
import type { FieldSchema, Schema } from '../schema.ts';

/**
 * Takes out nulls of fields that are neither nullable nor have a default; a null with a default is left for the
 * defaulting to replace. To be called between decoding and defaulting.
 * @returns the same reference when there was none.
 */
export function pruneForbiddenNulls<T>(schema: Schema, value: T): T {
  // Only members are taken away, and only such as the type of a custom resource cannot promise.
  return prune(schema, value) as T;
}

function prune(schema: Schema, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return schema.kind === 'list' ? pruneItems(schema.items, value) : value;
  if (schema.kind === 'map') {
    return pruneMembers(value, () => ({ schema: schema.values }));
  }
  // Built-in types inside a custom resource (its metadata) have been decoded: they hold no such nulls.
  if (schema.kind !== 'struct' || schema.name !== '') return value;
  return pruneMembers(value, (name) => schema.byName.get(name));
}

function pruneItems(items: Schema, value: readonly unknown[]): readonly unknown[] {
  let result: unknown[] | undefined;
  for (const [i, item] of value.entries()) {
    const next = prune(items, item);
    if (next === item) continue;
    result ??= [...value];
    result[i] = next;
  }
  return result ?? value;
}

function pruneMembers(
  value: object,
  fieldOf: (name: string) => Pick<FieldSchema, 'schema' | 'default'> | undefined,
): object {
  let result: Record<string, unknown> | undefined;
  for (const [name, member] of Object.entries(value)) {
    const field = fieldOf(name);
    if (field === undefined) continue;
    if (member === null) {
      if (field.schema.nullable === true || field.default !== undefined) continue;
      result ??= { ...value };
      delete result[name];
      continue;
    }
    const next = prune(field.schema, member);
    if (next === member) continue;
    result ??= { ...value };
    setOwn(result, name, next);
  }
  return result ?? value;
}
