/** An API server in memory with its real security, on a clock held by the test: what a controller is tested against. */
import type { ApiServer } from '#apiserver';
import { type Client, createClient, createInformerFactory, type InformerFactory } from '#client';
import type { UserInfo } from '#machinery';
import { type Logger, type Random, silentLogger } from '#platform';
import type { Store } from '#store';
import { Interposer, type RequestFault } from './request-faults.ts';
import { seededRandom } from './seeded-random.ts';
import { serviceAccountKeyPem } from './service-account-key.ts';
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
  /** Returns the way to end the fault. */
  addFault(fault: RequestFault): () => void;
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
  // Loaded only here: those who need no more than the clock do not pay for a server.
  const { createApiServer, createSecurity } = await import('#apiserver');
  const random = seededRandom(seed);
  const { createMemoryStore } = await import('#store');
  const store = createMemoryStore({ clock });
  const security = createSecurity({
    clock,
    random,
    logger,
    issuer: 'https://kubernetes.default.svc.cluster.local',
    signingKeyPem: serviceAccountKeyPem(),
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
  const requests = new Interposer();
  clock.addBusyProbe(() => requests.underWay > 0);
  const clientFor = (user: UserInfo): Client =>
    createClient(requests.interpose(server.endpointFor(user), user));
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
    addFault: (fault) => requests.addFault(fault),
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
