/**
 * Nodes without a machine: the real kubelet over a runtime, files and programs that live in memory. The same in a
 * test, with the test's clock, and in `k8ts up` where real containers are not possible.
 */
import { type Client, createEventRecorder, createInformerFactory } from '#client';
import {
  createKubelet,
  createMemoryFiles,
  createSimulatedRuntime,
  type Kubelet,
  type SimulatedBehaviour,
  simulatedProbes,
  simulatedProcesses,
} from '#kubelet';
import type { UserInfo } from '#machinery';
import type { Clock, Logger, Random, Sockets } from '#platform';

export interface SimulatedNodesOptions {
  readonly nodes: readonly string[];
  readonly clientFor: (user: UserInfo) => Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly behaviour?: SimulatedBehaviour;
  /** Quantities by resource name; default 4 cores, 8 GiB. */
  readonly capacity?: Readonly<Record<string, string>>;
}

export interface SimulatedNodes {
  readonly ready: Promise<void>;
  /** Ends one node's kubelet, as if its machine had lost power. Its Node object stays. */
  fail(nodeName: string): Promise<void>;
  stop(): Promise<void>;
}

const DEFAULT_CAPACITY = { cpu: '4', memory: '8Gi', 'ephemeral-storage': '100Gi' };

export const nodeUser = (name: string): UserInfo => ({
  name: `system:node:${name}`,
  groups: ['system:nodes', 'system:authenticated'],
});

/** Nothing listens anywhere on a simulated node. */
const noSockets: Sockets = {
  connectTcp: () => Promise.reject(new Error('simulated nodes have no network')),
  listenTcp: () => Promise.reject(new Error('simulated nodes have no network')),
  bindUdp: () => Promise.reject(new Error('simulated nodes have no network')),
};

interface RunningNode {
  readonly kubelet: Kubelet;
  stop(): Promise<void>;
}

function createNode(name: string, index: number, options: SimulatedNodesOptions): RunningNode {
  const { clock, random, behaviour } = options;
  const logger = options.logger.child({ node: name });
  const client = options.clientFor(nodeUser(name));
  const informers = createInformerFactory({ client, clock, random, logger });
  const events = createEventRecorder({ client, component: 'kubelet', host: name, clock, random, logger });
  const runtime = createSimulatedRuntime({
    clock,
    random,
    podCidr: `10.${128 + (index >> 8)}.${index & 255}.0/24`,
    ...(behaviour === undefined ? {} : { behaviour }),
  });
  const kubelet = createKubelet({
    nodeName: name,
    client,
    informers,
    events,
    runtime,
    images: runtime,
    clock,
    random,
    logger,
    files: createMemoryFiles(clock),
    processes: simulatedProcesses,
    sockets: noSockets,
    probes: simulatedProbes,
    machine: {
      capacity: options.capacity ?? DEFAULT_CAPACITY,
      memoryBytes: 8 * 1024 ** 3,
      systemInfo: {
        architecture: 'amd64',
        bootID: random.uuid(),
        machineID: random.uuid(),
        systemUUID: random.uuid(),
        kernelVersion: 'simulated',
        osImage: 'simulated',
      },
    },
    nodeIps: [`10.127.${index >> 8}.${(index & 255) + 1}`],
    clusterDns: ['10.96.0.10'],
    clusterDomain: 'cluster.local',
    kubeletPort: 0,
    labels: { 'k8ts.dev/simulated': 'true' },
  });
  return {
    kubelet,
    async stop() {
      await kubelet.stop();
      events.stop();
      await informers.stop();
    },
  };
}

export function startSimulatedNodes(options: SimulatedNodesOptions): SimulatedNodes {
  const nodes = new Map(options.nodes.map((name, index) => [name, createNode(name, index, options)]));
  const ready = Promise.all([...nodes.values()].map(({ kubelet }) => kubelet.start())).then(() => undefined);
  ready.catch((error: unknown) => options.logger.error({ err: error }, 'a simulated node did not start'));
  const end = async (name: string): Promise<void> => {
    const node = nodes.get(name);
    nodes.delete(name);
    await node?.stop();
  };
  return {
    ready,
    fail: end,
    async stop() {
      await Promise.all([...nodes.keys()].map(end));
    },
  };
}
