/**
 * The ConfigMaps and Secrets that pods of this node use: each is watched by name while anybody needs it, shared, and
 * let go with its last user. A node may read only what its pods reference, so watching whole namespaces is not an
 * option.
 */
import type { coreV1 } from '#api';
import { type Client, type ResourceRef, resources } from '#client';
import { isNotFound, type KubeObject, notFound } from '#machinery';
import type { Clock, Logger, Random } from '#platform';

export type ReferencedKind = 'configMaps' | 'secrets';

export interface ReferencedObjects {
  configMap(namespace: string, name: string, user: string): Promise<coreV1.ConfigMap>;
  secret(namespace: string, name: string, user: string): Promise<coreV1.Secret>;
  /** `user` (a pod's uid) needs nothing any more. */
  release(user: string): void;
  /** Called with the users of an object that changed, appeared or went. */
  onChange(listener: (users: readonly string[]) => void): void;
  stop(): void;
}

/** After a broken watch: first pause and longest pause. */
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 30_000;
const SHORT_WATCH_MS = 1000;

interface Watched {
  readonly ref: ResourceRef<KubeObject>;
  readonly namespace: string;
  readonly name: string;
  readonly users: Set<string>;
  readonly stop: AbortController;
  /** Settles with the first answer. */
  readonly first: Promise<void>;
  object: KubeObject | undefined;
  failure: unknown;
  /** It was read at least once. */
  seen: boolean;
}

export class WatchedObjects implements ReferencedObjects {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #watched = new Map<string, Watched>();
  readonly #byUser = new Map<string, Set<string>>();
  #listener: (users: readonly string[]) => void = () => undefined;

  constructor(options: {
    readonly client: Client;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
  }) {
    this.#client = options.client;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#logger = options.logger;
  }

  async configMap(namespace: string, name: string, user: string): Promise<coreV1.ConfigMap> {
    return (await this.#get('configMaps', namespace, name, user)) as unknown as coreV1.ConfigMap; // ref decides the kind
  }

  async secret(namespace: string, name: string, user: string): Promise<coreV1.Secret> {
    return (await this.#get('secrets', namespace, name, user)) as unknown as coreV1.Secret; // ref decides the kind
  }

  onChange(listener: (users: readonly string[]) => void): void {
    this.#listener = listener;
  }

  release(user: string): void {
    for (const key of this.#byUser.get(user) ?? []) {
      const watched = this.#watched.get(key);
      watched?.users.delete(user);
      if (watched?.users.size !== 0) continue;
      this.#watched.delete(key);
      watched.stop.abort(new Error('nobody needs it any more'));
    }
    this.#byUser.delete(user);
  }

  stop(): void {
    for (const { stop } of this.#watched.values()) stop.abort(new Error('the kubelet stops'));
    this.#watched.clear();
    this.#byUser.clear();
  }

  async #get(kind: ReferencedKind, namespace: string, name: string, user: string): Promise<KubeObject> {
    const key = `${kind}/${namespace}/${name}`;
    let watched = this.#watched.get(key);
    if (watched === undefined) {
      watched = this.#open(resources[kind] as ResourceRef<KubeObject>, namespace, name);
      this.#watched.set(key, watched);
    }
    watched.users.add(user);
    const used = this.#byUser.get(user);
    if (used === undefined) this.#byUser.set(user, new Set([key]));
    else used.add(key);
    await watched.first;
    if (watched.object !== undefined) return watched.object;
    if (watched.failure !== undefined && !isNotFound(watched.failure)) throw watched.failure;
    // Upstream's kubelet says `configmap "x" not found`, in the singular.
    throw notFound({ group: '', resource: kind === 'configMaps' ? 'configmap' : 'secret' }, name);
  }

  #open(ref: ResourceRef<KubeObject>, namespace: string, name: string): Watched {
    const { promise, resolve } = Promise.withResolvers<void>();
    const watched: Watched = {
      ref,
      namespace,
      name,
      users: new Set(),
      stop: new AbortController(),
      first: promise,
      object: undefined,
      failure: undefined,
      seen: false,
    };
    this.#follow(watched, resolve).catch((e: unknown) => {
      if (!watched.stop.signal.aborted)
        this.#logger.error({ err: e, name, namespace }, 'watch of a referenced object died');
    });
    return watched;
  }

  /** Reads, then watches, and starts over when the watch ends. */
  async #follow(watched: Watched, answered: () => void): Promise<void> {
    const { signal } = watched.stop;
    let pauseMs = FIRST_RETRY_MS;
    while (!signal.aborted) {
      const began = this.#clock.monotonic();
      try {
        await this.#readAndWatch(watched, answered);
        // One that ends at once is no better than one that fails: taking it up at once would spin.
        if (this.#clock.monotonic() - began < SHORT_WATCH_MS) throw new Error('the watch ended at once');
        pauseMs = FIRST_RETRY_MS;
      } catch (e) {
        if (signal.aborted) return;
        if (!watched.seen) watched.failure = e;
        answered();
        this.#logger.debug(
          { err: e, name: watched.name, namespace: watched.namespace },
          'watch of a referenced object failed',
        );
        await this.#clock.sleep(pauseMs * (1 + this.#random.next()), { signal }).catch(() => undefined);
        pauseMs = Math.min(pauseMs * 2, MAX_RETRY_MS);
      }
    }
  }

  async #readAndWatch(watched: Watched, answered: () => void): Promise<void> {
    const { signal } = watched.stop;
    const resource = this.#client.resource(watched.ref, watched.namespace);
    const fieldSelector = `metadata.name=${watched.name}`;
    const list = await resource.list({ fieldSelector, signal });
    this.#see(watched, list.items[0]);
    answered();
    const { resourceVersion } = list.metadata;
    for await (const event of await resource.watch({
      fieldSelector,
      resourceVersion,
      allowWatchBookmarks: true,
      signal,
    })) {
      if (event.type === 'ADDED' || event.type === 'MODIFIED') this.#see(watched, event.object);
      else if (event.type === 'DELETED') this.#see(watched, undefined);
      else if (event.type === 'ERROR') return;
    }
  }

  #see(watched: Watched, object: KubeObject | undefined): void {
    const { seen, object: before } = watched;
    watched.object = object;
    watched.failure = undefined;
    watched.seen = true;
    if (!seen || before?.metadata.resourceVersion === object?.metadata.resourceVersion) return;
    this.#listener([...watched.users]);
  }
}
