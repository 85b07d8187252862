/** The part of a JSON schema that the documents use; the same shape in OpenAPI v2 and v3. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly allOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly [keyword: string]: unknown;
}

export interface GroupVersionKindExtension {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

export const V3_PREFIX = '#/components/schemas/';
export const V2_PREFIX = '#/definitions/';

/** Which of the two documents a schema is written for. */
export type Dialect = 'v2' | 'v3';

export const prefixOf = (dialect: Dialect): string => (dialect === 'v2' ? V2_PREFIX : V3_PREFIX);

/** Names of the schemas that `value` refers to, anywhere in it. */
export function collectReferences(value: unknown, into: Set<string>): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (const item of value) collectReferences(item, into);
    return;
  }
  for (const [key, member] of Object.entries(value)) {
    if (key !== '$ref' || typeof member !== 'string') collectReferences(member, into);
    else into.add(member.slice(member.lastIndexOf('/') + 1));
  }
}
