/** Schemas of built-in types, made from the schema facts. */
import { describeField, describeType, schemaByName } from '#api';
import type { FieldSchema, ScalarType, Schema, StructSchema } from '#machinery';
import { type Dialect, type JsonSchema, prefixOf } from './json-schema.ts';

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const QUANTITY = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
const INT_OR_STRING = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';
const RAW_EXTENSION = 'io.k8s.apimachinery.pkg.runtime.RawExtension';
const EXTENSIONS = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';

/** Types that are no structs in JSON, in both dialects. */
const SPECIAL: Readonly<Record<string, Readonly<Record<Dialect, JsonSchema>>>> = {
  [QUANTITY]: {
    v2: { type: 'string', description: 'A number with an optional suffix: 100m, 1.5, 2Gi.' },
    v3: {
      oneOf: [{ type: 'string' }, { type: 'number' }],
      description: 'A number with an optional suffix: 100m, 1.5, 2Gi.',
    },
  },
  [INT_OR_STRING]: {
    v2: { type: 'string', format: 'int-or-string', description: 'A number or a text.' },
    v3: {
      format: 'int-or-string',
      oneOf: [{ type: 'integer' }, { type: 'string' }],
      description: 'A number or a text.',
    },
  },
  [RAW_EXTENSION]: both({ type: 'object', description: 'An object of any kind, kept as it came.' }),
  [`${META}.Time`]: both({ type: 'string', format: 'date-time' }),
  [`${META}.MicroTime`]: both({ type: 'string', format: 'date-time' }),
  [`${META}.Duration`]: both({ type: 'string' }),
  [`${META}.FieldsV1`]: both({ type: 'object' }),
  [`${META}.Patch`]: both({ type: 'object' }),
  [`${EXTENSIONS}.JSON`]: both({ description: 'Any JSON value.' }),
  [`${EXTENSIONS}.JSONSchemaPropsOrArray`]: both({ description: 'A schema or a list of schemas.' }),
  [`${EXTENSIONS}.JSONSchemaPropsOrBool`]: both({ description: 'A schema or a boolean.' }),
  [`${EXTENSIONS}.JSONSchemaPropsOrStringArray`]: both({ description: 'A schema or a list of texts.' }),
};

function both(schema: JsonSchema): Readonly<Record<Dialect, JsonSchema>> {
  return { v2: schema, v3: schema };
}

const SCALARS: Readonly<Record<ScalarType, JsonSchema | string>> = {
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  uint32: { type: 'integer', format: 'int64' },
  float64: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
  quantity: QUANTITY,
  time: `${META}.Time`,
  microtime: `${META}.MicroTime`,
  duration: `${META}.Duration`,
  'int-or-string': INT_OR_STRING,
};

const ANY_TYPES: Readonly<Record<string, string>> = {
  'raw-extension': RAW_EXTENSION,
  'fields-v1': `${META}.FieldsV1`,
  json: `${EXTENSIONS}.JSON`,
  'schema-or-array': `${EXTENSIONS}.JSONSchemaPropsOrArray`,
  'schema-or-bool': `${EXTENSIONS}.JSONSchemaPropsOrBool`,
  'schema-or-strings': `${EXTENSIONS}.JSONSchemaPropsOrStringArray`,
};

/** @returns undefined when there is no such built-in type. */
export function builtinTypeSchema(name: string, dialect: Dialect): JsonSchema | undefined {
  const description = describeType(name);
  const special = SPECIAL[name]?.[dialect];
  if (special !== undefined) return description === undefined ? special : { description, ...special };
  const struct = schemaByName(name);
  if (struct === undefined) return undefined;
  return { ...(description === undefined ? {} : { description }), ...structSchema(struct, dialect) };
}

function structSchema(struct: StructSchema, dialect: Dialect): JsonSchema {
  const isObject = struct.byName.has('apiVersion') && struct.byName.has('kind');
  const required = struct.fields.filter((field) => field.required).map((field) => field.name);
  const properties: Record<string, JsonSchema> = {};
  for (const field of [...struct.fields].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    properties[field.name] = fieldSchema(struct, field, isObject, dialect);
  }
  return {
    type: 'object',
    ...(required.length === 0 ? {} : { required }),
    ...(struct.fields.length === 0 ? {} : { properties }),
    ...(struct.mapType === undefined ? {} : { 'x-kubernetes-map-type': struct.mapType }),
  };
}

function fieldSchema(
  owner: StructSchema,
  field: FieldSchema,
  isObject: boolean,
  dialect: Dialect,
): JsonSchema {
  const schema = withEnum(valueSchema(field.schema, dialect), field.enum);
  const description = describeField(owner.name, field.name, isObject);
  const extensions = {
    ...(field.patchStrategy === undefined
      ? {}
      : { 'x-kubernetes-patch-strategy': field.patchStrategy.join(',') }),
    ...mapTypeOf(field.schema),
  };
  const described = { ...schema, ...(description === undefined ? {} : { description }), ...extensions };
  return withDefault(described, fieldDefault(field), dialect);
}

/** Values of the field, or of its items when it is a list or a map. */
function withEnum(schema: JsonSchema, values: readonly string[] | undefined): JsonSchema {
  if (values === undefined) return schema;
  const sorted = [...values].sort();
  if (schema.items !== undefined) return { ...schema, items: { ...schema.items, enum: sorted } };
  const { additionalProperties } = schema;
  if (typeof additionalProperties === 'object') {
    return { ...schema, additionalProperties: { ...additionalProperties, enum: sorted } };
  }
  return { ...schema, enum: sorted };
}

/** A struct used with another map type than its own. */
function mapTypeOf(schema: Schema): JsonSchema {
  if (schema.kind === 'map' && schema.mapType !== undefined) {
    return { 'x-kubernetes-map-type': schema.mapType };
  }
  if (schema.kind !== 'struct' || schema.mapType === undefined) return {};
  return schemaByName(schema.name)?.mapType === schema.mapType
    ? {}
    : { 'x-kubernetes-map-type': schema.mapType };
}

function valueSchema(schema: Schema, dialect: Dialect): JsonSchema {
  switch (schema.kind) {
    case 'scalar': {
      const scalar = SCALARS[schema.type];
      return typeof scalar === 'string' ? reference(scalar, dialect) : scalar;
    }
    case 'any':
      return schema.wire === undefined ? {} : reference(ANY_TYPES[schema.wire] ?? RAW_EXTENSION, dialect);
    case 'struct':
      return reference(schema.name, dialect);
    case 'map':
      return { type: 'object', additionalProperties: elementSchema(schema.values, dialect) };
    default:
      return {
        type: 'array',
        items: elementSchema(schema.items, dialect),
        ...(schema.listType === undefined ? {} : { 'x-kubernetes-list-type': schema.listType }),
        ...(schema.listMapKeys === undefined ? {} : { 'x-kubernetes-list-map-keys': schema.listMapKeys }),
        ...(schema.patchMergeKey === undefined
          ? {}
          : { 'x-kubernetes-patch-merge-key': schema.patchMergeKey }),
        ...(schema.patchStrategy === undefined
          ? {}
          : { 'x-kubernetes-patch-strategy': schema.patchStrategy.join(',') }),
      };
  }
}

function elementSchema(schema: Schema, dialect: Dialect): JsonSchema {
  return withDefault(valueSchema(schema, dialect), zeroDefault(schema), dialect);
}

/** A field that Go always prints, and a struct that is always there, default to their zero value. */
function fieldDefault(field: FieldSchema): unknown {
  if (field.publishedDefault !== undefined) return field.publishedDefault;
  if (field.pointer || field.omitZero) return undefined;
  if (field.schema.kind === 'struct') return {};
  return field.omitEmpty ? undefined : zeroDefault(field.schema);
}

function zeroDefault(schema: Schema): unknown {
  if (schema.kind === 'struct') return {};
  if (schema.kind !== 'scalar') return undefined;
  const scalar = SCALARS[schema.type];
  if (typeof scalar === 'string' || schema.type === 'bytes') return undefined;
  if (schema.type === 'boolean') return false;
  return schema.type === 'string' ? '' : 0;
}

/** OpenAPI v2 carries no defaults; v3 needs a reference wrapped to put anything beside it. */
function withDefault(schema: JsonSchema, value: unknown, dialect: Dialect): JsonSchema {
  if (dialect === 'v2') return schema;
  const { $ref, ...beside } = schema;
  const all = value === undefined ? beside : { ...beside, default: value };
  if ($ref === undefined) return all;
  return Object.keys(all).length === 0 ? { $ref } : { ...all, allOf: [{ $ref }] };
}

const reference = (name: string, dialect: Dialect): JsonSchema => ({ $ref: prefixOf(dialect) + name });
