/**
 * From an object in its JSON shape to the bytes Go writes for it. What is not a pointer in Go is written even when
 * absent or zero, map keys are sorted, embedded structs are messages of their own. Each struct is compiled once
 * into a list of writers, last field first, since the message is written from the back.
 */
import { durationNanos } from '../duration.ts';
import type {
  AnySchema,
  FieldSchema,
  ListSchema,
  MapSchema,
  ScalarSchema,
  Schema,
  StructSchema,
} from '../schema.ts';
import { parseInstant } from '../timestamp.ts';
import { compareUtf8 } from './byte-order.ts';
import { WireType } from './wire-reader.ts';
import type { WireWriter } from './wire-writer.ts';

type Fields = Readonly<Record<string, unknown>>;
/** Writes a value that is there, its length included where it has one, without the tag. */
type ValueWriter = (writer: WireWriter, value: unknown) => void;
/** Writes one member of a message, or nothing. */
type MemberWriter = (writer: WireWriter, message: Fields) => void;

const EMPTY: Fields = {};
const NOTHING: readonly unknown[] = [];

export const tagOf = (number: number, wireType: number): number => number * 8 + wireType;

/** Wraps what `body` writes into a length. */
export function nested(writer: WireWriter, body: () => void): void {
  const before = writer.written;
  body();
  writer.varint(writer.written - before);
}

const messages = new WeakMap<StructSchema, readonly MemberWriter[]>();

/** Writes the fields of a message, without its length. */
export function writeMessage(writer: WireWriter, schema: StructSchema, message: Fields): void {
  let members = messages.get(schema);
  if (members === undefined) {
    members = compileMembers(schema.fields, 0);
    messages.set(schema, members);
  }
  for (let i = 0; i < members.length; i++) members[i]?.(writer, message);
}

interface Member {
  readonly number: number;
  readonly write: MemberWriter;
}

/** Fields of one level of embedding, highest number first; deeper ones are grouped into their messages. */
function compileMembers(fields: readonly FieldSchema[], level: number): readonly MemberWriter[] {
  const members: Member[] = [];
  const embedded = new Map<number, FieldSchema[]>();
  for (const field of fields) {
    const inline = field.protoInline?.[level];
    if (inline === undefined) {
      if (field.protoNumber > 0) members.push({ number: field.protoNumber, write: fieldWriter(field) });
    } else {
      const group = embedded.get(inline.number) ?? [];
      group.push(field);
      embedded.set(inline.number, group);
    }
  }
  for (const [number, group] of embedded) {
    const inner = compileMembers(group, level + 1);
    members.push({ number, write: embeddedWriter(tagOf(number, WireType.length), inner) });
  }
  return members.sort((a, b) => b.number - a.number).map(({ write }) => write);
}

function embeddedWriter(tag: number, members: readonly MemberWriter[]): MemberWriter {
  return (writer, message) => {
    const before = writer.written;
    for (const write of members) write(writer, message);
    writer.varint(writer.written - before);
    writer.varint(tag);
  };
}

function fieldWriter(field: FieldSchema): MemberWriter {
  const { name, schema } = field;
  if (schema.kind === 'list') return listWriter(field, schema);
  if (schema.kind === 'map') return mapWriter(field, schema);
  const write = lazy(() => valueWriter(schema));
  const tag = tagOf(field.protoNumber, wireTypeOf(schema));
  if (field.pointer || (schema.kind === 'scalar' && schema.type === 'bytes')) {
    return (writer, message) => {
      const value = message[name];
      if (value === undefined || value === null) return;
      write(writer, value);
      writer.varint(tag);
    };
  }
  return (writer, message) => {
    write(writer, message[name]);
    writer.varint(tag);
  };
}

/** Schemas can be recursive: a writer is made when it is first needed. */
function lazy(make: () => ValueWriter): ValueWriter {
  let made: ValueWriter | undefined;
  return (writer, value) => {
    made ??= make();
    made(writer, value);
  };
}

function listWriter(field: FieldSchema, schema: ListSchema): MemberWriter {
  const { name } = field;
  if (schema.protoWrapped === true) {
    const tag = tagOf(field.protoNumber, WireType.length);
    return (writer, message) => {
      const value = message[name];
      if (value === undefined || value === null) return;
      writeWrapped(writer, schema, value);
      writer.varint(tag);
    };
  }
  const write = lazy(() => valueWriter(schema.items));
  const tag = tagOf(field.protoNumber, wireTypeOf(schema.items));
  return (writer, message) => {
    const items = (message[name] ?? NOTHING) as readonly unknown[];
    for (let i = items.length - 1; i >= 0; i--) {
      write(writer, items[i]);
      writer.varint(tag);
    }
  };
}

const KEY_TAG = tagOf(1, WireType.length);

function mapWriter(field: FieldSchema, schema: MapSchema): MemberWriter {
  const { name } = field;
  const write = lazy(() => valueWriter(schema.values));
  const tag = tagOf(field.protoNumber, WireType.length);
  const valueTag = tagOf(2, wireTypeOf(schema.values));
  const skipsNull = schema.values.kind === 'scalar' && schema.values.type === 'bytes';
  return (writer, message) => {
    const entries = (message[name] ?? EMPTY) as Fields;
    const keys = Object.keys(entries).sort(compareUtf8);
    for (let i = keys.length - 1; i >= 0; i--) {
      const key = keys[i] ?? '';
      const value = entries[key];
      const before = writer.written;
      if (!skipsNull || (value !== null && value !== undefined)) {
        write(writer, value);
        writer.varint(valueTag);
      }
      writer.string(key);
      writer.varint(KEY_TAG);
      writer.varint(writer.written - before);
      writer.varint(tag);
    }
  };
}

/** `ExtraValue`, `Verbs`: a list inside a message of its own. */
function writeWrapped(writer: WireWriter, schema: ListSchema, value: unknown): void {
  const before = writer.written;
  const write = valueWriter(schema.items);
  const tag = tagOf(1, wireTypeOf(schema.items));
  const items = (value ?? NOTHING) as readonly unknown[];
  for (let i = items.length - 1; i >= 0; i--) {
    write(writer, items[i]);
    writer.varint(tag);
  }
  writer.varint(writer.written - before);
}

export function wireTypeOf(schema: Schema): number {
  if (schema.kind !== 'scalar') return WireType.length;
  switch (schema.type) {
    case 'boolean':
    case 'int32':
    case 'int64':
    case 'uint32':
      return WireType.varint;
    case 'float64':
      return WireType.fixed64;
    default:
      return WireType.length;
  }
}

function valueWriter(schema: Schema): ValueWriter {
  switch (schema.kind) {
    case 'scalar':
      return SCALAR_WRITERS[schema.type];
    case 'struct':
      return (writer, value) => {
        const before = writer.written;
        writeMessage(writer, schema, (value ?? EMPTY) as Fields);
        writer.varint(writer.written - before);
      };
    case 'list':
      return (writer, value) => writeWrapped(writer, schema, value);
    case 'map':
      throw new Error('a map of maps has no protobuf form');
    case 'any':
      return anyWriter(schema);
    default:
      return schema satisfies never;
  }
}

const TAG1_VARINT = tagOf(1, WireType.varint);
const TAG2_VARINT = tagOf(2, WireType.varint);
const TAG1_BYTES = tagOf(1, WireType.length);
const TAG2_BYTES = tagOf(2, WireType.length);
const TAG3_BYTES = tagOf(3, WireType.length);

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const number = (value: unknown): number => (typeof value === 'number' ? value : 0);

/** Go writes the zero time as an empty message. */
function timeWriter(nanosPerUnit: number): ValueWriter {
  return (writer, value) => {
    if (typeof value !== 'string' || value === '') {
      writer.byte(0);
      return;
    }
    const { seconds, nanos } = parseInstant(value);
    const before = writer.written;
    writer.varint(Math.trunc(nanos / nanosPerUnit) * nanosPerUnit);
    writer.byte(TAG2_VARINT);
    writer.signed(seconds);
    writer.byte(TAG1_VARINT);
    writer.varint(writer.written - before);
  };
}

const SCALAR_WRITERS: Readonly<Record<ScalarSchema['type'], ValueWriter>> = {
  string: (writer, value) => writer.string(text(value)),
  boolean: (writer, value) => writer.byte(value === true ? 1 : 0),
  int32: (writer, value) => writer.signed(number(value)),
  int64: (writer, value) => writer.signed(number(value)),
  uint32: (writer, value) => writer.varint(number(value)),
  float64: (writer, value) => writer.double(number(value)),
  bytes: (writer, value) => writer.bytes(Buffer.from(text(value), 'base64')),
  quantity: (writer, value) =>
    nested(writer, () => {
      writer.string(typeof value === 'string' ? value : '0');
      writer.byte(TAG1_BYTES);
    }),
  // metav1.Time leaves fractions out; MicroTime keeps six digits.
  time: timeWriter(1e9),
  microtime: timeWriter(1e3),
  duration: (writer, value) =>
    nested(writer, () => {
      writer.signedBig(typeof value === 'string' ? durationNanos(value) : 0n);
      writer.byte(TAG1_VARINT);
    }),
  'int-or-string': (writer, value) =>
    nested(writer, () => {
      writer.string(text(value));
      writer.byte(TAG3_BYTES);
      writer.signed(number(value));
      writer.byte(TAG2_VARINT);
      writer.byte(typeof value === 'string' ? 1 : 0);
      writer.byte(TAG1_VARINT);
    }),
};

function anyWriter(schema: AnySchema): ValueWriter {
  const { alternative } = schema;
  switch (schema.wire) {
    case 'schema-or-array':
      return (writer, value) => nested(writer, () => writeSchemaOrArray(writer, alternative, value));
    case 'schema-or-bool':
      return (writer, value) => nested(writer, () => writeSchemaOrBool(writer, alternative, value));
    case 'schema-or-strings':
      return (writer, value) => nested(writer, () => writeSchemaOrStrings(writer, alternative, value));
    default:
      return (writer, value) =>
        nested(writer, () => {
          if (value === undefined || value === null) return;
          writer.bytes(Buffer.from(JSON.stringify(value)));
          writer.byte(TAG1_BYTES);
        });
  }
}

function writeNestedSchema(
  writer: WireWriter,
  schema: StructSchema | undefined,
  value: unknown,
  tag: number,
): void {
  if (schema === undefined) return;
  nested(writer, () => writeMessage(writer, schema, (value ?? EMPTY) as Fields));
  writer.byte(tag);
}

function writeSchemaOrArray(writer: WireWriter, schema: StructSchema | undefined, value: unknown): void {
  if (!Array.isArray(value)) {
    writeNestedSchema(writer, schema, value, TAG1_BYTES);
    return;
  }
  for (const item of value.toReversed()) writeNestedSchema(writer, schema, item, TAG2_BYTES);
}

function writeSchemaOrBool(writer: WireWriter, schema: StructSchema | undefined, value: unknown): void {
  if (typeof value !== 'boolean') writeNestedSchema(writer, schema, value, TAG2_BYTES);
  writer.byte(value === false ? 0 : 1);
  writer.byte(TAG1_VARINT);
}

function writeSchemaOrStrings(writer: WireWriter, schema: StructSchema | undefined, value: unknown): void {
  if (!Array.isArray(value)) {
    writeNestedSchema(writer, schema, value, TAG1_BYTES);
    return;
  }
  for (const item of value.toReversed()) {
    writer.string(text(item));
    writer.byte(TAG2_BYTES);
  }
}
