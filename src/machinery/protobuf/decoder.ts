/**
 * From the bytes Go writes to an object in the JSON shape Go would print. Fields it does not know are skipped, as
 * Go does; of a field that comes twice the last counts.
 */
import { setKey } from '../decode/copy-json.ts';
import { MAX_DEPTH } from '../decode/decode-context.ts';
import { isAlwaysPrinted, zeroOf, zeroValue } from '../decode/zero-value.ts';
import { formatNanos } from '../duration.ts';
import { canonicalQuantity } from '../quantity.ts';
import type { AnySchema, FieldSchema, ScalarSchema, Schema, StructSchema } from '../schema.ts';
import { formatInstant, formatMicroInstant } from '../timestamp.ts';
import { wireTypeOf } from './encoder.ts';
import { ProtobufError, type WireReader, WireType } from './wire-reader.ts';

/** Gives `undefined` for a time that is not set. */
type ValueReader = (reader: WireReader, depth: number) => unknown;

interface Slot {
  readonly place: number;
  readonly wireType: number;
  /** Merges what is read into what the slot holds (lists and maps grow). */
  readonly read: (reader: WireReader, depth: number, held: unknown) => unknown;
}

/** What a field number stands for: a field, or an embedded struct with numbers of its own. */
interface Entry {
  readonly slot?: Slot;
  readonly embedded?: Entries;
}

/** By field number, which are small and dense. */
type Entries = readonly (Entry | undefined)[];

interface CompiledMessage {
  readonly entries: Entries;
  readonly fields: readonly FieldSchema[];
  readonly always: readonly boolean[];
  readonly dropsZero: readonly boolean[];
  /** As many times undefined as there are fields, to copy. */
  readonly emptySlots: readonly unknown[];
}

const messages = new WeakMap<StructSchema, CompiledMessage>();

function compile(schema: StructSchema): CompiledMessage {
  const known = messages.get(schema);
  if (known !== undefined) return known;
  const message: CompiledMessage = {
    entries: compileEntries(
      schema.fields.map((field, place) => ({ field, place })),
      0,
    ),
    fields: schema.fields,
    always: schema.fields.map(isAlwaysPrinted),
    emptySlots: schema.fields.map(() => undefined),
    dropsZero: schema.fields.map((field) => field.omitEmpty && !field.pointer && !isAlwaysPrinted(field)),
  };
  messages.set(schema, message);
  return message;
}

interface PlacedField {
  readonly field: FieldSchema;
  readonly place: number;
}

function compileEntries(fields: readonly PlacedField[], level: number): Entries {
  const entries: (Entry | undefined)[] = [];
  const put = (number: number, entry: Entry): void => {
    while (entries.length <= number) entries.push(undefined);
    entries[number] = entry;
  };
  const embedded = new Map<number, PlacedField[]>();
  for (const placed of fields) {
    const inline = placed.field.protoInline?.[level];
    if (inline === undefined) {
      if (placed.field.protoNumber > 0) put(placed.field.protoNumber, { slot: slotOf(placed) });
    } else {
      const group = embedded.get(inline.number) ?? [];
      group.push(placed);
      embedded.set(inline.number, group);
    }
  }
  for (const [number, group] of embedded) put(number, { embedded: compileEntries(group, level + 1) });
  return entries;
}

function slotOf({ field, place }: PlacedField): Slot {
  const { schema } = field;
  if (schema.kind === 'map') {
    const read = mapEntryReader(schema.values);
    return { place, wireType: WireType.length, read };
  }
  if (schema.kind === 'list' && schema.protoWrapped !== true) {
    const { items } = schema;
    const readItem = lazy(() => valueReader(items));
    const read: Slot['read'] = (reader, depth, held) => {
      const list = (held ?? []) as unknown[];
      const item = readItem(reader, depth);
      list.push(item === undefined ? zeroValue(items) : item);
      return list;
    };
    return { place, wireType: wireTypeOf(items), read };
  }
  return { place, wireType: wireTypeOf(schema), read: lazy(() => valueReader(schema)) };
}

function lazy(make: () => ValueReader): ValueReader {
  let made: ValueReader | undefined;
  return (reader, depth) => {
    made ??= make();
    return made(reader, depth);
  };
}

function mapEntryReader(values: Schema): Slot['read'] {
  const readValue = lazy(() => valueReader(values));
  return (reader, depth, held) => {
    const map = (held ?? {}) as Record<string, unknown>;
    const outer = reader.enter();
    let key = '';
    let value: unknown;
    while (!reader.done) {
      const tag = reader.varint();
      if (tag === 0x0a) key = reader.string();
      else if (tag >>> 3 === 2) value = readValue(reader, depth + 1);
      else reader.skip(tag & 7);
    }
    reader.leave(outer);
    setKey(map, key, value === undefined ? zeroValue(values) : value);
    return map;
  };
}

function readInto(reader: WireReader, entries: Entries, slots: unknown[], depth: number): void {
  if (depth > MAX_DEPTH) throw new ProtobufError('exceeded max depth');
  while (!reader.done) {
    const tag = reader.varint();
    const entry = entries[Math.floor(tag / 8)];
    const wireType = tag & 7;
    if (entry?.slot !== undefined) {
      const { slot } = entry;
      if (slot.wireType !== wireType) throw new ProtobufError(`proto: wrong wireType = ${wireType}`);
      slots[slot.place] = slot.read(reader, depth, slots[slot.place]);
    } else if (entry?.embedded !== undefined) {
      const outer = reader.enter();
      readInto(reader, entry.embedded, slots, depth + 1);
      reader.leave(outer);
    } else reader.skip(wireType);
  }
}

/** Reads a message to its end. */
export function readMessage(reader: WireReader, schema: StructSchema, depth = 0): Record<string, unknown> {
  const { entries, fields, always, dropsZero, emptySlots } = compile(schema);
  const slots = emptySlots.slice();
  readInto(reader, entries, slots, depth);
  const out: Record<string, unknown> = {};
  for (let place = 0; place < fields.length; place++) {
    const field = fields[place];
    if (field === undefined) continue;
    const value = slots[place];
    if (value === undefined) {
      if (always[place] === true) out[field.name] = zeroOf(field);
    } else if (dropsZero[place] !== true || !isZero(value)) {
      out[field.name] = value;
    }
  }
  return out;
}

function readNested(reader: WireReader, schema: StructSchema, depth: number): Record<string, unknown> {
  const outer = reader.enter();
  const message = readMessage(reader, schema, depth);
  reader.leave(outer);
  return message;
}

function isZero(value: unknown): boolean {
  if (value === '' || value === 0 || value === false || value === null) return true;
  if (typeof value !== 'object') return false;
  if (Array.isArray(value)) return value.length === 0;
  for (const _ in value) return false;
  return true;
}

function valueReader(schema: Schema): ValueReader {
  switch (schema.kind) {
    case 'scalar':
      return SCALAR_READERS[schema.type];
    case 'struct':
      return (reader, depth) => readNested(reader, schema, depth + 1);
    case 'list':
      return wrappedReader(schema.items);
    case 'map':
      throw new Error('a map of maps has no protobuf form');
    case 'any':
      return anyReader(schema);
    default:
      return schema satisfies never;
  }
}

function wrappedReader(items: Schema): ValueReader {
  const readItem = lazy(() => valueReader(items));
  return (reader, depth) => {
    const outer = reader.enter();
    const list: unknown[] = [];
    while (!reader.done) {
      const tag = reader.varint();
      if (tag >>> 3 === 1) list.push(readItem(reader, depth + 1));
      else reader.skip(tag & 7);
    }
    reader.leave(outer);
    return list;
  };
}

/** Reads a message of few fields; `read` takes a field and says whether it knew it. */
function readParts(reader: WireReader, read: (number: number) => boolean): void {
  const outer = reader.enter();
  while (!reader.done) {
    const tag = reader.varint();
    if (!read(tag >>> 3)) reader.skip(tag & 7);
  }
  reader.leave(outer);
}

function instantReader(
  format: (instant: { seconds: number; nanos: number }) => string | undefined,
): ValueReader {
  return (reader) => {
    let seconds: number | undefined;
    let nanos = 0;
    readParts(reader, (number) => {
      if (number === 1) seconds = reader.signed();
      else if (number === 2) nanos = reader.signed();
      else return false;
      return true;
    });
    // An empty message is the zero time; a pointer to it prints null.
    return seconds === undefined ? undefined : format({ seconds, nanos });
  };
}

const SCALAR_READERS: Readonly<Record<ScalarSchema['type'], ValueReader>> = {
  string: (reader) => reader.string(),
  boolean: (reader) => reader.varint() !== 0,
  int32: (reader) => reader.signed(),
  int64: (reader) => reader.signed(),
  uint32: (reader) => reader.varint(),
  float64: (reader) => reader.double(),
  bytes: (reader) => reader.base64(),
  quantity: (reader) => {
    let text = '';
    readParts(reader, (number) => {
      if (number !== 1) return false;
      text = reader.string();
      return true;
    });
    const canonical = canonicalQuantity(text);
    if (canonical.text === undefined) throw new ProtobufError(canonical.error ?? 'not a quantity');
    return canonical.text;
  },
  time: instantReader(formatInstant),
  microtime: instantReader(formatMicroInstant),
  duration: (reader) => {
    let nanos = 0n;
    readParts(reader, (number) => {
      if (number !== 1) return false;
      nanos = reader.signedBig();
      return true;
    });
    return formatNanos(nanos);
  },
  'int-or-string': (reader) => {
    let isString = false;
    let int = 0;
    let text = '';
    readParts(reader, (number) => {
      if (number === 1) isString = reader.varint() === 1;
      else if (number === 2) int = reader.signed();
      else if (number === 3) text = reader.string();
      else return false;
      return true;
    });
    return isString ? text : int;
  },
};

function anyReader(schema: AnySchema): ValueReader {
  switch (schema.wire) {
    case 'schema-or-array':
    case 'schema-or-bool':
    case 'schema-or-strings':
      return alternativeReader(schema);
    default:
      return rawReader;
  }
}

const rawReader: ValueReader = (reader) => {
  let raw: string | undefined;
  readParts(reader, (number) => {
    if (number !== 1) return false;
    raw = reader.string();
    return true;
  });
  if (raw === undefined || raw === '') return null;
  try {
    return JSON.parse(raw) as unknown;
  } catch (cause) {
    throw new ProtobufError(
      `raw content is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
  }
};

function alternativeReader({ wire, alternative }: AnySchema): ValueReader {
  if (alternative === undefined) return rawReader;
  const structNumber = wire === 'schema-or-bool' ? 2 : 1;
  return (reader, depth) => {
    let struct: unknown;
    let allows = false;
    const list: unknown[] = [];
    readParts(reader, (number) => {
      if (number === structNumber) struct = readNested(reader, alternative, depth + 1);
      else if (wire === 'schema-or-bool' && number === 1) allows = reader.varint() !== 0;
      else if (wire === 'schema-or-array' && number === 2) {
        list.push(readNested(reader, alternative, depth + 1));
      } else if (wire === 'schema-or-strings' && number === 2) list.push(reader.string());
      else return false;
      return true;
    });
    if (wire === 'schema-or-bool') return struct ?? allows;
    return list.length > 0 ? list : (struct ?? null);
  };
}
