/**
 * Serves what CustomResourceDefinitions define, from the moment their names are accepted until their last instance is
 * gone. Driven by changes of the definitions; no polling.
 */
import type { apiextensionsV1 } from '#api';
import { deepEqual, isStatusError, type KubeObject } from '#machinery';
import { type Clock, formatTime, type Logger } from '#platform';
import type { Store } from '#store';
import { CUSTOM_RESOURCE_POLICY, DEFINITION_FINALIZER } from '../registry/kind-policy.ts';
import { withMetadata } from '../registry/object-metadata.ts';
import type { ObjectDeleter } from '../registry/object-deleter.ts';
import type { ResourceTable } from '../registry/resource-table.ts';
import type { ServedResource } from '../registry/served-resource.ts';
import { changeStored } from '../registry/store-commit.ts';
import { StoredResource } from '../registry/stored-resource.ts';
import type { WriteCall } from '../registry/write-call.ts';
import { typed } from '../typed-object.ts';
import type { CacheHub } from '../watch-cache/cache-hub.ts';
import { servedVersions, storageVersionOf } from './custom-kind.ts';
import {
  ESTABLISHED,
  hasCondition,
  NAMES_ACCEPTED,
  namedStatus,
  TERMINATING,
  terminatingStatus,
} from './definition-status.ts';

type Definition = apiextensionsV1.CustomResourceDefinition;

/** Between attempts after an unexpected failure. */
const RETRY_MS = 1000;

export interface CustomResourcesOptions {
  readonly hub: CacheHub;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly table: ResourceTable;
  readonly deleter: ObjectDeleter;
  /** `customresourcedefinitions` */
  readonly definitions: ServedResource;
  /** The server's own authority, for deleting instances. */
  readonly call: WriteCall;
}

interface Served {
  readonly stored: StoredResource;
  readonly versions: readonly ServedResource[];
}

export class CustomResources {
  readonly #options: CustomResourcesOptions;
  readonly #served = new Map<string, Served>();
  readonly #cleaning = new Set<string>();
  #stop: () => void = () => undefined;
  #isClosed = false;

  constructor(options: CustomResourcesOptions) {
    this.#options = options;
  }

  /** Definitions that are established already are served when it resolves. */
  async start(): Promise<void> {
    const { cache } = this.#options.definitions.stored;
    await cache.load();
    this.#stop = cache.onChange((before, after) => this.#onChange(before, after));
    const all = Array.from(cache.entries(), ({ object }) => object);
    for (const object of all) this.#onChange(undefined, object);
    await Promise.all(Array.from(this.#served.values(), ({ stored }) => stored.cache.load()));
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
  }

  #onChange(before: KubeObject | undefined, after: KubeObject | undefined): void {
    const name = after?.metadata.name ?? before?.metadata.name ?? '';
    if (after === undefined) return this.#drop(name);
    const definition = typed<Definition>(after);
    const old = before && typed<Definition>(before);
    const isServedAnew =
      old === undefined ||
      hasCondition(old, ESTABLISHED) !== hasCondition(definition, ESTABLISHED) ||
      old.metadata.deletionTimestamp !== definition.metadata.deletionTimestamp ||
      !deepEqual(old.spec, definition.spec);
    if (hasCondition(definition, ESTABLISHED) && isServedAnew) this.#serve(definition);
    this.#work(name, () => this.#reconcile(name));
  }

  /** Runs apart from the change that caused it, and again after a while when it fails. */
  #work(name: string, work: () => Promise<void>): void {
    queueMicrotask(() => {
      work().catch((error: unknown) => {
        if (this.#isClosed || (isStatusError(error) && error.reason === 'NotFound')) return;
        this.#options.logger.warn(
          { definition: name, error: String(error) },
          'could not bring a definition up to date',
        );
        this.#options.clock.setTimer(RETRY_MS, () => this.#work(name, work));
      });
    });
  }

  async #reconcile(name: string): Promise<void> {
    const { store, definitions, clock } = this.#options;
    if (this.#isClosed) return;
    const live = definitions.stored.cache.get(name)?.object;
    if (live === undefined) return;
    if (live.metadata.deletionTimestamp !== undefined) return this.#cleanUp(name);
    const now = formatTime(clock.now());
    await changeStored(store, definitions.stored, name, (object) => {
      const definition = typed<Definition>(object);
      const status = namedStatus(definition, this.#othersInGroup(definition), now);
      return deepEqual(status, definition.status) ? object : { ...object, status };
    });
  }

  #othersInGroup({ spec, metadata }: Definition): readonly Definition[] {
    return Array.from(this.#options.definitions.stored.cache.entries(), ({ object }) =>
      typed<Definition>(object),
    ).filter((other) => other.spec.group === spec.group && other.metadata.name !== metadata.name);
  }

  #serve(definition: Definition): void {
    const { hub, table, logger } = this.#options;
    const name = definition.metadata.name ?? '';
    const { group, names, scope } = definition.spec;
    const gr = { group, resource: names.plural };
    const known = this.#served.get(name);
    if (known === undefined && table.findStored(gr) !== undefined) return;
    const storage = { ...gr, version: storageVersionOf(definition), kind: names.kind };
    const stored =
      known?.stored ??
      new StoredResource({
        hub,
        storage,
        namespaced: scope === 'Namespaced',
        policy: CUSTOM_RESOURCE_POLICY,
        isCustom: true,
      });
    try {
      const versions = servedVersions(definition, stored);
      const storageVersion = versions.find(({ info }) => info.version === storage.version);
      stored.redefine(storage.version, storageVersion?.behaviour);
      this.#served.set(name, { stored, versions });
      const offered = new Set(
        definition.spec.versions.filter(({ served }) => served).map((version) => version.name),
      );
      table.replace(
        gr,
        versions.filter(({ info }) => offered.has(info.version)),
      );
    } catch (error) {
      logger.error({ definition: name, error: String(error) }, 'a definition cannot be served');
    }
  }

  #drop(name: string): void {
    const known = this.#served.get(name);
    if (known === undefined) return;
    this.#served.delete(name);
    this.#options.table.replace(known.stored.groupResource, []);
    known.stored.cache.close();
    // A name that was refused because of this one may be free now.
    for (const { object } of this.#options.definitions.stored.cache.entries()) {
      const other = typed<Definition>(object);
      if (other.spec.group !== known.stored.group || hasCondition(other, NAMES_ACCEPTED)) continue;
      this.#work(other.metadata.name ?? '', () => this.#reconcile(other.metadata.name ?? ''));
    }
  }

  /** Deletes all instances, waits for the last to go, then lets the definition go. */
  async #cleanUp(name: string): Promise<void> {
    if (this.#cleaning.has(name)) return;
    this.#cleaning.add(name);
    try {
      const { store, definitions, clock } = this.#options;
      const now = formatTime(clock.now());
      const { object } = await changeStored(store, definitions.stored, name, (live) => {
        const definition = typed<Definition>(live);
        return hasCondition(definition, TERMINATING)
          ? live
          : { ...live, status: terminatingStatus(definition, now) };
      });
      if (object.metadata.finalizers?.includes(DEFINITION_FINALIZER) !== true) return;
      const served = this.#served.get(name);
      if (served !== undefined) await this.#deleteInstances(served);
      await this.#letGo(name);
    } finally {
      this.#cleaning.delete(name);
    }
  }

  async #deleteInstances({ stored, versions }: Served): Promise<void> {
    const { deleter, call } = this.#options;
    const served = versions.find(({ info }) => info.version === stored.version) ?? versions[0];
    if (served === undefined) return;
    await stored.cache.fresh();
    const { group, version, resource } = served.info;
    for (const { object } of Array.from(stored.cache.entries())) {
      const { name, namespace } = object.metadata;
      try {
        await deleter.delete(served, { group, version, resource, name, namespace }, {}, call);
      } catch (error) {
        if (!isStatusError(error) || error.reason !== 'NotFound') throw error;
      }
    }
    await new Promise<void>((resolve) => {
      if (stored.cache.size === 0) return resolve();
      const stop = stored.cache.onChange(() => {
        if (stored.cache.size > 0) return;
        stop();
        resolve();
      });
    });
  }

  async #letGo(name: string): Promise<void> {
    const { store, definitions, deleter } = this.#options;
    const entry = await changeStored(store, definitions.stored, name, (live) => {
      const left = live.metadata.finalizers?.filter((finalizer) => finalizer !== DEFINITION_FINALIZER);
      return withMetadata(live, { finalizers: left?.length === 0 ? undefined : left });
    });
    if ((entry.object.metadata.finalizers?.length ?? 0) === 0) await deleter.finish(definitions, entry);
  }
}
