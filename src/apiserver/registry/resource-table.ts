/** Every resource that is served now: the built-in ones and those of CustomResourceDefinitions. */
import assert from 'node:assert';
import { builtinResources, kindBehaviours, type ResourceInfo } from '#api';
import { apiVersionOf, type GroupResource } from '#machinery';
import type { CacheHub } from '../watch-cache/cache-hub.ts';
import type { ResourceCache } from '../watch-cache/resource-cache.ts';
import { builtinPolicy } from './kind-policy.ts';
import { ServedResource } from './served-resource.ts';
import { StoredResource } from './stored-resource.ts';

export class ResourceTable {
  readonly #byPath = new Map<string, ServedResource>();
  /** By the group and resource of any served version; the preferred version first. */
  readonly #byGroupResource = new Map<string, ServedResource[]>();
  readonly #listeners = new Set<() => void>();
  #generation = 0;

  /** `enabled`: versions beyond the stable ones, as `group/version`. */
  constructor(hub: CacheHub, enabled: readonly string[]) {
    const stored = new Map<string, StoredResource>();
    for (const info of builtinResources) {
      if (!info.servedByDefault && !enabled.includes(apiVersionOf(info))) continue;
      const { storage } = info;
      const key = `${storage.group}/${storage.resource}`;
      let resource = stored.get(key);
      if (resource === undefined) {
        resource = new StoredResource({
          hub,
          storage,
          namespaced: info.namespaced,
          policy: builtinPolicy(storage.group, storage.resource),
          behaviour: kindBehaviours.get(`${storage.group}/${storage.kind}`),
        });
        stored.set(key, resource);
      }
      this.#insert(new ServedResource(info, resource));
    }
  }

  /** Grows with every change of what is served: discovery and OpenAPI are cached by it. */
  get generation(): number {
    return this.#generation;
  }

  find(group: string, version: string, resource: string): ServedResource | undefined {
    return this.#byPath.get(pathKey(group, version, resource));
  }

  /** A built-in resource that the server itself needs. */
  require(group: string, version: string, resource: string): ServedResource {
    const served = this.find(group, version, resource);
    assert(served !== undefined, `${pathKey(group, version, resource)} is not served`);
    return served;
  }

  /** Loads every cache, so that reads from here on need no waiting. */
  async loadAll(): Promise<void> {
    const caches = new Set<ResourceCache>();
    for (const { info, stored } of this.#byPath.values())
      if (info.verbs.includes('get')) caches.add(stored.cache);
    await Promise.all(Array.from(caches, (cache) => cache.load()));
  }

  /** In whichever version; for the server's own reading. */
  findStored(gr: GroupResource): StoredResource | undefined {
    return this.#byGroupResource.get(`${gr.group}/${gr.resource}`)?.[0]?.stored;
  }

  findKind(group: string, version: string, kind: string): ServedResource | undefined {
    for (const served of this.#byPath.values()) {
      if (served.kind === kind && served.info.group === group && served.info.version === version)
        return served;
    }
    return undefined;
  }

  hasGroupVersion(group: string, version: string): boolean {
    for (const { info } of this.#byPath.values())
      if (info.group === group && info.version === version) return true;
    return false;
  }

  all(): IterableIterator<ServedResource> {
    return this.#byPath.values();
  }

  infos(): ResourceInfo[] {
    return [...this.#byPath.values()].map(({ info }) => info);
  }

  /** Replaces all versions of a resource. Nothing in `served` means: no longer served. */
  replace(gr: GroupResource, served: readonly ServedResource[]): void {
    for (const old of this.#byGroupResource.get(`${gr.group}/${gr.resource}`) ?? []) {
      this.#byPath.delete(pathKey(old.info.group, old.info.version, old.info.resource));
    }
    this.#byGroupResource.delete(`${gr.group}/${gr.resource}`);
    for (const resource of served) this.#insert(resource);
    this.#generation++;
    for (const listener of this.#listeners) listener();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #insert(served: ServedResource): void {
    const { group, version, resource } = served.info;
    this.#byPath.set(pathKey(group, version, resource), served);
    const key = `${group}/${resource}`;
    const versions = this.#byGroupResource.get(key) ?? [];
    versions.push(served);
    this.#byGroupResource.set(key, versions);
  }
}

const pathKey = (group: string, version: string, resource: string): string =>
  `${group}/${version}/${resource}`;
