/**
 * The endpoints of the `kubernetes` Service: the addresses of all API servers of the cluster.
 * A server that is alone with its store publishes itself. Where several share an etcd each keeps a key under a lease,
 * and everyone publishes all keys there are; a server that dies drops out when its lease ends.
 */
import {
  type ApiEndpoint,
  deepEqual,
  isAlreadyExists,
  isConflict,
  isNotFound,
  type KubeObject,
} from '#machinery';
import type { Clock, Logger, Timer } from '#platform';
import { prefixEnd, type Store, type StoreWatch } from '#store';

const PREFIX = '/registry/masterleases/';
const LEASE_TTL_MS = 15_000;
const RENEW_MS = 5_000;

export interface OwnEndpointsOptions {
  readonly endpoint: ApiEndpoint;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly advertise: { readonly address: string; readonly port: number };
}

export class OwnEndpoints {
  readonly #options: OwnEndpointsOptions;
  #leaseId: string | undefined;
  #timer: Timer | undefined;
  #watch: StoreWatch | undefined;
  #isClosed = false;

  constructor(options: OwnEndpointsOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { store, advertise } = this.#options;
    if (store.exclusive === true) return this.#publish([advertise.address]);
    await this.#register();
    this.#watch = store.watch(PREFIX, prefixEnd(PREFIX), { onEvents: () => this.#republish() });
    await this.#publishAll();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#watch?.close();
    const { store } = this.#options;
    if (this.#leaseId !== undefined) await store.revokeLease(this.#leaseId).catch(() => undefined);
  }

  async #register(): Promise<void> {
    const { store, clock, logger, advertise } = this.#options;
    try {
      if (this.#leaseId === undefined) {
        const leaseId = await store.grantLease(LEASE_TTL_MS);
        const put = {
          type: 'put',
          key: PREFIX + advertise.address,
          value: Buffer.alloc(0),
          leaseId,
        } as const;
        await store.transact({ compare: [], writes: [put] });
        this.#leaseId = leaseId;
      } else await store.keepLeaseAlive(this.#leaseId);
    } catch (error) {
      this.#leaseId = undefined;
      logger.warn({ error: String(error) }, 'could not keep this server among the endpoints of the API');
    }
    if (!this.#isClosed) this.#timer = clock.setTimer(RENEW_MS, () => void this.#register());
  }

  #republish(): void {
    this.#publishAll().catch((error: unknown) => {
      this.#options.logger.warn({ error: String(error) }, 'could not publish the endpoints of the API');
    });
  }

  async #publishAll(): Promise<void> {
    if (this.#isClosed) return;
    const { kvs } = await this.#options.store.range(PREFIX, prefixEnd(PREFIX), { keysOnly: true });
    await this.#publish(kvs.map(({ key }) => key.slice(PREFIX.length)));
  }

  async #publish(addresses: readonly string[]): Promise<void> {
    const { port } = this.#options.advertise;
    const ports = [{ name: 'https', port, protocol: 'TCP' }];
    await this.#put('', 'endpoints', {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: {
        name: 'kubernetes',
        namespace: 'default',
        labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' },
      },
      subsets: [{ addresses: addresses.map((ip) => ({ ip })), ports }],
    });
    await this.#put('discovery.k8s.io', 'endpointslices', {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: 'kubernetes',
        namespace: 'default',
        labels: { 'kubernetes.io/service-name': 'kubernetes' },
      },
      addressType: 'IPv4',
      endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
      ports,
    });
  }

  async #put(group: string, resource: string, wanted: KubeObject): Promise<void> {
    const { endpoint } = this.#options;
    const target = { group, version: 'v1', resource, namespace: 'default' };
    for (;;) {
      try {
        const { object } = await endpoint.request({ verb: 'get', ...target, name: 'kubernetes' });
        const existing = object as KubeObject;
        const fields = Object.keys(wanted).filter((field) => field !== 'metadata');
        if (fields.every((field) => deepEqual(existing[field], wanted[field]))) return;
        const metadata = {
          ...existing.metadata,
          labels: { ...existing.metadata.labels, ...wanted.metadata.labels },
        };
        await endpoint.request({
          verb: 'update',
          ...target,
          name: 'kubernetes',
          body: { ...wanted, metadata },
        });
        return;
      } catch (error) {
        if (isConflict(error)) continue;
        if (!isNotFound(error)) throw error;
      }
      try {
        await endpoint.request({ verb: 'create', ...target, body: wanted });
        return;
      } catch (error) {
        // Another server was faster; look again at what it wrote.
        if (!isConflict(error) && !isAlreadyExists(error)) throw error;
      }
    }
  }
}
