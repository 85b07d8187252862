/** Deciding what a new cluster is: ports and addresses that nothing on this machine uses, and no other cluster owns. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { nodeProcesses } from '#platform/node';
import {
  addressPlan,
  CLUSTER_DOMAIN,
  type ClusterConfig,
  LOOPBACK,
  readClusterConfig,
  type StoreConfig,
} from './cluster-config.ts';
import { exclusively } from './exclusive.ts';
import type { ClusterLayout } from './layout.ts';

const FIRST_API_PORT = 6443;
const API_PORTS = 100;
const KUBELET_PORT = 10250;
const SLOTS = 32;

export interface NewClusterOptions {
  readonly mode: ClusterConfig['mode'];
  readonly simulatedNodes: number;
  readonly store: StoreConfig;
  readonly runtimeConfig: readonly string[];
  /** 0: 6443, or the next free one. */
  readonly apiPort: number;
}

/** Every port or address block of the choice is taken. */
export class NoRoomError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NoRoomError';
  }
}

/** The cluster's config, made when there is none. @throws NoRoomError */
export async function makeClusterConfig(
  layout: ClusterLayout,
  options: NewClusterOptions,
): Promise<ClusterConfig> {
  mkdirSync(layout.data, { recursive: true, mode: 0o700 });
  // Two that choose at the same moment would choose the same.
  return exclusively(join(dirname(layout.data), '.new-cluster'), async () => {
    const known = readClusterConfig(layout.configFile);
    if (known !== undefined) return known;
    const config = await chooseConfig(layout, options);
    writeFileSync(layout.configFile, `${JSON.stringify(config, null, 2)}\n`);
    return config;
  });
}

async function chooseConfig(layout: ClusterLayout, options: NewClusterOptions): Promise<ClusterConfig> {
  const isReal = options.mode === 'real';
  const others = otherClusters(layout);
  return {
    name: layout.name,
    mode: options.mode,
    nodes: isReal
      ? [layout.name]
      : Array.from({ length: options.simulatedNodes }, (_, i) => `${layout.name}-${i + 1}`),
    apiPort: options.apiPort === 0 ? await freePort(others) : options.apiPort,
    kubeletPort: KUBELET_PORT,
    store: options.store,
    ...(options.runtimeConfig.length === 0 ? {} : { runtimeConfig: options.runtimeConfig }),
    clusterDomain: CLUSTER_DOMAIN,
    ...(isReal ? await freeAddressPlan(others) : addressPlan(0)),
  };
}

/** All others of this user, running or not: one that is down wants its ports and addresses back when it comes up. */
function otherClusters(layout: ClusterLayout): readonly ClusterConfig[] {
  const root = dirname(layout.data);
  return readdirSync(root).flatMap((name) => {
    if (name === basename(layout.data)) return [];
    try {
      const config = readClusterConfig(join(root, name, basename(layout.configFile)));
      return config === undefined ? [] : [config];
    } catch {
      // Not a cluster, or one that is being removed.
      return [];
    }
  });
}

async function freePort(others: readonly ClusterConfig[]): Promise<number> {
  for (let port = FIRST_API_PORT; port < FIRST_API_PORT + API_PORTS; port++) {
    const isOwned = others.some(({ apiPort }) => apiPort === port);
    if (!isOwned && (await portIsFree(port))) return port;
  }
  throw new NoRoomError(`no free port from ${FIRST_API_PORT} on: name one with --port`);
}

const portIsFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, LOOPBACK, () => server.close(() => resolve(true)));
  });

/** The first plan whose blocks no route of this machine and no other cluster uses. */
async function freeAddressPlan(others: readonly ClusterConfig[]): Promise<ReturnType<typeof addressPlan>> {
  const routes = await nodeProcesses.run('ip', ['-4', 'route', 'show']).then(
    (result) => result.stdout.toString(),
    () => '',
  );
  const prefix = (cidr: string): string => `${cidr.split('.').slice(0, 2).join('.')}.`;
  for (let slot = 0; slot < SLOTS; slot++) {
    const plan = addressPlan(slot);
    const isOwned = others.some(({ mode, podCidr }) => mode === 'real' && podCidr === plan.podCidr);
    if (!isOwned && !routes.includes(prefix(plan.podCidr)) && !routes.includes(prefix(plan.serviceCidr)))
      return plan;
  }
  throw new NoRoomError('no free address block for pods: remove other clusters with k8ts down --purge');
}
