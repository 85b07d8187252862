/**
 * A whole cluster inside a test: the API server, the controllers, the scheduler and a kubelet per node, the same code
 * that runs in production, in this process and in memory. Containers are simulated, and the test holds the clock.
 */
import type { ApiServer } from '#apiserver';
import type { Client } from '#client';
import type { SimulatedNodes } from '#cluster';
import type { Controller } from '#controllers';
import type { SimulatedBehaviour } from '#kubelet';
import type { UserInfo } from '#machinery';
import { type Logger, type Random, silentLogger } from '#platform';
import { Interposer, type RequestFault } from './request-faults.ts';
import { seededRandom } from './seeded-random.ts';
import { serviceAccountKeyPem } from './service-account-key.ts';
import { VirtualClock } from './virtual-clock.ts';

export interface StartClusterOptions {
  /** Default: a new one that stands at 2026-01-01T00:00:00Z until the test moves it. */
  readonly clock?: VirtualClock;
  /** Named `node-1`, `node-2`, …. Default 1; 0 for a control plane alone. */
  readonly nodes?: number;
  /** Default: all that a cluster has. Those given run alone, each with the rights of its own service account. */
  readonly controllers?: readonly Controller[];
  /** Default true. False: the test binds pods to nodes itself. */
  readonly scheduler?: boolean;
  /** Of all dice. The same seed and the same test give the same cluster, to the names of its pods. Default 1. */
  readonly seed?: number;
  /** What simulated containers do. Default: they start at once and run until stopped. */
  readonly behaviour?: SimulatedBehaviour;
  readonly logger?: Logger;
}

/** For tests that play the rest themselves. */
export const API_SERVER_ALONE: StartClusterOptions = { nodes: 0, scheduler: false, controllers: [] };

export interface TestCluster {
  /** To let others reach it over HTTPS. */
  readonly apiServer: ApiServer;
  readonly clock: VirtualClock;
  readonly random: Random;
  /** As cluster administrator. */
  readonly client: Client;
  clientFor(user: UserInfo): Client;
  /** Ends a node's kubelet, as if its machine had lost power. */
  failNode(name: string): Promise<void>;
  /** Makes requests of the cluster's components and of its clients fail; returns the way to end that. */
  addFault(fault: RequestFault): () => void;
  /** Lets time pass; see `VirtualClock.advance`. */
  advance(ms: number): Promise<void>;
  /** Lets time run until the condition holds; see `VirtualClock.waitFor`. */
  waitFor(
    condition: () => boolean | Promise<boolean>,
    options?: { readonly withinMs?: number },
  ): Promise<void>;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Published to pods as the cluster's CA. Nothing here listens on TLS, so no real one is needed. */
const NO_CA = '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n';

/**
 * Starts a cluster and resolves when its nodes are ready to take pods.
 *
 * @example
 * await using cluster = await startCluster({ nodes: 3 });
 * await cluster.client.resource(resources.deployments, 'default').create(deployment);
 * await cluster.waitFor(async () => (await readDeployment()).status.availableReplicas === 3);
 */
export async function startCluster(options: StartClusterOptions = {}): Promise<TestCluster> {
  const { clock = new VirtualClock(), nodes = 1, seed = 1, logger = silentLogger } = options;
  const { behaviour, controllers, scheduler = true } = options;
  // Loaded only here: those who need no more than the clock do not pay for a whole cluster.
  const { ADMIN, startControlPlane, startSimulatedNodes } = await import('#cluster');
  const { createMemoryStore } = await import('#store');
  const random = seededRandom(seed);
  const store = createMemoryStore({ clock });
  const requests = new Interposer();
  clock.addBusyProbe(() => requests.underWay > 0);
  const controlPlane = startControlPlane({
    store,
    clock,
    random,
    logger,
    serviceAccountKeyPem: serviceAccountKeyPem(),
    caPem: NO_CA,
    scheduler,
    ...(controllers === undefined ? {} : { controllers }),
    interpose: (endpoint, user) => requests.interpose(endpoint, user),
  });
  await controlPlane.ready;
  const clientFor = (user: UserInfo): Client => controlPlane.clientFor(user);
  const simulated: SimulatedNodes = startSimulatedNodes({
    nodes: Array.from({ length: nodes }, (_, i) => `node-${i + 1}`),
    clientFor,
    clock,
    random,
    logger,
    ...(behaviour === undefined ? {} : { behaviour }),
  });
  await simulated.ready;
  await clock.settle();
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= (async () => {
      await simulated.stop();
      await controlPlane.stop();
      await store.close();
    })();
    return stopped;
  };
  return {
    apiServer: controlPlane.apiServer,
    clock,
    random,
    client: clientFor(ADMIN),
    clientFor,
    failNode: (name) => simulated.fail(name),
    addFault: (fault) => requests.addFault(fault),
    advance: (ms) => clock.advance(ms),
    waitFor: (condition, waiting) => clock.waitFor(condition, waiting),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
