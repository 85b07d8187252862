/** A resource as it is stored: one cache, one set of rules, whatever versions it is served in. */
import { type KindBehaviour, schemaOf } from '#api';
import { apiVersionOf, decodeObject, type GroupResource, type KubeObject } from '#machinery';
import { type FieldsOf, metadataFields } from '../watch-cache/selection.ts';
import type { CacheHub } from '../watch-cache/cache-hub.ts';
import { REGISTRY_PREFIX } from '../watch-cache/cache-hub.ts';
import { ResourceCache } from '../watch-cache/resource-cache.ts';
import type { KindPolicy } from './kind-policy.ts';

/** Stands for the core group in keys of the store. */
const CORE_SEGMENT = 'core';

export class StoredResource {
  readonly group: string;
  /** Of what is written from now on; a definition may change it, and older objects keep theirs. */
  version: string;
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly isCustom: boolean;
  readonly policy: KindPolicy;
  readonly cache: ResourceCache;
  /** Replaced when a CustomResourceDefinition changes. */
  behaviour: KindBehaviour | undefined;
  #selectable: readonly string[] | undefined;

  constructor(options: {
    readonly hub: CacheHub;
    readonly storage: {
      readonly group: string;
      readonly version: string;
      readonly resource: string;
      readonly kind: string;
    };
    readonly namespaced: boolean;
    readonly policy: KindPolicy;
    readonly behaviour?: KindBehaviour | undefined;
    readonly isCustom?: boolean;
  }) {
    const { storage } = options;
    this.group = storage.group;
    this.version = storage.version;
    this.resource = storage.resource;
    this.kind = storage.kind;
    this.namespaced = options.namespaced;
    this.policy = options.policy;
    this.behaviour = options.behaviour;
    this.isCustom = options.isCustom === true;
    this.cache = new ResourceCache({
      hub: options.hub,
      prefix: `${REGISTRY_PREFIX}${storage.group === '' ? CORE_SEGMENT : storage.group}/${storage.resource}/`,
      fieldsOf: (object) => this.fieldsOf(object),
    });
  }

  get groupResource(): GroupResource {
    return { group: this.group, resource: this.resource };
  }

  /** Values of all fields that field selectors may name. */
  readonly fieldsOf: FieldsOf = (object) => {
    const own = this.behaviour?.selectableFields;
    return own === undefined ? metadataFields(object) : { ...metadataFields(object), ...own(object) };
  };

  /** Names of the selectable fields beyond metadata's. */
  get selectableFields(): readonly string[] {
    this.#selectable ??= Object.keys(this.behaviour?.selectableFields?.(this.#emptyObject()) ?? {});
    return this.#selectable;
  }

  /** An object of this kind with nothing in it, as decoding makes it: the parts that are never absent are there. */
  #emptyObject(): KubeObject {
    const empty = { apiVersion: apiVersionOf(this), kind: this.kind, metadata: {} };
    const schema = schemaOf(this);
    return schema === undefined
      ? { ...empty, spec: {}, status: {} }
      : decodeObject(schema, empty, { fieldValidation: 'Ignore' }).object;
  }

  redefine(version: string, behaviour: KindBehaviour | undefined): void {
    this.version = version;
    this.behaviour = behaviour;
    this.#selectable = undefined;
  }

  /** `namespace/name`, or `name` for cluster-scoped resources. */
  keyOf(namespace: string | undefined, name: string): string {
    return this.namespaced ? `${namespace ?? ''}/${name}` : name;
  }

  keyOfObject(object: KubeObject): string {
    return this.keyOf(object.metadata.namespace, object.metadata.name ?? '');
  }
}
