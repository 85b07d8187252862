/** A cluster in the test with the controllers under test alone, and hands to play scheduler and kubelet. */
import type { coreV1, Draft } from '#api';
import { type Client, resources } from '#client';
import { isAlreadyExists } from '#machinery';
import { startCluster, type StartClusterOptions, type TestCluster, type VirtualClock } from '#testing';
import type { Controller } from './controller.ts';

export const NAMESPACE = 'default';

export interface ControllersFixture {
  readonly cluster: TestCluster;
  readonly clock: VirtualClock;
  /** As a member of system:masters. */
  readonly client: Client;
  /** Lets the controllers finish what they have to do, their first retries included. */
  settle(): Promise<void>;
  /** Those not being deleted, by name. */
  pods(): Promise<readonly coreV1.Pod[]>;
  /** Writes over fields of a pod's status. */
  setPodStatus(name: string, status: Partial<coreV1.PodStatus>): Promise<void>;
  /** Running and ready, on a node. */
  runPod(name: string, nodeName?: string): Promise<void>;
  runAllPods(): Promise<void>;
  /** Takes the pod away at once, as a kubelet does when its containers have ended. */
  removePod(name: string): Promise<void>;
  /** `reason: message` of the events about an object, oldest first. */
  eventsOf(name: string): Promise<readonly string[]>;
  createNode(name: string, change?: Partial<Draft<coreV1.Node>>): Promise<coreV1.Node>;
  stop(): Promise<void>;
}

const DEFAULT_NODE = 'node-1';

export async function startControllersFixture(
  controllers: readonly Controller[],
  options: Pick<StartClusterOptions, 'seed'> = {},
): Promise<ControllersFixture> {
  const cluster = await startCluster({ ...options, controllers, scheduler: false, nodes: 0 });
  const { client, clock } = cluster;
  // The controllers under test may be the ones that make these.
  const serviceAccounts = client.resource(resources.serviceAccounts, NAMESPACE);
  await client
    .resource(resources.namespaces)
    .create({ metadata: { name: NAMESPACE }, spec: {} })
    .catch(unlessThere);
  await serviceAccounts.create({ metadata: { name: 'default' } }).catch(unlessThere);
  const pods = client.resource(resources.pods, NAMESPACE);
  const settle = (): Promise<void> => clock.advance(1000);
  const fixture: ControllersFixture = {
    cluster,
    clock,
    client,
    settle,
    async pods() {
      const { items } = await pods.list();
      return items
        .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
        .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    },
    async setPodStatus(name, status) {
      const pod = await pods.get(name);
      await pods.updateStatus({ ...pod, status: { ...pod.status, ...status } });
    },
    async runPod(name, nodeName = DEFAULT_NODE) {
      const pod = await pods.get(name);
      if (pod.spec.nodeName === undefined)
        await pods.createSubresource(name, 'binding', {
          metadata: { name },
          target: { kind: 'Node', name: nodeName },
        });
      const now = new Date(clock.now()).toISOString();
      await fixture.setPodStatus(name, {
        phase: 'Running',
        startTime: now,
        conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: now }],
      });
    },
    async runAllPods() {
      for (const { metadata, status } of await fixture.pods())
        if (status.phase === 'Pending') await fixture.runPod(metadata.name);
      await settle();
    },
    async removePod(name) {
      await pods.delete(name, { gracePeriodSeconds: 0 });
    },
    async eventsOf(name) {
      const { items } = await client.resource(resources.events).list();
      return items
        .filter(({ involvedObject }) => involvedObject.name === name)
        .map(({ reason, message }) => `${reason}: ${message}`);
    },
    createNode: (name, change = {}) =>
      client
        .resource(resources.nodes)
        .create({ spec: {}, ...change, metadata: { name, ...change.metadata } }),
    stop: () => cluster.stop(),
  };
  return fixture;
}

function unlessThere(error: unknown): void {
  if (!isAlreadyExists(error)) throw error;
}
