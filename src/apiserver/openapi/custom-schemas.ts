/** Schemas of custom resources, published as their definition has them. */
import { describeField } from '#api';
import type { ResourceInfo } from '#api';
import { definitionOf, type SchemaDefinition } from '#machinery';
import { type Dialect, type JsonSchema, prefixOf } from './json-schema.ts';

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const IDENTITY = ['apiVersion', 'kind'] as const;

/** `com.example.stable.v1.CronTab`: the group reversed, then version and kind. */
export function customTypeName(group: string, version: string, kind: string): string {
  return `${group.split('.').reverse().join('.')}.${version}.${kind}`;
}

export function customKindSchema(info: ResourceInfo, dialect: Dialect): JsonSchema {
  const definition = definitionOf(info.schema);
  const gvk = { group: info.group, kind: info.kind, version: info.version };
  const extension = { 'x-kubernetes-group-version-kind': [gvk] };
  const takesAnything =
    definition === undefined || definition['x-kubernetes-preserve-unknown-fields'] === true;
  // kubectl would refuse undeclared fields of a v2 schema that declares any.
  if (definition === undefined || (dialect === 'v2' && takesAnything))
    return { type: 'object', ...extension };
  const published = publish(definition, dialect);
  return {
    ...published,
    properties: {
      ...published.properties,
      ...identityProperties(dialect),
    },
    ...extension,
  };
}

export function customListSchema(info: ResourceInfo, dialect: Dialect): JsonSchema {
  const item = prefixOf(dialect) + customTypeName(info.group, info.version, info.kind);
  return {
    description: `${info.listKind} is a list of ${info.kind}`,
    type: 'object',
    required: ['items'],
    properties: {
      ...identityProperties(dialect),
      items: { description: `The ${info.resource} of the list.`, type: 'array', items: { $ref: item } },
      metadata: described('How current the list is, and how to get the rest of it.', 'ListMeta', dialect),
    },
    'x-kubernetes-group-version-kind': [{ group: info.group, kind: info.listKind, version: info.version }],
  };
}

function identityProperties(dialect: Dialect): Readonly<Record<string, JsonSchema>> {
  const texts = IDENTITY.map((name) => [
    name,
    { description: describeField('', name, true) ?? '', type: 'string' },
  ]);
  const metadata = describeField('', 'metadata', true) ?? '';
  return { ...Object.fromEntries(texts), metadata: described(metadata, 'ObjectMeta', dialect) };
}

function described(description: string, metaType: string, dialect: Dialect): JsonSchema {
  const $ref = `${prefixOf(dialect)}${META}.${metaType}`;
  return dialect === 'v2' ? { description, $ref } : { description, allOf: [{ $ref }] };
}

const COMBINATIONS: ReadonlySet<string> = new Set(['allOf', 'anyOf', 'oneOf', 'not']);

function publish(definition: SchemaDefinition, dialect: Dialect): JsonSchema {
  const source: SchemaDefinition = dialect === 'v2' ? forV2(definition) : unfolded(definition);
  const schema: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(source)) {
    if (value === undefined || (dialect === 'v2' && COMBINATIONS.has(keyword))) continue;
    if (dialect === 'v2' && keyword === 'default') continue;
    schema[keyword] = publishKeyword(keyword, value, dialect);
  }
  return source['x-kubernetes-embedded-resource'] === true ? withIdentity(schema, dialect) : schema;
}

function publishKeyword(keyword: string, value: unknown, dialect: Dialect): unknown {
  switch (keyword) {
    case 'properties':
      return Object.fromEntries(
        Object.entries(value as Readonly<Record<string, SchemaDefinition>>).map(([name, property]) => [
          name,
          publish(property, dialect),
        ]),
      );
    case 'items':
    case 'additionalProperties':
    case 'not':
      return typeof value === 'object' ? publish(value as SchemaDefinition, dialect) : value;
    case 'allOf':
    case 'anyOf':
    case 'oneOf':
      return (value as readonly SchemaDefinition[]).map((alternative) => publish(alternative, dialect));
    default:
      return value;
  }
}

/** An embedded object's own identity; in v2 only where nothing undeclared is allowed, for kubectl's sake. */
function withIdentity(schema: JsonSchema, dialect: Dialect): JsonSchema {
  if (dialect === 'v2' && schema['x-kubernetes-preserve-unknown-fields'] === true) return schema;
  const required = [...(schema.required ?? []), 'kind', 'apiVersion'];
  return {
    ...schema,
    properties: { ...schema.properties, ...identityProperties(dialect) },
    required: [...new Set(required)],
  };
}

const INT_OR_STRING = [{ type: 'integer' }, { type: 'string' }];

/** `x-kubernetes-int-or-string` spelled out for clients that do not know it. */
function unfolded(definition: SchemaDefinition): SchemaDefinition {
  if (definition['x-kubernetes-int-or-string'] !== true) return definition;
  const isPair = (alternatives: readonly SchemaDefinition[] | undefined): boolean =>
    JSON.stringify(alternatives) === JSON.stringify(INT_OR_STRING);
  if (isPair(definition.anyOf) || isPair(definition.allOf?.[0]?.anyOf)) return definition;
  if (definition.anyOf === undefined) return { ...definition, anyOf: INT_OR_STRING };
  return { ...definition, allOf: [{ anyOf: INT_OR_STRING }, ...(definition.allOf ?? [])] };
}

/** What v2 clients cannot cope with is left out: a nullable or open value becomes one of any type. */
function forV2(definition: SchemaDefinition): SchemaDefinition {
  const { nullable, type, items, properties, required, ...rest } = definition;
  const preserves = definition['x-kubernetes-preserve-unknown-fields'] === true;
  const isOpen = nullable === true || preserves;
  const isUntyped =
    nullable === true ||
    (preserves && type === 'object') ||
    (type === 'array' && (isOpen || items === undefined));
  const kept = required?.filter((name) => properties?.[name]?.nullable !== true) ?? [];
  return {
    ...rest,
    ...(isUntyped || type === undefined ? {} : { type }),
    ...(isOpen || items === undefined ? {} : { items }),
    ...(isOpen || properties === undefined ? {} : { properties }),
    ...(kept.length === 0 ? {} : { required: kept }),
  };
}
