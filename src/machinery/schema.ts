/**
 * The shape of objects, as data. Built-in kinds (from `api/schema/facts.json`) and custom resources
 * (from a CustomResourceDefinition's structural schema) become the same structure, so decoding, defaulting,
 * pruning, patching, server-side apply, protobuf and OpenAPI are each written once.
 *
 * Schemas may be recursive (JSONSchemaProps), so a field's `schema` is resolved lazily through a getter;
 * compare schemas by identity.
 */
export type Schema = ScalarSchema | StructSchema | ListSchema | MapSchema | AnySchema;

export type ScalarType =
  | 'string'
  | 'boolean'
  | 'int32'
  | 'int64'
  | 'uint32'
  | 'float64'
  /** base64 text in JSON */
  | 'bytes'
  | 'quantity'
  | 'time'
  | 'microtime'
  | 'duration'
  | 'int-or-string';

export interface ScalarSchema {
  readonly kind: 'scalar';
  readonly type: ScalarType;
  readonly nullable?: boolean;
  readonly validation?: ValueValidation;
}

/** Anything goes, kept as it came: RawExtension, FieldsV1, JSON, `x-kubernetes-preserve-unknown-fields`. */
export interface AnySchema {
  readonly kind: 'any';
  /**
   * How protobuf carries it. Custom resources are never protobuf. The `schema-or-*` three are apiextensions'
   * JSONSchemaPropsOrArray, OrBool and OrStringArray: either the struct `alternative`, or the array, boolean or
   * list of strings.
   */
  readonly wire?:
    | 'raw-extension'
    | 'fields-v1'
    | 'json'
    | 'schema-or-array'
    | 'schema-or-bool'
    | 'schema-or-strings';
  /** Resolved lazily. */
  readonly alternative?: StructSchema;
  readonly nullable?: boolean;
  readonly validation?: ValueValidation;
}

export interface ListSchema {
  readonly kind: 'list';
  readonly items: Schema;
  /** Server-side apply's topology. Default `atomic`. */
  readonly listType?: 'atomic' | 'set' | 'map';
  readonly listMapKeys?: readonly string[];
  /** Strategic merge patch, from the Go struct tags; built-in kinds only. */
  readonly patchStrategy?: readonly ('merge' | 'replace' | 'retainKeys')[];
  readonly patchMergeKey?: string;
  /** On the wire the items are field 1 of a message of their own (`ExtraValue`, `Verbs`). */
  readonly protoWrapped?: boolean;
  readonly nullable?: boolean;
  readonly validation?: ValueValidation;
}

export interface MapSchema {
  readonly kind: 'map';
  readonly values: Schema;
  readonly mapType?: 'granular' | 'atomic';
  readonly nullable?: boolean;
  readonly validation?: ValueValidation;
}

export interface StructSchema {
  readonly kind: 'struct';
  /** OpenAPI name of a built-in type (`io.k8s.api.core.v1.PodSpec`); '' in a custom resource. */
  readonly name: string;
  /** In the order Go prints them; inlined structs are flattened here (see `protoInline` for the wire). */
  readonly fields: readonly FieldSchema[];
  readonly byName: ReadonlyMap<string, FieldSchema>;
  readonly mapType?: 'granular' | 'atomic';
  readonly nullable?: boolean;
  /** Custom resources: keep fields that are not declared. */
  readonly preserveUnknownFields?: boolean;
  /** Custom resources: this object has apiVersion, kind and metadata of its own. */
  readonly embeddedResource?: boolean;
  readonly validation?: ValueValidation;
}

export interface FieldSchema {
  readonly name: string;
  /** Resolved lazily; schemas can be recursive. */
  readonly schema: Schema;
  readonly required: boolean;
  /** Go `omitempty`: the zero value is not printed (structs that are not pointers are printed all the same). */
  readonly omitEmpty: boolean;
  /** Go `omitzero`. */
  readonly omitZero: boolean;
  readonly pointer: boolean;
  /** 0 in a custom resource. */
  readonly protoNumber: number;
  /**
   * Set when Go embeds the struct this field came from: that struct is a nested message on the wire. Outermost
   * first; two when an embedded struct embeds another (`NamedRuleWithOperations`).
   */
  readonly protoInline?: readonly { readonly number: number; readonly typeName: string }[];
  /** Name of the Go type where it is not the plain one (`v1.RestartPolicy`); decode errors quote it. */
  readonly goType?: string;
  /** Applied when the field is absent after decoding. */
  readonly default?: unknown;
  /** The default that OpenAPI publishes, when upstream marks one on the field (a part of `default`). */
  readonly publishedDefault?: unknown;
  readonly enum?: readonly string[];
  /** Strategic merge of a struct field (`retainKeys`). */
  readonly patchStrategy?: readonly ('merge' | 'replace' | 'retainKeys')[];
}

/** JSON-Schema validations of custom resources (OpenAPI v3 subset of apiextensions/v1). */
export interface ValueValidation {
  readonly maximum?: number;
  readonly exclusiveMaximum?: boolean;
  readonly minimum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly multipleOf?: number;
  readonly maxLength?: number;
  readonly minLength?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly maxItems?: number;
  readonly minItems?: number;
  readonly uniqueItems?: boolean;
  readonly maxProperties?: number;
  readonly minProperties?: number;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly allOf?: readonly unknown[];
  readonly anyOf?: readonly unknown[];
  readonly oneOf?: readonly unknown[];
  readonly not?: unknown;
}
