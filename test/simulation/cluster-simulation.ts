/**
 * A whole cluster under random work and random faults, all from one seed: the same code as in production on a clock
 * that jumps, so that hours pass in seconds and every run can be had again.
 */
import assert from 'node:assert/strict';
import type { appsV1, Draft } from '#api';
import { resources } from '#client';
import { isNotFound } from '#machinery';
import type { Random } from '#platform';
import { seededRandom, startCluster, type TestCluster, unavailable } from '#testing';
import { History } from './history.ts';
import { Invariants } from './invariants.ts';

const NODES = 4;
/** Enough must stay for everything to run in the end. */
const MOST_FAILED_NODES = 2;
const NAMES = ['ant', 'bee', 'cat', 'dog'];
const MOST_REPLICAS = 5;
const CPU_REQUESTS = ['100m', '300m', '600m', '1500m'];
/** Its pods may drive out those of others. */
const URGENT = 'ant';
const PAUSES_MS = [0, 100, 2_000, 15_000, 60_000, 7 * 60_000];
const FAULT_SHARE = 0.2;
const ADMIN_NAME = 'kubernetes-admin';
/** Longer than a dead node's pods are tolerated, and than the longest back-off of any controller. */
const REST_MS = 25 * 60_000;

export interface SimulationResult {
  readonly history: readonly string[];
  readonly virtualMs: number;
}

export async function simulate(seed: number, steps: number): Promise<SimulationResult> {
  await using cluster = await startCluster({ nodes: NODES, seed });
  const simulation = new ClusterSimulation(cluster, seededRandom(seed ^ 0x5eed));
  return await simulation.run(steps);
}

class ClusterSimulation {
  readonly #cluster: TestCluster;
  /** Dice of its own, so that what the test does depends on nothing that the cluster does. */
  readonly #dice: Random;
  readonly #history: History;
  readonly #invariants = new Invariants();
  readonly #failedNodes: string[] = [];
  #endFaults: (() => void) | undefined;
  #images = 0;

  constructor(cluster: TestCluster, dice: Random) {
    this.#cluster = cluster;
    this.#dice = dice;
    this.#history = new History(cluster.clock);
  }

  async run(steps: number): Promise<SimulationResult> {
    const { client, clock } = this.#cluster;
    await client.resource(resources.priorityClasses).create({ metadata: { name: 'urgent' }, value: 1_000 });
    await this.#history.start(client, this.#invariants);
    for (let step = 0; step < steps; step++) {
      const what = await this.#act();
      this.#history.note(`-- ${what}`);
      await this.#cluster.advance(this.#oneOf(PAUSES_MS));
      await this.#invariants.check(client);
    }
    await this.#rest();
    await this.#invariants.checkAtRest(client);
    await this.#checkAvailable();
    await this.#tearDown();
    await this.#history.stop();
    return { history: this.#history.lines, virtualMs: clock.monotonic() };
  }

  /** Returns what was done. */
  async #act(): Promise<string> {
    const roll = this.#dice.next();
    const name = this.#oneOf(NAMES);
    if (roll < 0.25) return this.#createOrScale(name);
    if (roll < 0.4) return this.#change(name, { spec: { replicas: this.#upTo(MOST_REPLICAS) } });
    if (roll < 0.55) return this.#rollOut(name);
    if (roll < 0.65) return this.#deleteDeployment(name);
    if (roll < 0.78) return this.#deleteSomePod();
    if (roll < 0.95) return this.#toggleFaults();
    return this.#failNode();
  }

  async #createOrScale(name: string): Promise<string> {
    const deployments = this.#cluster.client.resource(resources.deployments, 'default');
    const { items } = await deployments.list();
    if (items.some(({ metadata }) => metadata.name === name))
      return this.#change(name, { spec: { replicas: this.#upTo(MOST_REPLICAS) } });
    await deployments.create(this.#draft(name));
    await this.#cluster.client
      .resource(resources.services, 'default')
      .create({ metadata: { name }, spec: { selector: { app: name }, ports: [{ port: 80 }] } })
      .catch(() => undefined);
    return `create ${name}`;
  }

  #draft(name: string): Draft<appsV1.Deployment> {
    const labels = { app: name };
    const requests = { cpu: this.#oneOf(CPU_REQUESTS) };
    return {
      metadata: { name },
      spec: {
        replicas: this.#upTo(MOST_REPLICAS),
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            containers: [{ name: 'c', image: 'web:0', resources: { requests } }],
            ...(name === URGENT ? { priorityClassName: 'urgent' } : {}),
          },
        },
      },
    };
  }

  async #rollOut(name: string): Promise<string> {
    const image = `web:${++this.#images}`;
    const containers = [{ name: 'c', image }];
    return this.#change(name, { spec: { template: { spec: { containers } } } });
  }

  async #change(name: string, patch: object): Promise<string> {
    const type = 'application/strategic-merge-patch+json';
    const deployments = this.#cluster.client.resource(resources.deployments, 'default');
    await ignoreMissing(deployments.patch(name, type, patch));
    return `change ${name} ${JSON.stringify(patch)}`;
  }

  async #deleteDeployment(name: string): Promise<string> {
    const { client } = this.#cluster;
    const options = { propagationPolicy: this.#oneOf(['Background', 'Foreground'] as const) };
    await ignoreMissing(client.resource(resources.deployments, 'default').delete(name, options));
    return `delete ${name} ${options.propagationPolicy}`;
  }

  async #deleteSomePod(): Promise<string> {
    const pods = this.#cluster.client.resource(resources.pods, 'default');
    const { items } = await pods.list();
    if (items.length === 0) return 'no pod to delete';
    const { name } = this.#oneOf(items).metadata;
    await ignoreMissing(pods.delete(name));
    return `delete pod ${name}`;
  }

  async #toggleFaults(): Promise<string> {
    if (this.#endFaults !== undefined) {
      this.#stopFaults();
      return 'faults end';
    }
    this.#endFaults = this.#cluster.addFault((_request, user) =>
      user.name !== ADMIN_NAME && this.#dice.next() < FAULT_SHARE ? unavailable() : undefined,
    );
    return 'faults begin';
  }

  async #failNode(): Promise<string> {
    const name = `node-${this.#failedNodes.length + 1}`;
    if (this.#failedNodes.length === MOST_FAILED_NODES) return 'enough nodes have failed';
    this.#failedNodes.push(name);
    await this.#cluster.failNode(name);
    return `fail ${name}`;
  }

  #stopFaults(): void {
    this.#endFaults?.();
    this.#endFaults = undefined;
  }

  async #rest(): Promise<void> {
    this.#stopFaults();
    this.#history.note('-- rest');
    await this.#cluster.advance(REST_MS);
  }

  /** Whoever waits has no place to go; where nobody waits, all that was asked for is there. */
  async #checkAvailable(): Promise<void> {
    if (await this.#invariants.checkWaiting(this.#cluster.client)) return;
    const { items } = await this.#cluster.client.resource(resources.deployments, 'default').list();
    for (const { metadata, spec, status } of items) {
      // Deleted in the foreground, it waits for pods of dead nodes, which nobody has confirmed to be gone.
      if (metadata.deletionTimestamp !== undefined) continue;
      const { availableReplicas = 0, updatedReplicas = 0 } = status;
      const replicas = spec.replicas ?? 1;
      assert.deepEqual(
        [availableReplicas, updatedReplicas],
        [replicas, replicas],
        `deployment ${metadata.name}`,
      );
    }
  }

  /** Everything deleted, dead nodes too: no pod may be left. */
  async #tearDown(): Promise<void> {
    const { client } = this.#cluster;
    for (const name of NAMES)
      await ignoreMissing(client.resource(resources.deployments, 'default').delete(name));
    for (const name of this.#failedNodes) await client.resource(resources.nodes).delete(name);
    this.#history.note('-- tear down');
    await this.#cluster.advance(REST_MS);
    const { items: pods } = await client.resource(resources.pods, 'default').list();
    const { items: replicaSets } = await client.resource(resources.replicaSets, 'default').list();
    const left = [...pods, ...replicaSets].map(({ metadata }) => metadata.name);
    assert.deepEqual(left, [], 'left behind');
  }

  #oneOf<T>(choices: readonly T[]): T {
    const choice = choices[Math.floor(this.#dice.next() * choices.length)];
    assert.ok(choice !== undefined);
    return choice;
  }

  #upTo(most: number): number {
    return Math.floor(this.#dice.next() * (most + 1));
  }
}

async function ignoreMissing(request: Promise<unknown>): Promise<void> {
  await request.catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}
