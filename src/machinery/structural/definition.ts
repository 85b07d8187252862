/**
 * A structural schema as a CustomResourceDefinition carries it (`apiextensions/v1 JSONSchemaProps`), and the few
 * questions everyone asks of it.
 */
export interface SchemaDefinition {
  readonly id?: string;
  readonly $schema?: string;
  readonly $ref?: string;
  readonly description?: string;
  readonly type?: string;
  readonly format?: string;
  readonly title?: string;
  readonly default?: unknown;
  readonly maximum?: number;
  readonly exclusiveMaximum?: boolean;
  readonly minimum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly maxLength?: number;
  readonly minLength?: number;
  readonly pattern?: string;
  readonly maxItems?: number;
  readonly minItems?: number;
  readonly uniqueItems?: boolean;
  readonly multipleOf?: number;
  readonly enum?: readonly unknown[];
  readonly maxProperties?: number;
  readonly minProperties?: number;
  readonly required?: readonly string[];
  readonly items?: unknown;
  readonly allOf?: readonly SchemaDefinition[];
  readonly oneOf?: readonly SchemaDefinition[];
  readonly anyOf?: readonly SchemaDefinition[];
  readonly not?: SchemaDefinition;
  readonly properties?: Readonly<Record<string, SchemaDefinition>>;
  readonly additionalProperties?: unknown;
  readonly patternProperties?: Readonly<Record<string, SchemaDefinition>>;
  readonly dependencies?: Readonly<Record<string, unknown>>;
  readonly additionalItems?: unknown;
  readonly definitions?: Readonly<Record<string, SchemaDefinition>>;
  readonly nullable?: boolean;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-embedded-resource'?: boolean;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-map-type'?: string;
  /** CEL rules: carried and published, not evaluated. */
  readonly 'x-kubernetes-validations'?: readonly ValidationRule[];
}

export interface ValidationRule {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly reason?: string;
  readonly fieldPath?: string;
  readonly optionalOldSelf?: boolean;
}

const isSchema = (value: unknown): value is SchemaDefinition =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The one schema of the items, if there is just one. */
export const itemsOf = (definition: SchemaDefinition): SchemaDefinition | undefined =>
  isSchema(definition.items) ? definition.items : undefined;

/** The schema of undeclared members; undefined also for a mere `true` or `false`. */
export const additionalOf = (definition: SchemaDefinition): SchemaDefinition | undefined =>
  isSchema(definition.additionalProperties) ? definition.additionalProperties : undefined;

export const propertiesOf = (
  definition: SchemaDefinition,
): readonly (readonly [string, SchemaDefinition])[] => Object.entries(definition.properties ?? {});

/** The declared property, never an inherited one: a resource may have a field `constructor`. */
export const propertyOf = (definition: SchemaDefinition, name: string): SchemaDefinition | undefined =>
  definition.properties !== undefined && Object.hasOwn(definition.properties, name)
    ? definition.properties[name]
    : undefined;
