/** Constant defaults of a schema. Conditional ones are code (`KindBehaviour.setDefaults`) and run afterwards. */
import { setKey } from './decode/copy-json.ts';
import { zeroOf } from './decode/zero-value.ts';
import type { KubeObject } from './object.ts';
import type { FieldSchema, Schema, StructSchema } from './schema.ts';

type Fields = Readonly<Record<string, unknown>>;
/** Gives the same reference when nothing changed. */
type Defaulter = (value: unknown) => unknown;

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

interface CompiledDefaults {
  /** False when nothing in this struct or below it has a default: it is never walked. */
  readonly reachable: boolean;
  readonly own: readonly FieldSchema[];
  readonly nested: readonly { readonly name: string; readonly defaulter: Defaulter }[];
}

const compiled = new WeakMap<StructSchema, CompiledDefaults>();
/** Stands in for a type while its own fields are looked at: a recursive type is always worth walking. */
const IN_PROGRESS: CompiledDefaults = { reachable: true, own: [], nested: [] };

function compile(schema: StructSchema): CompiledDefaults {
  const known = compiled.get(schema);
  if (known !== undefined) return known;
  compiled.set(schema, IN_PROGRESS);
  const own = schema.fields.filter((field) => field.default !== undefined);
  const nested = schema.fields
    .filter((field) => hasDefaults(field.schema))
    .map((field) => ({ name: field.name, defaulter: defaulterOf(field.schema) }));
  const result: CompiledDefaults = { reachable: own.length + nested.length > 0, own, nested };
  compiled.set(schema, result);
  return result;
}

function hasDefaults(schema: Schema): boolean {
  switch (schema.kind) {
    case 'struct':
      return compile(schema).reachable;
    case 'list':
      return hasDefaults(schema.items);
    case 'map':
      return hasDefaults(schema.values);
    default:
      return false;
  }
}

function isAbsent(field: FieldSchema, value: unknown): boolean {
  if (value === undefined) return true;
  if (value === null) return field.schema.nullable !== true;
  // Go cannot tell a zero from an absent value where there is no pointer.
  return !field.pointer && !field.omitEmpty && value === zeroOf(field);
}

function defaultStruct(schema: StructSchema, value: Fields): Fields {
  const { own, nested, reachable } = compile(schema);
  if (!reachable) return value;
  let out: Record<string, unknown> | undefined;
  for (const field of own) {
    if (!isAbsent(field, value[field.name])) continue;
    out ??= { ...value };
    out[field.name] = field.default;
  }
  const before = out ?? value;
  for (const { name, defaulter } of nested) {
    const current = before[name];
    if (current === undefined) continue;
    const next = defaulter(current);
    if (next === current) continue;
    out ??= { ...value };
    out[name] = next;
  }
  return out === undefined ? value : inSchemaOrder(schema, out);
}

/** Added fields stand where Go prints them. */
function inSchemaOrder(schema: StructSchema, value: Fields): Fields {
  if (schema.name === '') return value;
  const out: Record<string, unknown> = {};
  for (const field of schema.fields) if (value[field.name] !== undefined) out[field.name] = value[field.name];
  return out;
}

const defaulters = new WeakMap<Schema, Defaulter>();

function defaulterOf(schema: Schema): Defaulter {
  let defaulter = defaulters.get(schema);
  if (defaulter === undefined) {
    defaulter = makeDefaulter(schema);
    defaulters.set(schema, defaulter);
  }
  return defaulter;
}

function makeDefaulter(schema: Schema): Defaulter {
  switch (schema.kind) {
    case 'struct':
      return (value) => (isObject(value) ? defaultStruct(schema, value) : value);
    case 'list': {
      const item = defaulterOf(schema.items);
      return (value) => (Array.isArray(value) ? mapItems(value, item) : value);
    }
    case 'map': {
      const item = defaulterOf(schema.values);
      return (value) => (isObject(value) ? mapEntries(value, item) : value);
    }
    default:
      return (value) => value;
  }
}

function mapItems(items: readonly unknown[], defaulter: Defaulter): readonly unknown[] {
  let out: unknown[] | undefined;
  for (let i = 0; i < items.length; i++) {
    const next = defaulter(items[i]);
    if (next === items[i]) continue;
    out ??= [...items];
    out[i] = next;
  }
  return out ?? items;
}

function mapEntries(entries: Fields, defaulter: Defaulter): Fields {
  let out: Record<string, unknown> | undefined;
  for (const key in entries) {
    const next = defaulter(entries[key]);
    if (next === entries[key]) continue;
    out ??= { ...entries };
    setKey(out, key, next);
  }
  return out ?? entries;
}

/**
 * Fills in the constant defaults (`FieldSchema.default`) of every struct that is there. A default applies where
 * the field is absent and its parent exists; a default that is an object is itself defaulted.
 * Copies along the path only, and gives the same reference when nothing changed.
 */
export function applyDefaults(schema: StructSchema, object: KubeObject): KubeObject {
  // Only fields are added, none is taken away: what was a KubeObject still is one.
  return defaultStruct(schema, object) as KubeObject;
}
