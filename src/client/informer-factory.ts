import type { KubeObject } from '#machinery';
import type { Clock, Logger, Random } from '#platform';
import type { Client, ResourceRef } from './client.ts';
import { type Informer, type InformerFactory, type InformerHandler, objectKey } from './informer.ts';
import { ObjectCache } from './object-cache.ts';
import { Reflector } from './reflector.ts';

export interface InformerScope {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface InformerFactoryOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface InformerOptions<T> extends InformerFactoryOptions {
  readonly ref: ResourceRef<T>;
  readonly scope?: InformerScope;
}

/** An informer of one's own, for what comes and goes: custom resources, single objects a pod mounts. */
export interface OwnInformer<T> extends Informer<T> {
  start(): void;
  /** Ends the watch; the cache keeps its last state. */
  stop(): Promise<void>;
}

interface Cached {
  readonly metadata: {
    readonly namespace?: string;
    readonly name?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
  };
}

export function createInformer<T = KubeObject>(options: InformerOptions<T>): OwnInformer<T> {
  // Sound: whatever an API serves has metadata; T is free only so that generated types without index signature fit.
  return new ReflectedInformer(options as unknown as InformerOptions<Cached>) as unknown as OwnInformer<T>;
}

class ReflectedInformer<T extends Cached> implements OwnInformer<T> {
  readonly #options: InformerOptions<T>;
  readonly #cache: ObjectCache<T>;
  readonly #stopped = new AbortController();
  readonly #firstSync = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;
  hasSynced = false;

  constructor(options: InformerOptions<T>) {
    this.#options = options;
    this.#cache = new ObjectCache((error) =>
      options.logger.error({ err: error, resource: options.ref.resource }, 'informer handler failed'),
    );
  }

  start(): void {
    if (this.#running !== undefined || this.#stopped.signal.aborted) return;
    const { client, ref, scope = {}, clock, random, logger } = this.#options;
    const { namespace, ...selectors } = scope;
    const cache = this.#cache;
    const reflector = new Reflector<T>({
      client: namespace === undefined ? client.resource(ref) : client.resource(ref, namespace),
      scope: selectors,
      keyOf: objectKey,
      target: {
        replace: (objects) => cache.replace(objects),
        set: (object) => cache.set(object),
        delete: (key, last) => cache.delete(key, last),
        onSynced: () => {
          this.hasSynced = true;
          this.#firstSync.resolve();
        },
      },
      clock,
      random,
      logger: logger.child({ resource: ref.resource, ...(ref.group === '' ? {} : { group: ref.group }) }),
    });
    this.#running = reflector.run(this.#stopped.signal);
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('informer stopped'));
    await this.#running;
  }

  get(key: string): T | undefined {
    return this.#cache.get(key);
  }

  list(namespace?: string): readonly T[] {
    return this.#cache.list(namespace);
  }

  byIndex(index: string, value: string): readonly T[] {
    return this.#cache.byIndex(index, value);
  }

  addIndex(name: string, keysOf: (object: T) => readonly string[]): void {
    this.#cache.addIndex(name, keysOf);
  }

  addHandler(handler: InformerHandler<T>): () => void {
    return this.#cache.addHandler(handler);
  }

  async synced({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.hasSynced) return;
    if (signal === undefined) {
      await this.#firstSync.promise;
      return;
    }
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const onAbort = (): void => aborted.reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await Promise.race([this.#firstSync.promise, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}

/** One informer per resource and scope, shared by all who ask. */
export function createInformerFactory(options: InformerFactoryOptions): InformerFactory {
  const informers = new Map<string, OwnInformer<unknown>>();
  let started = false;
  return {
    for<T = KubeObject>(ref: ResourceRef<T>, scope: InformerScope = {}): Informer<T> {
      const { namespace = '', labelSelector = '', fieldSelector = '' } = scope;
      const id = [ref.group, ref.version, ref.resource, namespace, labelSelector, fieldSelector].join('\n');
      const known = informers.get(id);
      // Sound: the id names the resource, and a resource has one type.
      if (known !== undefined) return known as unknown as Informer<T>;
      const informer = createInformer({ ...options, ref, scope });
      informers.set(id, informer);
      if (started) informer.start();
      return informer;
    },
    start() {
      started = true;
      for (const informer of informers.values()) informer.start();
    },
    async stop() {
      await Promise.all([...informers.values()].map((informer) => informer.stop()));
    },
  };
}
