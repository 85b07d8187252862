/** The API server, put together. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ApiEndpoint, UserInfo } from '#machinery';
import type { AdmissionPlugin } from './admission/admission.ts';
import type { Authorizer } from './authorization/authorizer.ts';
import { ApiServices } from './api-services.ts';
import { bootstrap } from './bootstrap-cluster.ts';
import { CustomResources } from './crd/custom-resources.ts';
import { DiscoveryPaths } from './discovery/discovery-paths.ts';
import { Endpoints } from './endpoints/endpoints.ts';
import { LocalEndpoint } from './endpoints/local-endpoint.ts';
import { type ApiServerOptions, DEFAULT_NODE_PORTS, DEFAULT_SERVICE_CIDR } from './options.ts';
import { OwnEndpoints } from './own-endpoints.ts';
import type { CacheReader } from './reader.ts';
import { TableReader } from './registry/cache-reader.ts';
import { EventLeases } from './registry/event-leases.ts';
import { ObjectDeleter } from './registry/object-deleter.ts';
import { ObjectWriter, type WriteCompanion } from './registry/object-writer.ts';
import { ResourceTable } from './registry/resource-table.ts';
import { AddressRange } from './registry/service-allocation/address-range.ts';
import { ServiceAllocator } from './registry/service-allocation/service-allocator.ts';
import { Subresources } from './registry/subresources.ts';
import type { VirtualResource } from './registry/virtual-resource.ts';
import { ApiHandler } from './serving/api-handler.ts';
import { ConnectHandler } from './serving/connect-handler.ts';
import { type Listener, listenHttps, type ListenOptions } from './serving/https-listener.ts';
import { RequestMetrics } from './serving/request-metrics.ts';
import { ResourceHandler } from './serving/resource-handler.ts';
import { serverPaths } from './serving/server-paths.ts';
import { WatchServer } from './serving/watch-server.ts';
import { CacheHub } from './watch-cache/cache-hub.ts';
import { StoreCompaction } from './watch-cache/store-compaction.ts';

/** How long requests may go on after `close`. */
const DRAIN_MS = 2000;
/** Who the server itself acts as. */
const SERVER_MANAGER = 'kube-apiserver';
const SERVER_USER: UserInfo = {
  name: 'system:apiserver',
  groups: ['system:masters', 'system:authenticated'],
};

export interface ApiServer {
  /** In process, object level, nothing is serialised; objects are shared and must not be mutated. */
  endpointFor(user: UserInfo): ApiEndpoint;
  listen(options: ListenOptions): Promise<Listener>;
  readonly reader: CacheReader;
  /** Caches are loaded and the bootstrap objects are there. */
  readonly ready: Promise<void>;
  /** Ends watches, gives requests a moment, closes listeners. The store stays open. */
  close(): Promise<void>;
}

export function createApiServer(options: ApiServerOptions): ApiServer {
  return new Server(options);
}

class Server implements ApiServer {
  readonly reader: CacheReader;
  readonly ready: Promise<void>;
  readonly #options: ApiServerOptions;
  readonly #hub: CacheHub;
  readonly #table: ResourceTable;
  readonly #endpoints: Endpoints;
  readonly #custom: CustomResources;
  readonly #handler: ApiHandler;
  readonly #watches: WatchServer;
  readonly #connects: ConnectHandler;
  readonly #compaction: StoreCompaction;
  readonly #metrics = new RequestMetrics();
  readonly #listeners: Listener[] = [];
  #loading: Promise<void> | undefined;
  #ownEndpoints: OwnEndpoints | undefined;
  #isReady = false;
  #isClosing = false;

  constructor(options: ApiServerOptions) {
    const { store, clock, random, logger } = options;
    this.#options = options;
    this.#hub = new CacheHub({ store, clock, logger });
    this.#compaction = new StoreCompaction({ store, clock, logger });
    this.#table = new ResourceTable(this.#hub, options.enabledVersions ?? []);
    this.reader = new TableReader(this.#table);
    const authorizer = options.authorizer(this.reader);
    const parts = this.#registry(authorizer);
    this.#endpoints = parts.endpoints;
    this.#custom = parts.custom;
    const endpoint = this.endpointFor(SERVER_USER);
    const connectors = options.connectors?.({ reader: this.reader, endpoint }) ?? [];
    this.#connects = new ConnectHandler({
      endpoints: this.#endpoints,
      admission: parts.admission,
      connectors,
    });
    this.#watches = new WatchServer({ endpoints: this.#endpoints, clock, random });
    this.#handler = new ApiHandler({
      endpoints: this.#endpoints,
      authenticator: options.authenticator(this.reader),
      resources: new ResourceHandler({ endpoints: this.#endpoints, clock, watches: this.#watches }),
      paths: serverPaths({
        discovery: new DiscoveryPaths({ table: this.#table, serverAddress: this.#serverAddress }),
        table: this.#table,
        metrics: this.#metrics,
        isReady: () => this.#isReady && !this.#isClosing,
        documents: options.documents ?? [],
        platform: options.platform ?? 'linux/amd64',
      }),
      connects: this.#connects,
      metrics: this.#metrics,
      clock,
      random,
      logger,
    });
    this.#loading = this.#load().finally(() => {
      this.#loading = undefined;
    });
    this.ready = this.#start(endpoint);
    // Whoever awaits it is told; nobody awaiting it is no reason to end the process.
    this.ready.catch((error: unknown) =>
      logger.error({ error: String(error) }, 'the API server could not start'),
    );
  }

  endpointFor(user: UserInfo): ApiEndpoint {
    const { clock, random } = this.#options;
    const manager = user === SERVER_USER ? SERVER_MANAGER : undefined;
    return new LocalEndpoint({
      endpoints: this.#endpoints,
      user,
      clock,
      random,
      loading: () => this.#loading,
      manager,
    });
  }

  async listen(options: ListenOptions): Promise<Listener> {
    if (this.#loading !== undefined) await this.#loading;
    const listener = await listenHttps(options, {
      request: (exchange) => void this.#handler.handle(exchange),
      upgrade: (request, socket, head, certificate) => this.#upgrade(request, socket, head, certificate),
    });
    this.#listeners.push(listener);
    return listener;
  }

  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#custom.close();
    await this.#ownEndpoints?.close();
    this.#watches.endAll();
    await this.#handler.drained(DRAIN_MS);
    this.#compaction.close();
    this.#hub.close();
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }

  get #serverAddress(): string {
    const { advertise } = this.#options;
    return advertise === undefined ? '' : `${advertise.address}:${advertise.port}`;
  }

  #registry(authorizer: Authorizer): {
    readonly endpoints: Endpoints;
    readonly admission: () => readonly AdmissionPlugin[];
    readonly custom: CustomResources;
  } {
    const { store, clock, random, logger } = this.#options;
    let plugins: readonly AdmissionPlugin[] | undefined;
    let virtual: readonly VirtualResource[] | undefined;
    const admission = (): readonly AdmissionPlugin[] => {
      plugins ??= this.#options.admission(this.reader, { endpoint: this.endpointFor(SERVER_USER) });
      return plugins;
    };
    const services = new ServiceAllocator({
      hub: this.#hub,
      clock,
      random,
      addresses: this.#table.require('networking.k8s.io', 'v1', 'ipaddresses').stored,
      range: new AddressRange(this.#options.serviceCidr ?? DEFAULT_SERVICE_CIDR),
      nodePorts: this.#options.nodePorts ?? DEFAULT_NODE_PORTS,
    });
    const companions = new Map<string, WriteCompanion>([
      ['/services', services],
      ['/events', new EventLeases({ store, clock })],
    ]);
    const deleter = new ObjectDeleter({ store, clock, admission, companions });
    const writer = new ObjectWriter({
      store,
      clock,
      random,
      admission,
      companions,
      finishDeletion: (served, entry) => deleter.finish(served, entry),
      authorizeCreate: (target, call) => endpoints.authorize({ user: call.user, verb: 'create', ...target }),
    });
    const pods = this.#table.require('', 'v1', 'pods');
    const budgets = this.#table.require('policy', 'v1', 'poddisruptionbudgets').stored;
    const subresources = new Subresources({
      store,
      clock,
      deleter,
      writer,
      admission,
      pods,
      budgets,
      virtual: () => (virtual ??= this.#options.virtualResources(this.reader)),
    });
    const endpoints: Endpoints = new Endpoints({
      table: this.#table,
      writer,
      deleter,
      subresources,
      authorizer,
      clock,
      random,
    });
    const custom = new CustomResources({
      hub: this.#hub,
      store,
      clock,
      logger,
      table: this.#table,
      deleter,
      definitions: this.#table.require('apiextensions.k8s.io', 'v1', 'customresourcedefinitions'),
      call: {
        user: SERVER_USER,
        dryRun: false,
        manager: SERVER_MANAGER,
        warn: () => undefined,
        signal: new AbortController().signal,
      },
    });
    return { endpoints, admission, custom };
  }

  async #load(): Promise<void> {
    await this.#hub.start();
    this.#compaction.start();
    await this.#table.loadAll();
    await this.#custom.start();
  }

  async #start(endpoint: ApiEndpoint): Promise<void> {
    await this.#loading;
    await bootstrap(endpoint, this.#options);
    const { clock, logger } = this.#options;
    await new ApiServices({ endpoint, table: this.#table, clock, logger }).start();
    await this.#publishOwnEndpoints(endpoint);
    this.#isReady = true;
  }

  async #publishOwnEndpoints(endpoint: ApiEndpoint): Promise<void> {
    const { store, clock, logger, advertise } = this.#options;
    if (advertise === undefined) return;
    this.#ownEndpoints = new OwnEndpoints({ endpoint, store, clock, logger, advertise });
    try {
      await this.#ownEndpoints.start();
    } catch (error) {
      // As upstream: a server whose address cannot be published (a loopback address is no endpoint) serves all the same.
      logger.warn({ error: String(error) }, 'could not publish the endpoints of the API');
    }
  }

  #upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    certificate: Uint8Array | undefined,
  ): void {
    void this.#handler.upgrade(request, socket, head, certificate);
  }
}
