/**
 * A schema as server-side apply reads it: which forms a value may take, and whether a list or map is merged item
 * by item or owned as a whole. Made once per schema.
 */
import type { ListSchema, MapSchema, ScalarType, Schema, StructSchema } from '../schema.ts';

export interface ApplyType {
  readonly scalar?: 'string' | 'numeric' | 'boolean' | 'untyped';
  readonly list?: ListForm;
  readonly map?: MapForm;
}

export interface ListForm {
  readonly atomic: boolean;
  /** Empty: a set, whose items are their own keys. */
  readonly keys: readonly string[];
  readonly items: ApplyType;
  /** Of a key that an item leaves out, or undefined. */
  readonly keyDefault: (key: string) => unknown;
}

export interface MapForm {
  readonly atomic: boolean;
  /** A declared field's type, else the type of undeclared ones, else undefined. */
  readonly typeOf: (name: string) => ApplyType | undefined;
  readonly declares: (name: string) => boolean;
  /** True for a map that declares nothing and takes anything. */
  readonly free: boolean;
}

/** Anything, owned as a whole. */
const UNTYPED: ApplyType = {
  scalar: 'untyped',
  list: atomicList(() => UNTYPED),
  map: { atomic: true, typeOf: () => UNTYPED, declares: () => false, free: true },
};

/** Anything; maps in it are merged, lists are owned as a whole. */
const DEDUCED: ApplyType = {
  scalar: 'untyped',
  list: atomicList(() => UNTYPED),
  map: { atomic: false, typeOf: () => DEDUCED, declares: () => false, free: true },
};

function atomicList(items: () => ApplyType): ListForm {
  return {
    atomic: true,
    keys: [],
    get items() {
      return items();
    },
    keyDefault: () => undefined,
  };
}

const closedTypes = new WeakMap<Schema, ApplyType>();
const openTypes = new WeakMap<Schema, ApplyType>();

/**
 * @param open true below a custom resource's `x-kubernetes-preserve-unknown-fields`: structs down from there take
 *   undeclared fields too.
 */
export function applyTypeOf(schema: Schema, open = false): ApplyType {
  const types = open ? openTypes : closedTypes;
  let type = types.get(schema);
  if (type === undefined) {
    type = makeType(schema, open);
    types.set(schema, type);
  }
  return type;
}

function makeType(schema: Schema, open: boolean): ApplyType {
  switch (schema.kind) {
    case 'scalar':
      return { scalar: scalarForm(schema.type) };
    case 'any':
      return schema.wire === 'raw-extension' ? UNTYPED : DEDUCED;
    case 'list':
      return { list: listForm(schema, open) };
    case 'map':
      return { map: mapForm(schema, open) };
    default:
      return { map: structForm(schema, open || schema.preserveUnknownFields === true) };
  }
}

function scalarForm(type: ScalarType): 'string' | 'numeric' | 'boolean' | 'untyped' {
  switch (type) {
    case 'string':
    case 'bytes':
    case 'duration':
      return 'string';
    case 'boolean':
      return 'boolean';
    case 'int32':
    case 'int64':
    case 'uint32':
    case 'float64':
      return 'numeric';
    default:
      return 'untyped';
  }
}

/** Built-in lists without a declared list type take their topology from the strategic merge tags. */
function listForm(schema: ListSchema, open: boolean): ListForm {
  const merges = schema.listType === undefined && schema.patchStrategy?.includes('merge') === true;
  const mergeKeys = schema.patchMergeKey === undefined ? [] : [schema.patchMergeKey];
  return {
    atomic: schema.listType === undefined ? !merges : schema.listType === 'atomic',
    keys: schema.listType === 'map' ? (schema.listMapKeys ?? []) : merges ? mergeKeys : [],
    get items() {
      return applyTypeOf(schema.items, open);
    },
    keyDefault: (key) => (schema.items.kind === 'struct' ? keyDefault(schema.items, key) : undefined),
  };
}

/** A built-in field that Go always prints defaults to its zero value, as OpenAPI says of it. */
function keyDefault(item: StructSchema, key: string): unknown {
  const field = item.byName.get(key);
  if (field === undefined || field.default !== undefined) return field?.default;
  const alwaysPrinted = item.name !== '' && !field.omitEmpty && !field.omitZero && !field.pointer;
  if (!alwaysPrinted || field.schema.kind !== 'scalar') return undefined;
  const form = scalarForm(field.schema.type);
  return form === 'string' ? '' : form === 'numeric' ? 0 : undefined;
}

function mapForm(schema: MapSchema, open: boolean): MapForm {
  return {
    atomic: schema.mapType === 'atomic',
    typeOf: () => applyTypeOf(schema.values, open),
    declares: () => false,
    free: false,
  };
}

function structForm(schema: StructSchema, open: boolean): MapForm {
  const undeclared = open || schema.fields.length === 0 ? DEDUCED : undefined;
  return {
    atomic: schema.mapType === 'atomic',
    typeOf: (name) => {
      const field = schema.byName.get(name);
      // A named type is described once for all its uses, so the openness of a user ends at its border.
      return field === undefined
        ? undeclared
        : applyTypeOf(field.schema, open && !(field.schema.kind === 'struct' && field.schema.name !== ''));
    },
    declares: (name) => schema.byName.has(name),
    free: schema.fields.length === 0,
  };
}

export type Form =
  | { readonly kind: 'map'; readonly map: MapForm }
  | { readonly kind: 'list'; readonly list: ListForm }
  | { readonly kind: 'scalar'; readonly scalar: NonNullable<ApplyType['scalar']> };

/** The form of `type` that `value` takes; for a value of none of its forms, the one to complain about. */
export function formFor(type: ApplyType, value: unknown): Form {
  if (typeof value === 'object' && value !== null) {
    if (Array.isArray(value)) {
      if (type.list !== undefined) return { kind: 'list', list: type.list };
    } else if (type.map !== undefined) {
      return { kind: 'map', map: type.map };
    }
  } else if (value !== undefined && value !== null && type.scalar !== undefined) {
    return { kind: 'scalar', scalar: type.scalar };
  }
  if (type.map !== undefined) return { kind: 'map', map: type.map };
  if (type.scalar !== undefined) return { kind: 'scalar', scalar: type.scalar };
  return { kind: 'list', list: type.list ?? atomicList(() => UNTYPED) };
}
