/**
 * Random objects of any built-in type, in the form Go prints them: for tests that must hold for all kinds.
 * Test support; needs `fast-check`.
 */
import * as fc from 'fast-check';
import type { AnySchema, FieldSchema, ScalarSchema, Schema, StructSchema } from '#machinery';

/** Deeper fields are left out. */
const MAX_DEPTH = 5;

const word = fc.string({
  unit: fc.constantFrom('a', 'b', 'z', '0', '9', '-', 'é'),
  minLength: 1,
  maxLength: 12,
});
const seconds = fc
  .integer({ min: 0, max: 4_000_000_000 })
  .map((value) => new Date(value * 1000).toISOString().replace('.000Z', 'Z'));

const scalars: Readonly<Record<ScalarSchema['type'], fc.Arbitrary<unknown>>> = {
  string: word,
  boolean: fc.constant(true),
  int32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).filter((n) => n !== 0),
  int64: fc.maxSafeInteger().filter((n) => n !== 0),
  uint32: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  float64: fc.double({ noNaN: true, noDefaultInfinity: true, min: 1 }),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  quantity: fc
    .tuple(fc.nat(999), fc.constantFrom('m', '', 'Mi', 'G'))
    .map(([n, unit]) => `${n * 8 + 1}${unit}`),
  time: seconds,
  microtime: seconds.map((text) => text.replace('Z', '.000456Z')),
  duration: fc.integer({ min: 1, max: 59 }).map((n) => `${n}s`),
  'int-or-string': fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), word),
};

const ANY: Readonly<Record<NonNullable<AnySchema['wire']>, unknown>> = {
  json: { z: 1, a: [true, 'x'] },
  'raw-extension': { z: 1, a: [true, 'x'] },
  'fields-v1': { 'f:spec': {} },
  'schema-or-array': [{ type: 'string' }],
  'schema-or-bool': false,
  'schema-or-strings': ['a', 'b'],
};

/** Keys in the order Go prints them. */
const sorted = (map: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : 1)));

function valueOf(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  switch (schema.kind) {
    case 'scalar':
      return scalars[schema.type];
    case 'list':
      return fc.array(valueOf(schema.items, depth), { minLength: 1, maxLength: 2 });
    case 'map':
      return fc
        .dictionary(
          fc.string({ unit: fc.constantFrom('k', 'q'), minLength: 1 }),
          valueOf(schema.values, depth),
          { minKeys: 1, maxKeys: 3 },
        )
        .map(sorted);
    case 'any':
      return fc.constant(ANY[schema.wire ?? 'json']);
    case 'struct':
      return objectOf(schema, depth + 1);
    default:
      return schema satisfies never;
  }
}

const isGenerated = ({ name, protoNumber }: FieldSchema): boolean =>
  protoNumber > 0 && name !== 'kind' && name !== 'apiVersion';

/**
 * An object of a struct type: each field there or not, in schema order. `kind` and `apiVersion` are left out, since
 * on the wire they are in the envelope.
 */
export function objectOf(schema: StructSchema, depth = 0): fc.Arbitrary<Record<string, unknown>> {
  const fields = depth >= MAX_DEPTH ? [] : schema.fields.filter(isGenerated);
  return fc.record(
    Object.fromEntries(fields.map((field) => [field.name, lazily(() => valueOf(field.schema, depth))])),
    { requiredKeys: [] },
  );
}

/** Built when drawn: types are recursive. */
function lazily(make: () => fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.constant(undefined).chain(make);
}
