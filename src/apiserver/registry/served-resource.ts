/** A resource in one of the versions it is served in: decoding what clients send, converting to and from storage. */
import { convert, type KindBehaviour, type ResourceInfo, schemaOf, type TableColumn } from '#api';
import {
  apiVersionOf,
  applyDefaults,
  badRequest,
  decodeObject,
  decodeProtobufObject,
  encodeProtobuf,
  type FieldValidation,
  type GroupResource,
  type GroupVersionKind,
  invalid,
  invalidObject,
  isStatusError,
  type KubeObject,
  parseApiVersion,
  type PatchType,
  ProtobufError,
  parseJson,
  parseYaml,
  StatusError,
  strictDecodingError,
  type StructSchema,
} from '#machinery';
import type { ServedVersion } from '../watch-cache/cache-entry.ts';
import { BUILTIN_SCALE, type ScalePaths } from './scale-paths.ts';
import type { StoredResource } from './stored-resource.ts';

/** What a client sent: a value (in process), or bytes not looked at yet. */
export type RequestBody =
  | { readonly format: 'value'; readonly value: unknown }
  | { readonly format: 'json' | 'yaml' | 'protobuf'; readonly bytes: Buffer };

/** What bodies of one kind are decoded as. */
export interface BodyKind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly schema: StructSchema;
  /** Of a CustomResourceDefinition. */
  readonly isCustom?: boolean;
}

interface Parsed {
  readonly value: unknown;
  readonly duplicates: readonly string[];
}

export class ServedResource implements ServedVersion, BodyKind {
  readonly info: ResourceInfo;
  readonly stored: StoredResource;
  readonly apiVersion: string;
  readonly kind: string;
  readonly #custom: CustomVersion | undefined;

  constructor(info: ResourceInfo, stored: StoredResource, custom?: CustomVersion) {
    this.info = info;
    this.stored = stored;
    this.apiVersion = apiVersionOf(info);
    this.kind = info.kind;
    this.#custom = custom;
  }

  get isCustom(): boolean {
    return this.stored.isCustom;
  }

  get schema(): StructSchema {
    return this.info.schema;
  }

  get groupResource(): GroupResource {
    return { group: this.info.group, resource: this.info.resource };
  }

  get behaviour(): KindBehaviour | undefined {
    return this.#custom?.behaviour ?? this.stored.behaviour;
  }

  /** Absent: name and creation time. */
  get columns(): readonly TableColumn[] | undefined {
    return this.#custom?.columns ?? this.stored.behaviour?.columns;
  }

  get scalePaths(): ScalePaths {
    return this.#custom?.scale ?? BUILTIN_SCALE;
  }

  hasSubresource(name: string): boolean {
    return this.info.subresources.some((subresource) => subresource.name === name);
  }

  /** Whether the stored form is this version's as it is. */
  get isStorageVersion(): boolean {
    return this.info.group === this.stored.group && this.info.version === this.stored.version;
  }

  get isIdentity(): boolean {
    return this.#custom === undefined && this.isStorageVersion;
  }

  fromStorage(object: KubeObject): KubeObject {
    if (this.#custom !== undefined) return this.#custom.fromStorage(object);
    return this.isStorageVersion ? object : convert(object, this.info);
  }

  toStorage(object: KubeObject): KubeObject {
    if (this.isStorageVersion) return object;
    const { group, version } = this.stored;
    if (this.#custom !== undefined) return { ...object, apiVersion: apiVersionOf({ group, version }) };
    return convert(object, { group, version });
  }

  encodeProtobuf(object: KubeObject): Buffer | undefined {
    if (this.#custom !== undefined) return undefined;
    return encodeProtobuf(
      { group: this.info.group, version: this.info.version, kind: this.kind },
      this.schema,
      object,
    );
  }

  /** Decoded, checked against the schema and defaulted; in this version. */
  decode(body: RequestBody, options: DecodeOptions): KubeObject {
    return this.setDefaults(decodeBody(this, body, options));
  }

  setDefaults(object: KubeObject): KubeObject {
    const prepared = this.#custom === undefined ? object : this.#custom.prepareDecoded(object);
    const defaulted = applyDefaults(this.schema, prepared);
    return this.behaviour?.setDefaults?.(defaulted) ?? defaulted;
  }
}

/** A version of a custom resource; the definition's conversion strategy is `None`. */
export interface CustomVersion {
  readonly behaviour: KindBehaviour;
  fromStorage(object: KubeObject): KubeObject;
  /** Between decoding and defaulting. */
  prepareDecoded(object: KubeObject): KubeObject;
  readonly scale?: ScalePaths;
  readonly columns?: readonly TableColumn[];
}

/** `k8s` and a zero byte, before every protobuf body. */
const PROTOBUF_MAGIC_BYTES = 4;

export interface DecodeOptions {
  readonly fieldValidation: FieldValidation;
  readonly warn: (text: string) => void;
}

/** @throws StatusError 400 in upstream's words for anything that is not an object of this kind. */
export function decodeBody(expected: BodyKind, body: RequestBody, options: DecodeOptions): KubeObject {
  if (body.format === 'protobuf') return decodeProtobufBody(expected, body.bytes);
  const wantsDuplicates = options.fieldValidation !== 'Ignore' && body.format !== 'value';
  const { value, duplicates } = parseBody(expected, body, wantsDuplicates);
  const typed = withExpectedType(expected, value);
  try {
    const { object, problems } = decodeObject(expected.schema, typed, {
      fieldValidation: options.fieldValidation,
      duplicates,
    });
    if (problems.length > 0) {
      if (options.fieldValidation === 'Strict') throw strictDecodingError(problems);
      if (options.fieldValidation === 'Warn') for (const problem of problems) options.warn(problem);
    }
    return object;
  } catch (error) {
    throw cannotBeHandled(expected, error);
  }
}

function cannotBeHandled(expected: BodyKind, error: unknown): unknown {
  if (!isStatusError(error) || error.code !== 400) return error;
  const version = expected.apiVersion.slice(expected.apiVersion.indexOf('/') + 1);
  const prefix = `${expected.kind} in version "${version}" cannot be handled as a ${expected.kind}: `;
  if (error.message.includes(' cannot be handled as a ')) return error;
  return new StatusError(400, 'BadRequest', `${prefix}${error.message}`, error.details, error);
}

function parseBody(
  expected: BodyKind,
  body: Exclude<RequestBody, { format: 'protobuf' }>,
  findDuplicates: boolean,
): Parsed {
  if (body.format === 'value') return { value: body.value, duplicates: [] };
  try {
    return body.format === 'json'
      ? parseJson(body.bytes, { findDuplicates })
      : parseYaml(body.bytes.toString(), { findDuplicates });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw badRequest(
      `the object provided is unrecognized (must be of type ${expected.kind}): ` +
        `couldn't get version/kind; json parse error: ${text} (${summarize(body.bytes)})`,
    );
  }
}

/** @throws StatusError 400 for a body that is not JSON, or for server-side apply not YAML. */
export function parsePatch(
  body: RequestBody,
  type: PatchType,
  fieldValidation: FieldValidation,
  warn: (text: string) => void,
): Parsed {
  if (body.format === 'value') return { value: body.value, duplicates: [] };
  const findDuplicates = fieldValidation !== 'Ignore';
  const isApply = type === 'application/apply-patch+yaml';
  try {
    if (!isApply) return parseJson(body.bytes, { findDuplicates });
    const parsed = parseYaml(body.bytes.toString(), { findDuplicates });
    if (parsed.duplicates.length > 0 && fieldValidation === 'Strict') {
      throw badRequest(`error decoding YAML: ${strictDecodingError(parsed.duplicates).message}`);
    }
    for (const duplicate of parsed.duplicates) warn(duplicate);
    return { value: parsed.value, duplicates: [] };
  } catch (error) {
    if (isStatusError(error)) throw error;
    const text = error instanceof Error ? error.message : String(error);
    if (type === 'application/strategic-merge-patch+json') throw badRequest(text);
    throw badRequest(`error decoding ${isApply ? 'YAML' : 'patch'}: ${text}`);
  }
}

/** A body may leave out `kind` and `apiVersion`, but not name others. */
function withExpectedType(expected: BodyKind, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badRequest(
      `the object provided is unrecognized (must be of type ${expected.kind}): couldn't get version/kind; ` +
        `json parse error: json: cannot unmarshal ${jsonTypeName(value)} into Go value of type ` +
        `struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" } ` +
        `(${summarize(Buffer.from(JSON.stringify(value) ?? ''))})`,
    );
  }
  const { apiVersion = '', kind = '' } = value as { readonly apiVersion?: string; readonly kind?: string };
  checkType(expected, apiVersion, kind);
  if (apiVersion !== '' && kind !== '') return value as Readonly<Record<string, unknown>>;
  return { ...value, apiVersion: expected.apiVersion, kind: expected.kind };
}

/** The server's own name of the kind's package, which upstream's messages show: `core.Pod`, `rbac.Role`. */
function internalPackage(apiVersion: string): string {
  const { group } = parseApiVersion(apiVersion);
  return group === '' ? 'core' : (group.split('.')[0] ?? '');
}

function checkType(expected: BodyKind, apiVersion: string, kind: string): void {
  const actualVersion = apiVersion === '' ? expected.apiVersion : apiVersion;
  const actualKind = kind === '' ? expected.kind : kind;
  if (actualKind === expected.kind && actualVersion === expected.apiVersion) return;
  const gvk = { ...parseApiVersion(actualVersion), kind: actualKind };
  const { version } = gvk;
  const cannot = `${actualKind} in version "${version}" cannot be handled as a ${expected.kind}`;
  if (expected.isCustom === true) checkCustomType(expected, gvk, actualVersion);
  if (schemaOf(gvk) === undefined) {
    const scheme = 'in scheme "pkg/runtime/scheme.go:111"';
    throw badRequest(
      `${cannot}: no kind "${actualKind}" is registered for version "${actualVersion}" ${scheme}`,
    );
  }
  if (actualKind !== expected.kind) {
    const target = `${internalPackage(expected.apiVersion)}.${expected.kind}`;
    throw badRequest(`${cannot}: converting (${version}.${actualKind}) to (${target}): unknown conversion`);
  }
  throw badRequest(
    `the API version in the data (${actualVersion}) does not match the expected API version (${expected.apiVersion})`,
  );
}

function checkCustomType(expected: BodyKind, gvk: GroupVersionKind, actualVersion: string): never {
  if (actualVersion !== expected.apiVersion) {
    throw badRequest(
      `the API version in the data (${actualVersion}) does not match the expected API version (${expected.apiVersion})`,
    );
  }
  throw invalidObject(gvk, '', [invalid('kind', gvk.kind, `must be ${expected.kind}`)]);
}

function decodeProtobufBody(expected: BodyKind, bytes: Buffer): KubeObject {
  const object = protobufObject(expected, bytes);
  checkType(expected, object.apiVersion ?? '', object.kind ?? '');
  if (object.apiVersion !== '' && object.kind !== '') return object;
  return { ...object, apiVersion: expected.apiVersion, kind: expected.kind };
}

function protobufObject(expected: BodyKind, bytes: Buffer): KubeObject {
  let why = 'empty body';
  try {
    if (bytes.length > PROTOBUF_MAGIC_BYTES) return decodeProtobufObject(expected.schema, bytes);
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error;
    why = error.message;
  }
  throw badRequest(
    `the object provided is unrecognized (must be of type ${expected.kind}): ${why} (${summarize(bytes)})`,
  );
}

function jsonTypeName(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/** The first bytes of a body, in hexadecimal when it does not look like JSON. */
function summarize(bytes: Buffer): string {
  const LIMIT = 30;
  if (bytes.length === 0) return '<empty>';
  const head = bytes.subarray(0, LIMIT);
  const text = bytes[0] === 0x7b ? head.toString() : head.toString('hex');
  return bytes.length > LIMIT ? `${text} ...` : text;
}
