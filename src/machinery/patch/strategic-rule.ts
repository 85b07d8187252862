/** What the schema says about merging one field, found by the field's name. */
import type { Schema } from '../schema.ts';
import type { JsonObject } from './json-value.ts';
import { unclassifiedPatchError } from './patch-errors.ts';

export interface FieldRule {
  readonly strategy: 'merge' | 'replace' | undefined;
  /** '' when the list merges by value. */
  readonly mergeKey: string;
  /** Of the map's members, or of the list's items. */
  readonly schema: Schema;
}

/** The merge of maps, handed to the merge of lists: the two recurse into each other. */
export interface MergeContext {
  readonly mergeMap: (original: JsonObject, patch: JsonObject, schema: Schema) => JsonObject;
  readonly withoutDirectives: (value: unknown) => unknown;
}

/** @throws StatusError 500 when `parent` has no such field, or none that is a list where one is asked. */
export function fieldRule(parent: Schema, name: string, wanted: 'map' | 'list'): FieldRule {
  if (parent.kind !== 'struct') {
    throw unclassifiedPatchError(
      `merging an object in json but data type is not struct, instead is: ${goKind(parent)}`,
    );
  }
  const field = parent.byName.get(name);
  if (field === undefined) {
    const typeName = parent.name.slice(parent.name.lastIndexOf('.') + 1);
    throw unclassifiedPatchError(
      `unable to find api field in struct ${typeName} for the json field ${JSON.stringify(name)}`,
    );
  }
  const { schema } = field;
  if (schema.kind === 'list') {
    return {
      strategy: strategyOf(schema.patchStrategy),
      mergeKey: schema.patchMergeKey ?? '',
      schema: wanted === 'list' ? schema.items : schema,
    };
  }
  if (wanted === 'list') {
    throw unclassifiedPatchError('expected slice or array type, but got: struct');
  }
  return { strategy: strategyOf(field.patchStrategy), mergeKey: '', schema };
}

function strategyOf(strategies: readonly string[] | undefined): 'merge' | 'replace' | undefined {
  if (strategies?.includes('merge') === true) return 'merge';
  return strategies?.includes('replace') === true ? 'replace' : undefined;
}

function goKind(schema: Schema): string {
  if (schema.kind === 'list') return 'slice';
  if (schema.kind === 'scalar' && schema.type === 'string') return 'string';
  return schema.kind === 'map' ? 'map' : 'struct';
}
