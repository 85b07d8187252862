/** From a CustomResourceDefinition's schema to the structure the rest of the machinery works with. */
import type {
  FieldSchema,
  ListSchema,
  ScalarType,
  Schema,
  StructSchema,
  ValueValidation,
} from '../schema.ts';
import { additionalOf, itemsOf, propertiesOf, propertyOf, type SchemaDefinition } from './definition.ts';

export interface CompileOptions {
  /** `spec.preserveUnknownFields` of the definition: nothing is pruned anywhere. */
  readonly preserveUnknownFields?: boolean;
  /** The schema of `ObjectMeta`, which every object's own metadata has. */
  readonly metadataSchema: StructSchema;
}

const definitions = new WeakMap<StructSchema, SchemaDefinition>();

/** What a schema was compiled from. */
export const definitionOf = (schema: StructSchema): SchemaDefinition | undefined => definitions.get(schema);

/**
 * @param definition a valid structural schema (see `validateStructuralSchemaDefinition`); undefined takes anything.
 * @returns a struct named '' with apiVersion, kind and metadata, whatever the definition says of them.
 */
export function compileStructuralSchema(
  definition: SchemaDefinition | undefined,
  options: CompileOptions,
): StructSchema {
  const root: SchemaDefinition = {
    type: 'object',
    ...(definition ?? { 'x-kubernetes-preserve-unknown-fields': true }),
    'x-kubernetes-embedded-resource': true,
  };
  const compiled = { ...compileStruct(root, options), embeddedResource: undefined };
  definitions.set(compiled, definition ?? root);
  return compiled;
}

function compile(definition: SchemaDefinition, options: CompileOptions): Schema {
  const base = { ...nullability(definition), ...validationOf(definition) };
  if (definition['x-kubernetes-int-or-string'] === true) {
    return { kind: 'scalar', type: 'int-or-string', ...base };
  }
  switch (definition.type) {
    case 'object':
      return compileObject(definition, options);
    case 'array':
      return compileList(definition, options, base);
    case 'string':
    case 'integer':
    case 'number':
    case 'boolean':
      return { kind: 'scalar', type: scalarType(definition), ...base };
    default:
      return definition.properties === undefined
        ? { kind: 'any', ...base }
        : compileStruct(definition, options);
  }
}

function compileObject(definition: SchemaDefinition, options: CompileOptions): Schema {
  const additional = additionalOf(definition);
  const takesAnything = definition.additionalProperties === true;
  if (definition.properties === undefined && (additional !== undefined || takesAnything)) {
    return {
      kind: 'map',
      values: additional === undefined ? { kind: 'any' } : compile(additional, options),
      ...mapTypeOf(definition),
      ...nullability(definition),
      ...validationOf(definition),
    };
  }
  return compileStruct(definition, options);
}

function compileStruct(definition: SchemaDefinition, options: CompileOptions): StructSchema {
  const required = new Set(definition.required);
  const embedded = definition['x-kubernetes-embedded-resource'] === true;
  const declared = propertiesOf(definition).filter(([name]) => !embedded || name !== 'metadata');
  const fields = declared.map(([name, property]) =>
    makeField(name, compile(property, options), required.has(name), property),
  );
  const own = embedded ? typeFields(definition, options) : [];
  const all = [...own, ...fields];
  const preserves =
    definition['x-kubernetes-preserve-unknown-fields'] === true ||
    options.preserveUnknownFields === true ||
    definition.additionalProperties === true;
  return {
    kind: 'struct',
    name: '',
    fields: all,
    byName: new Map(all.map((field) => [field.name, field])),
    ...mapTypeOf(definition),
    ...(preserves ? { preserveUnknownFields: true } : {}),
    ...(embedded ? { embeddedResource: true } : {}),
    ...nullability(definition),
    ...validationOf(definition),
  };
}

/** apiVersion and kind unless declared, and metadata in place of whatever was declared. */
function typeFields(definition: SchemaDefinition, options: CompileOptions): readonly FieldSchema[] {
  const undeclared = ['apiVersion', 'kind'].filter((name) => propertyOf(definition, name) === undefined);
  return [
    ...undeclared.map((name) => makeField(name, { kind: 'scalar', type: 'string' }, false, {})),
    makeField('metadata', options.metadataSchema, false, {}),
  ];
}

function compileList(
  definition: SchemaDefinition,
  options: CompileOptions,
  base: Pick<ListSchema, 'nullable' | 'validation'>,
): ListSchema {
  const items = itemsOf(definition);
  const listType = definition['x-kubernetes-list-type'];
  const keys = definition['x-kubernetes-list-map-keys'];
  return {
    kind: 'list',
    items: items === undefined ? { kind: 'any' } : compile(items, options),
    ...(listType === 'set' || listType === 'map' || listType === 'atomic' ? { listType } : {}),
    ...(keys === undefined ? {} : { listMapKeys: keys }),
    ...base,
  };
}

function makeField(
  name: string,
  schema: Schema,
  required: boolean,
  definition: SchemaDefinition,
): FieldSchema {
  const isText = (value: unknown): value is string => typeof value === 'string';
  return {
    name,
    schema,
    required,
    omitEmpty: true,
    omitZero: false,
    // A custom resource tells an empty value from an absent one, as a Go pointer does.
    pointer: true,
    protoNumber: 0,
    ...(definition.default === undefined
      ? {}
      : { default: definition.default, publishedDefault: definition.default }),
    ...(definition.enum?.every(isText) === true ? { enum: definition.enum } : {}),
  };
}

function scalarType(definition: SchemaDefinition): ScalarType {
  switch (definition.type) {
    case 'integer':
      return definition.format === 'int32' ? 'int32' : 'int64';
    case 'number':
      return 'float64';
    case 'boolean':
      return 'boolean';
    default:
      return 'string';
  }
}

const nullability = (definition: SchemaDefinition): { readonly nullable?: boolean } =>
  definition.nullable === true ? { nullable: true } : {};

function mapTypeOf(definition: SchemaDefinition): { readonly mapType?: 'granular' | 'atomic' } {
  const mapType = definition['x-kubernetes-map-type'];
  return mapType === 'atomic' || mapType === 'granular' ? { mapType } : {};
}

const VALIDATIONS = [
  'maximum',
  'exclusiveMaximum',
  'minimum',
  'exclusiveMinimum',
  'multipleOf',
  'maxLength',
  'minLength',
  'pattern',
  'format',
  'maxItems',
  'minItems',
  'uniqueItems',
  'maxProperties',
  'minProperties',
  'required',
  'enum',
  'allOf',
  'anyOf',
  'oneOf',
  'not',
] as const satisfies readonly (keyof ValueValidation & keyof SchemaDefinition)[];

function validationOf(definition: SchemaDefinition): { readonly validation?: ValueValidation } {
  const present = VALIDATIONS.filter((name) => definition[name] !== undefined);
  if (present.length === 0) return {};
  return { validation: Object.fromEntries(present.map((name) => [name, definition[name]])) };
}
