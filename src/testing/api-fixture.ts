/** An API server in memory with its real security, on a clock held by the test: what a controller is tested against. */
import { generateKeyPairSync } from 'node:crypto';
import { createApiServer, createSecurity, type ApiServer } from '#apiserver';
import { type Client, createClient, createInformerFactory, type InformerFactory } from '#client';
import type { ApiEndpoint, UserInfo } from '#machinery';
import { type Logger, type Random, silentLogger } from '#platform';
import { createMemoryStore, type Store } from '#store';
import { seededRandom } from './seeded-random.ts';
import { VirtualClock } from './virtual-clock.ts';

export interface ApiFixture {
  readonly server: ApiServer;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly store: Store;
  /** As a member of system:masters. */
  readonly client: Client;
  /** Started; as system:masters. */
  readonly informers: InformerFactory;
  clientFor(user: UserInfo): Client;
  /** As a service account of kube-system: what a controller of that name may do. */
  clientForController(name: string): Client;
  stop(): Promise<void>;
}

export interface ApiFixtureOptions {
  readonly seed?: number;
  readonly clock?: VirtualClock;
  readonly logger?: Logger;
}

const ADMIN: UserInfo = { name: 'admin', groups: ['system:masters', 'system:authenticated'] };

export async function startApiFixture(options: ApiFixtureOptions = {}): Promise<ApiFixture> {
  const { seed = 1, clock = new VirtualClock(), logger = silentLogger } = options;
  const random = seededRandom(seed);
  const store = createMemoryStore({ clock });
  const security = createSecurity({
    clock,
    random,
    logger,
    issuer: 'https://kubernetes.default.svc.cluster.local',
    signingKeyPem: signingKeyPem(),
    externalAddress: '127.0.0.1:6443',
  });
  const server = createApiServer({
    store,
    clock,
    random,
    logger,
    authenticator: (reader) => security.authenticator(reader),
    authorizer: (reader) => security.authorizer(reader),
    admission: (reader, dependencies) => security.admission(reader, dependencies),
    virtualResources: (reader) => security.virtualResources(reader),
    bootstrapObjects: security.bootstrapObjects(),
  });
  await server.ready;
  const requests = new RequestCounter();
  clock.addBusyProbe(() => requests.underWay > 0);
  const clientFor = (user: UserInfo): Client => createClient(requests.counted(server.endpointFor(user)));
  const client = clientFor(ADMIN);
  const informers = createInformerFactory({ client, clock, random, logger });
  informers.start();
  return {
    server,
    clock,
    random,
    store,
    client,
    informers,
    clientFor,
    clientForController: (name) => clientFor(serviceAccountUser('kube-system', name)),
    async stop() {
      await informers.stop();
      await server.close();
      await store.close();
    },
  };
}

export function serviceAccountUser(namespace: string, name: string): UserInfo {
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
  };
}

/** Tells the clock that a request is under way, so that time does not pass before its answer. */
class RequestCounter {
  underWay = 0;

  counted(endpoint: ApiEndpoint): ApiEndpoint {
    const count = async <R>(call: () => Promise<R>): Promise<R> => {
      this.underWay++;
      try {
        return await call();
      } finally {
        this.underWay--;
      }
    };
    return {
      request: (request, options) => count(() => endpoint.request(request, options)),
      watch: (request, options) => count(() => endpoint.watch(request, options)),
    };
  }
}

let cachedKey: string | undefined;

/** One key for all servers of a test run: making one costs more than starting the server. */
function signingKeyPem(): string {
  cachedKey ??= generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  });
  return cachedKey;
}
