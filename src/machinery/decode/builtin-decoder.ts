/**
 * Decoding built-in kinds: a value of JSON becomes what Go prints after decoding and encoding it.
 *
 * Each struct is compiled once, on first use, into a table of field decoders. A decode then walks the keys that
 * are there (objects are sparse: a Volume has 30 fields and uses two), keeps what it decoded sorted by the
 * field's place, and writes the new object in one go, with the fields that Go always prints merged in. Generated
 * code (`new Function`) was not needed to stay well under the time of JSON.parse.
 */
import type { AnySchema, FieldSchema, ListSchema, MapSchema, Schema, StructSchema } from '../schema.ts';
import { copyJson, setKey } from './copy-json.ts';
import type { DecodeContext, FieldStep } from './decode-context.ts';
import { goScalarType, scalarDecoders } from './scalar-decoders.ts';
import { isAlwaysPrinted, zeroOf, zeroValue } from './zero-value.ts';

/** Gives `undefined` for what is not printed. Null never gets here. */
type Decoder = (value: unknown, context: DecodeContext) => unknown;

interface CompiledField extends FieldStep {
  readonly place: number;
  decode: Decoder;
}

interface CompiledStruct {
  readonly goName: string;
  readonly byName: ReadonlyMap<string, CompiledField>;
  /** Sorted by place. */
  readonly always: readonly { readonly place: number; readonly name: string; readonly value: unknown }[];
}

const lastName = (openApiName: string): string => openApiName.slice(openApiName.lastIndexOf('.') + 1);
/** `io.k8s.api.core.v1.PodSpec` → `v1.PodSpec` */
const goName = (schema: StructSchema): string => schema.name.split('.').slice(-2).join('.');

/** The Go type as `reflect` prints it, for messages. */
function goTypeOf(schema: Schema, named?: string): string {
  switch (schema.kind) {
    case 'struct':
      return goName(schema);
    case 'list':
      return `[]${goTypeOf(schema.items, named)}`;
    case 'map':
      return `map[string]${goTypeOf(schema.values, named)}`;
    case 'any':
      return 'interface {}';
    case 'scalar':
      if (schema.type === 'quantity') return 'resource.Quantity';
      if (schema.type === 'int-or-string') return 'intstr.IntOrString';
      if (schema.type === 'time') return 'v1.Time';
      return schema.type === 'microtime' ? 'v1.MicroTime' : (named ?? goScalarType(schema.type));
    default:
      return schema satisfies never;
  }
}

const compiled = new WeakMap<StructSchema, CompiledStruct>();

function compileStruct(schema: StructSchema): CompiledStruct {
  const known = compiled.get(schema);
  if (known !== undefined) return known;
  const struct: CompiledStruct = {
    goName: goName(schema),
    byName: new Map(schema.fields.map((field, place) => [field.name, compileField(schema, field, place)])),
    always: schema.fields
      .map((field, place) => ({ field, place }))
      .filter(({ field }) => isAlwaysPrinted(field))
      .map(({ field, place }) => ({ place, name: field.name, value: zeroOf(field) })),
  };
  compiled.set(schema, struct);
  return struct;
}

function compileField(owner: StructSchema, field: FieldSchema, place: number): CompiledField {
  const through = (field.protoInline ?? []).map((inline) => lastName(inline.typeName));
  const result: CompiledField = {
    name: field.name,
    errorName: [...through, field.name].join('.'),
    ownerName: lastName(owner.name),
    place,
    // Resolved on first use: schemas can be recursive, and most fields of most kinds are never seen.
    decode: (value, context) => {
      result.decode = fieldDecoder(owner, field);
      return result.decode(value, context);
    },
  };
  return result;
}

/**
 * Upstream stores these as JSON. Everything else goes through protobuf on its way to the store, which knows no
 * difference between an empty list and none: what was `[]` is read as null.
 */
const STORED_AS_JSON = /^io\.k8s\.(apiextensions-apiserver|kube-aggregator)\./;

function fieldDecoder(owner: StructSchema, field: FieldSchema): Decoder {
  const decode = valueDecoder(field.schema, field.goType);
  const { schema } = field;
  const keepsZero = field.pointer || !field.omitEmpty || schema.kind === 'struct' || schema.kind === 'any';
  if (schema.kind === 'scalar') {
    if (schema.type === 'time' || schema.type === 'microtime') {
      // A zero time is nil to a plain field, and prints null behind a pointer.
      return field.pointer ? (value, context) => decode(value, context) ?? null : decode;
    }
    if (keepsZero || typeof zeroValue(schema) === 'object' || schema.type === 'quantity') return decode;
    if (schema.type === 'int-or-string' || schema.type === 'duration') return decode;
    return (value, context) => decode(value, context) || undefined;
  }
  if (schema.kind === 'struct' || schema.kind === 'any' || field.pointer) return decode;
  if (!field.omitEmpty && STORED_AS_JSON.test(owner.name)) return decode;
  const none = field.omitEmpty ? undefined : null;
  if (schema.kind === 'list') {
    return (value, context) => {
      const list = decode(value, context) as readonly unknown[];
      return list.length === 0 ? none : list;
    };
  }
  return (value, context) => {
    const map = decode(value, context) as object;
    for (const _ in map) return map;
    return none;
  };
}

function valueDecoder(schema: Schema, goType?: string): Decoder {
  switch (schema.kind) {
    case 'scalar': {
      const decode = scalarDecoders[schema.type];
      const named = schema.type === 'string' && goType !== undefined ? goType : goScalarType(schema.type);
      return (value, context) => decode(value, context, named);
    }
    case 'struct':
      return structDecoder(schema);
    case 'list':
      return listDecoder(schema, goType);
    case 'map':
      return mapDecoder(schema);
    case 'any':
      return anyDecoder(schema);
    default:
      return schema satisfies never;
  }
}

function structDecoder(schema: StructSchema): Decoder {
  let struct: CompiledStruct | undefined;
  return (value, context) => {
    struct ??= compileStruct(schema);
    return decodeStruct(struct, value, context);
  };
}

function decodeStruct(
  struct: CompiledStruct,
  value: unknown,
  context: DecodeContext,
): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw context.mismatch(value, struct.goName);
  }
  const input = value as Readonly<Record<string, unknown>>;
  const { scratchFields, scratchValues } = context;
  const base = context.scratchTop;
  for (const key in input) {
    const field = struct.byName.get(key);
    if (field === undefined) {
      context.unknownField(key);
      continue;
    }
    context.met(key);
    const raw = input[key];
    if (raw === null || raw === undefined) continue;
    context.enter(field);
    const decoded = field.decode(raw, context);
    context.leave();
    if (decoded === undefined) continue;
    // Insertion from the end: keys mostly come in order.
    let at = context.scratchTop++;
    while (at > base && (scratchFields[at - 1] as CompiledField).place > field.place) {
      scratchFields[at] = scratchFields[at - 1];
      scratchValues[at] = scratchValues[at - 1];
      at--;
    }
    scratchFields[at] = field;
    scratchValues[at] = decoded;
  }
  const out: Record<string, unknown> = {};
  const { always } = struct;
  let next = 0;
  for (let i = base; i < context.scratchTop; i++) {
    const field = scratchFields[i] as CompiledField;
    for (let zero = always[next]; zero !== undefined && zero.place <= field.place; zero = always[++next]) {
      if (zero.place < field.place) out[zero.name] = zero.value;
    }
    out[field.name] = scratchValues[i];
    scratchValues[i] = undefined;
  }
  for (let zero = always[next]; zero !== undefined; zero = always[++next]) out[zero.name] = zero.value;
  context.scratchTop = base;
  return out;
}

function listDecoder(schema: ListSchema, goType?: string): Decoder {
  let decode: Decoder | undefined;
  const goName = goTypeOf(schema, goType);
  return (value, context) => {
    if (!Array.isArray(value)) throw context.mismatch(value, goName);
    decode ??= valueDecoder(schema.items, goType);
    const items = value as readonly unknown[];
    const out: unknown[] = [];
    for (let i = 0; i < items.length; i++) {
      const item = items[i];
      context.enter(i);
      const decoded = item === null || item === undefined ? undefined : decode(item, context);
      context.leave();
      out.push(decoded === undefined ? zeroValue(schema.items) : decoded);
    }
    return out;
  };
}

function mapDecoder(schema: MapSchema): Decoder {
  let decode: Decoder | undefined;
  const goName = goTypeOf(schema);
  return (value, context) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw context.mismatch(value, goName);
    decode ??= valueDecoder(schema.values);
    const input = value as Readonly<Record<string, unknown>>;
    const out: Record<string, unknown> = {};
    for (const key of sortedKeys(input)) {
      const item = input[key];
      context.met(key);
      context.enter(key);
      const decoded = item === null || item === undefined ? undefined : decode(item, context);
      context.leave();
      setKey(out, key, decoded === undefined ? zeroValue(schema.values) : decoded);
    }
    return out;
  };
}

function sortedKeys(input: object): readonly string[] {
  const keys = Object.keys(input);
  for (let i = 1; i < keys.length; i++) {
    if ((keys[i - 1] ?? '') > (keys[i] ?? '')) return keys.sort();
  }
  return keys;
}

function anyDecoder(schema: AnySchema): Decoder {
  switch (schema.wire) {
    case 'schema-or-array':
    case 'schema-or-bool':
    case 'schema-or-strings':
      return alternativeDecoder(schema);
    default:
      return (value) => copyJson(value, false);
  }
}

/** The nested schema has a decoder of its own in Go, one that is never strict: no problems from inside it. */
function alternativeDecoder(schema: AnySchema): Decoder {
  let struct: Decoder | undefined;
  const decodeNested = (value: unknown, context: DecodeContext): unknown => {
    if (schema.alternative === undefined) return copyJson(value, false);
    struct ??= structDecoder(schema.alternative);
    const { length } = context.problems ?? [];
    const decoded = struct(value, context);
    if (context.problems !== undefined) context.problems.length = length;
    return decoded;
  };
  return (value, context) => {
    if (schema.wire === 'schema-or-bool' && typeof value === 'boolean') return value;
    if (!Array.isArray(value)) return decodeNested(value, context);
    if (schema.wire === 'schema-or-strings') return copyJson(value, false);
    return value.map((item) => decodeNested(item, context));
  };
}

/** Decodes a whole object of a built-in kind. @throws DecodeError */
export function decodeBuiltin(
  schema: StructSchema,
  input: unknown,
  context: DecodeContext,
): Record<string, unknown> {
  return decodeStruct(compileStruct(schema), input, context);
}
