/**
 * One revision of one object as the watch cache holds it: decoded once, encoded at most once per served version and
 * encoding, whoever asks.
 *
 * The store holds JSON whose `metadata.resourceVersion` is empty, because the revision is only known when the write
 * has happened. `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","uid":"…","resourceVersion":"",…}}` becomes
 * what clients get by putting the digits between the quotes: bytes are copied, nothing is parsed.
 * The first occurrence of `"resourceVersion":""` is the right one since `metadata` is written first (see
 * `encodeForStore`) and names cannot contain quotes.
 */
import type { KubeObject } from '#machinery';
import type { Revision } from '#store';

/** A version in which a resource is served. Compared by identity: one instance per resource and version. */
export interface ServedVersion {
  readonly apiVersion: string;
  readonly kind: string;
  /** True when `fromStorage` always returns its argument. */
  readonly isIdentity: boolean;
  /** From the stored form. Returns its argument when the forms are the same. */
  fromStorage(object: KubeObject): KubeObject;
  /** `k8s\0` envelope; undefined for kinds without a protobuf form (custom resources). */
  encodeProtobuf(object: KubeObject): Buffer | undefined;
}

interface Encodings {
  readonly object: KubeObject;
  json: Buffer | undefined;
  protobuf: Buffer | undefined;
}

/** As Go prints ObjectMeta. */
const METADATA_ORDER = [
  'name',
  'generateName',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
  'managedFields',
] as const satisfies readonly (keyof KubeObject['metadata'])[];

const EMPTY_RESOURCE_VERSION = Buffer.from('"resourceVersion":""');
/** Offset of the closing quote in the pattern above. */
const DIGITS_OFFSET = EMPTY_RESOURCE_VERSION.length - 1;

export class CacheEntry {
  /** `namespace/name`, or `name` of a cluster-scoped object. */
  readonly key: string;
  readonly revision: Revision;
  /** Revision of the object's creation. */
  readonly createRevision: Revision;
  #stored: Buffer | undefined;
  #object: KubeObject | undefined;
  #json: Buffer | undefined;
  #protobuf: Buffer | undefined;
  /** `undefined`: in this version the object is as it is stored. */
  #views: Map<ServedVersion, Encodings | undefined> | undefined;
  #fields: Readonly<Record<string, string>> | undefined;

  private constructor(
    key: string,
    revision: Revision,
    createRevision: Revision,
    stored: Buffer | undefined,
    object: KubeObject | undefined,
  ) {
    this.key = key;
    this.revision = revision;
    this.createRevision = createRevision;
    this.#stored = stored;
    this.#object = object;
  }

  /** `object`, when the writer still has it, is taken over: its `resourceVersion` is set in place. */
  static fromStore(
    key: string,
    revision: Revision,
    createRevision: Revision,
    stored: Buffer,
    object?: KubeObject,
  ): CacheEntry {
    if (object !== undefined) setResourceVersion(object, revision);
    return new CacheEntry(key, revision, createRevision, stored, object);
  }

  static fromObject(key: string, revision: Revision, object: KubeObject): CacheEntry {
    return new CacheEntry(key, revision, revision, undefined, object);
  }

  /** The last state of a deleted object, carrying the revision of the deletion. */
  tombstone(revision: Revision): CacheEntry {
    const metadata = { ...this.object.metadata, resourceVersion: String(revision) };
    return new CacheEntry(this.key, revision, this.createRevision, undefined, { ...this.object, metadata });
  }

  /** In the stored version. Shared: never mutated. */
  get object(): KubeObject {
    if (this.#object === undefined) {
      const object = JSON.parse((this.#stored ?? Buffer.alloc(0)).toString()) as KubeObject;
      setResourceVersion(object, this.revision);
      this.#object = object;
    }
    return this.#object;
  }

  in(version: ServedVersion): KubeObject {
    const view = this.#view(version);
    return view === undefined ? this.object : view.object;
  }

  json(version: ServedVersion): Buffer {
    const view = this.#view(version);
    if (view !== undefined) {
      view.json ??= Buffer.from(JSON.stringify(view.object));
      return view.json;
    }
    if (this.#json === undefined) {
      this.#json =
        this.#stored === undefined
          ? Buffer.from(JSON.stringify(this.object))
          : withResourceVersion(this.#stored, this.revision);
      // From here on the bytes with the revision serve every purpose.
      if (this.#object !== undefined) this.#stored = undefined;
    }
    return this.#json;
  }

  protobuf(version: ServedVersion): Buffer | undefined {
    const view = this.#view(version);
    if (view !== undefined) {
      view.protobuf ??= version.encodeProtobuf(view.object);
      return view.protobuf;
    }
    this.#protobuf ??= version.encodeProtobuf(this.object);
    return this.#protobuf;
  }

  /** What field selectors see, computed once. */
  fields(of: (object: KubeObject) => Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    this.#fields ??= of(this.object);
    return this.#fields;
  }

  /** Undefined: what is stored serves as it is. */
  #view(version: ServedVersion): Encodings | undefined {
    if (version.isIdentity) return undefined;
    this.#views ??= new Map();
    const known = this.#views.get(version);
    if (known !== undefined || this.#views.has(version)) return known;
    const converted = version.fromStorage(this.object);
    const view =
      converted === this.object ? undefined : { object: converted, json: undefined, protobuf: undefined };
    this.#views.set(version, view);
    return view;
  }
}

/**
 * Puts `kind`, `apiVersion` and `metadata` first and an empty `resourceVersion` behind `uid`: the form in which
 * objects are written, and the object whose bytes they are.
 */
export function encodeForStore(object: KubeObject): { readonly object: KubeObject; readonly stored: Buffer } {
  const metadata: Record<string, unknown> = {};
  for (const name of METADATA_ORDER) {
    if (name === 'resourceVersion') metadata[name] = '';
    else if (object.metadata[name] !== undefined) metadata[name] = object.metadata[name];
  }
  const { kind, apiVersion, metadata: _, ...rest } = object;
  const ordered: KubeObject = { kind, apiVersion, metadata, ...rest };
  return { object: ordered, stored: Buffer.from(JSON.stringify(ordered)) };
}

/** Only ever called on an object that nobody else has seen yet. */
function setResourceVersion(object: KubeObject, revision: Revision): void {
  (object.metadata as { resourceVersion: string }).resourceVersion = String(revision);
}

function withResourceVersion(stored: Buffer, revision: Revision): Buffer {
  const at = stored.indexOf(EMPTY_RESOURCE_VERSION) + DIGITS_OFFSET;
  const digits = String(revision);
  const out = Buffer.allocUnsafe(stored.length + digits.length);
  stored.copy(out, 0, 0, at);
  out.write(digits, at, 'latin1');
  stored.copy(out, at + digits.length, at);
  return out;
}
