/**
 * Built-in types as `StructSchema`s, built from the facts when first asked for: a process that only ever touches
 * Pods pays for Pods. Embedded Go structs are flattened into their owner.
 */
import type {
  AnySchema,
  FieldSchema,
  GroupVersionKind,
  ListSchema,
  MapSchema,
  ScalarSchema,
  ScalarType,
  Schema,
  StructSchema,
} from '#machinery';
import { constantDefault } from './constant-defaults.ts';
import { type FactExtras, type FactRow, schemaFacts } from './facts.ts';

const SCALAR_TYPES: Readonly<Record<string, ScalarType>> = {
  s: 'string',
  b: 'boolean',
  i32: 'int32',
  i64: 'int64',
  u32: 'uint32',
  f64: 'float64',
  bytes: 'bytes',
  qty: 'quantity',
  time: 'time',
  microtime: 'microtime',
  dur: 'duration',
  ios: 'int-or-string',
};
const scalars: Readonly<Record<string, ScalarSchema>> = Object.fromEntries(
  Object.entries(SCALAR_TYPES).map(([short, type]) => [short, { kind: 'scalar', type } as const]),
);

const JSON_SCHEMA_PROPS = 'apiextensions/v1.JSONSchemaProps';
const alternatives = (wire: AnySchema['wire']): AnySchema => ({
  kind: 'any',
  wire,
  get alternative(): StructSchema {
    return structOf(JSON_SCHEMA_PROPS);
  },
});

/** Types whose JSON is not that of a struct, though their Go type is one. */
const anyTypes: Readonly<Record<string, AnySchema>> = {
  raw: { kind: 'any', wire: 'raw-extension' },
  any: { kind: 'any' },
  fieldsv1: { kind: 'any', wire: 'fields-v1' },
  '#runtime.RawExtension': { kind: 'any', wire: 'raw-extension' },
  '#apiextensions/v1.JSON': { kind: 'any', wire: 'json' },
  '#apiextensions/v1.JSONSchemaPropsOrArray': alternatives('schema-or-array'),
  '#apiextensions/v1.JSONSchemaPropsOrBool': alternatives('schema-or-bool'),
  '#apiextensions/v1.JSONSchemaPropsOrStringArray': alternatives('schema-or-strings'),
};

type PatchStrategy = NonNullable<FieldSchema['patchStrategy']>;
const patchStrategies = (extras: FactExtras | undefined): PatchStrategy | undefined =>
  extras?.ps === undefined ? undefined : (extras.ps.split(',') as PatchStrategy[number][]);

function resolve(type: string, extras: FactExtras | undefined, outermost: boolean): Schema {
  if (type.startsWith('[]')) return listOf(type.slice(2), extras, outermost);
  if (type.startsWith('{}')) {
    const map: MapSchema = {
      kind: 'map',
      values: resolve(type.slice(2), extras?.w === undefined ? undefined : { w: extras.w }, false),
      ...(outermost && extras?.mt !== undefined ? { mapType: extras.mt } : {}),
    };
    return map;
  }
  const scalar = scalars[type] ?? anyTypes[type];
  if (scalar !== undefined) return scalar;
  const id = type.slice(1);
  const wrapped = schemaFacts.wraps[id];
  if (wrapped !== undefined) return resolve(wrapped, { ...extras, w: 1 }, outermost);
  const struct = structOf(id);
  return outermost && extras?.mt !== undefined && extras.mt !== struct.mapType
    ? { ...struct, mapType: extras.mt }
    : struct;
}

function listOf(itemType: string, extras: FactExtras | undefined, outermost: boolean): ListSchema {
  const strategies = patchStrategies(extras);
  return {
    kind: 'list',
    items: resolve(itemType, undefined, false),
    ...(extras?.w === undefined ? {} : { protoWrapped: true }),
    ...(outermost && extras?.lt !== undefined ? { listType: extras.lt } : {}),
    ...(outermost && extras?.lk !== undefined ? { listMapKeys: extras.lk } : {}),
    ...(outermost && strategies !== undefined ? { patchStrategy: strategies } : {}),
    ...(outermost && extras?.pk !== undefined ? { patchMergeKey: extras.pk } : {}),
  };
}

/** `core/v1.RestartPolicy` as Go prints it in errors: `v1.RestartPolicy`. */
const goTypeName = (id: string): string => id.slice(id.lastIndexOf('/') + 1);

class TableField implements FieldSchema {
  readonly name: string;
  readonly required: boolean;
  readonly omitEmpty: boolean;
  readonly omitZero: boolean;
  readonly pointer: boolean;
  readonly protoNumber: number;
  readonly protoInline?: FieldSchema['protoInline'];
  readonly goType?: string;
  readonly default?: unknown;
  readonly publishedDefault?: unknown;
  readonly enum?: readonly string[];
  readonly patchStrategy?: PatchStrategy;
  readonly #type: string;
  readonly #extras: FactExtras | undefined;
  #schema: Schema | undefined;

  constructor(owner: string, row: FactRow, inline: NonNullable<FieldSchema['protoInline']>) {
    const [name, type, flags, protoNumber, extras] = row;
    this.name = name;
    this.#type = type;
    this.#extras = extras;
    this.required = flags.includes('r');
    this.omitEmpty = flags.includes('e');
    this.omitZero = flags.includes('z');
    this.pointer = flags.includes('p');
    this.protoNumber = protoNumber;
    if (inline.length > 0) this.protoInline = inline;
    if (extras?.en !== undefined) {
      this.goType = goTypeName(extras.en);
      this.enum = schemaFacts.enums[extras.en];
    }
    if (name === 'uid' && type === 's') this.goType = 'types.UID';
    if (extras?.d !== undefined) this.publishedDefault = extras.d;
    const value = constantDefault(owner, name) ?? extras?.d;
    // A zero that is not behind a pointer is what an absent field is anyway.
    if (value !== undefined && (this.pointer || Boolean(value))) this.default = value;
    if (!type.startsWith('[]')) this.patchStrategy = patchStrategies(extras);
  }

  get schema(): Schema {
    this.#schema ??= resolve(this.#type, this.#extras, true);
    return this.#schema;
  }
}

function fieldsOf(id: string, inline: NonNullable<FieldSchema['protoInline']>, onWire = true): FieldSchema[] {
  const fields: FieldSchema[] = [];
  for (const row of schemaFacts.t[id]?.[0] ?? []) {
    const [name, type, flags, protoNumber, extras] = row;
    if (flags.includes('I') && name === '') {
      const embedded = type.slice(1);
      // TypeMeta is embedded without a number: what an object is stands in its envelope.
      const path =
        protoNumber === 0 ? inline : [...inline, { number: protoNumber, typeName: openApiName(embedded) }];
      fields.push(...fieldsOf(embedded, path, onWire && protoNumber > 0));
    } else {
      fields.push(new TableField(id, onWire ? row : [name, type, flags, 0, extras], inline));
    }
  }
  return fields;
}

/** `core/v1.PodSpec` → `io.k8s.api.core.v1.PodSpec`. */
function openApiName(id: string): string {
  const dot = id.lastIndexOf('.');
  const prefix = schemaFacts.pk[id.slice(0, dot)]?.[0] ?? id.slice(0, dot);
  return `${prefix}.${id.slice(dot + 1)}`;
}

const structs = new Map<string, StructSchema>();

function structOf(id: string): StructSchema {
  const known = structs.get(id);
  if (known !== undefined) return known;
  const fields = fieldsOf(id, []);
  const mapType = schemaFacts.t[id]?.[1]?.mt;
  const struct: StructSchema = {
    kind: 'struct',
    name: openApiName(id),
    fields,
    byName: new Map(fields.map((field) => [field.name, field])),
    ...(mapType === undefined ? {} : { mapType }),
  };
  structs.set(id, struct);
  return struct;
}

let idByOpenApiName: ReadonlyMap<string, string> | undefined;

/**
 * The schema of a built-in type by the name the facts use (`core/v1.PodSpec`) or OpenAPI's
 * (`io.k8s.api.core.v1.PodSpec`). The same name always gives the same object.
 */
export function schemaByName(name: string): StructSchema | undefined {
  if (schemaFacts.t[name] !== undefined) return structOf(name);
  idByOpenApiName ??= new Map(Object.keys(schemaFacts.t).map((id) => [openApiName(id), id]));
  const id = idByOpenApiName.get(name);
  return id === undefined ? undefined : structOf(id);
}

/** Every type the facts know, by the facts' name. */
export function builtinTypeNames(): readonly string[] {
  return Object.keys(schemaFacts.t);
}

/** Kinds that apimachinery registers in every group and version. */
const META_KINDS = new Set([
  'ListOptions',
  'GetOptions',
  'DeleteOptions',
  'CreateOptions',
  'UpdateOptions',
  'PatchOptions',
  'WatchEvent',
]);
const CORE_META_KINDS = new Set([
  'Status',
  'APIVersions',
  'APIGroupList',
  'APIGroup',
  'APIResourceList',
  'List',
]);

/** Group → package of its Go types, which is how the facts are sorted. */
const PACKAGES: ReadonlyMap<string, string> = new Map([
  ['', 'core'],
  ['admission.k8s.io', 'admission'],
  ['admissionregistration.k8s.io', 'admissionregistration'],
  ['apidiscovery.k8s.io', 'apidiscovery'],
  ['apiextensions.k8s.io', 'apiextensions'],
  ['apiregistration.k8s.io', 'apiregistration'],
  ['apps', 'apps'],
  ['authentication.k8s.io', 'authentication'],
  ['authorization.k8s.io', 'authorization'],
  ['autoscaling', 'autoscaling'],
  ['batch', 'batch'],
  ['certificates.k8s.io', 'certificates'],
  ['coordination.k8s.io', 'coordination'],
  ['discovery.k8s.io', 'discovery'],
  ['events.k8s.io', 'events'],
  ['flowcontrol.apiserver.k8s.io', 'flowcontrol'],
  ['internal.apiserver.k8s.io', 'apiserverinternal'],
  ['meta.k8s.io', 'meta'],
  ['networking.k8s.io', 'networking'],
  ['node.k8s.io', 'node'],
  ['policy', 'policy'],
  ['rbac.authorization.k8s.io', 'rbac'],
  ['resource.k8s.io', 'resource'],
  ['scheduling.k8s.io', 'scheduling'],
  ['storage.k8s.io', 'storage'],
  ['storagemigration.k8s.io', 'storagemigration'],
]);

/**
 * The schema of a built-in kind, lists and the options kinds of apimachinery included
 * (`{ group: '', version: 'v1', kind: 'Status' }`). Undefined when no built-in kind has that name.
 */
export function schemaOf(gvk: GroupVersionKind): StructSchema | undefined {
  const { group, version, kind } = gvk;
  if (META_KINDS.has(kind)) return structOf(`meta/v1.${kind}`);
  if (group === '' && version === 'v1' && CORE_META_KINDS.has(kind)) return structOf(`meta/v1.${kind}`);
  const id = `${PACKAGES.get(group) ?? '-'}/${version}.${kind}`;
  return schemaFacts.t[id] === undefined ? undefined : structOf(id);
}
