/** What must be true of a cluster whatever goes wrong in it. */
import assert from 'node:assert/strict';
import type { appsV1, coreV1 } from '#api';
import { type Client, resources } from '#client';
import { labelSelectorMatches, parseQuantity } from '#machinery';
import type { HistoryObserver } from './history.ts';

const isActive = ({ metadata, status }: coreV1.Pod): boolean =>
  metadata.deletionTimestamp === undefined && status.phase !== 'Succeeded' && status.phase !== 'Failed';
const holdsRoom = ({ spec, status }: coreV1.Pod): boolean =>
  (spec.nodeName ?? '') !== '' && status.phase !== 'Succeeded' && status.phase !== 'Failed';
const isReady = (pod: coreV1.Pod): boolean =>
  isActive(pod) &&
  pod.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;

const ownerUid = ({ metadata }: { readonly metadata: coreV1.Pod['metadata'] }): string | undefined =>
  metadata.ownerReferences?.find(({ controller }) => controller === true)?.uid;

const cpuOf = ({ spec }: coreV1.Pod): number =>
  spec.containers.reduce(
    (sum, { resources: asked }) => sum + parseQuantity(asked?.requests?.['cpu'] ?? '0').milliValue(),
    0,
  );

/**
 * How many of something there may be: as many as were wanted at any time since there last were no more than wanted.
 * So having too many for a while after scaling down is fine, and growing beyond what was ever asked for is not.
 */
class Ceilings {
  readonly #highest = new Map<string, number>();

  want(id: string, wanted: number): void {
    this.#highest.set(id, Math.max(wanted, this.#highest.get(id) ?? 0));
  }

  check(id: string, what: string, actual: number, wanted: number): void {
    const ceiling = Math.max(this.#highest.get(id) ?? 0, wanted);
    assert.ok(actual <= ceiling, `${what}: ${actual} where at most ${ceiling} were ever wanted`);
    this.#highest.set(id, actual <= wanted ? wanted : ceiling);
  }
}

export class Invariants implements HistoryObserver {
  readonly #nodeOfPod = new Map<string, string>();
  readonly #ceilings = new Ceilings();
  readonly #violations: string[] = [];

  /** A pod never changes its node. */
  onPod({ metadata, spec }: coreV1.Pod): void {
    const { nodeName = '' } = spec;
    if (nodeName === '') return;
    const known = this.#nodeOfPod.get(metadata.uid) ?? nodeName;
    if (known !== nodeName)
      this.#violations.push(`pod ${metadata.name} was bound to ${known} and to ${nodeName}`);
    this.#nodeOfPod.set(metadata.uid, known);
  }

  onReplicaSet({ metadata, spec }: appsV1.ReplicaSet): void {
    this.#ceilings.want(metadata.uid, spec.replicas ?? 1);
  }

  onDeployment(deployment: appsV1.Deployment): void {
    this.#ceilings.want(deployment.metadata.uid, mostOf(deployment));
  }

  /** To be called when nothing happens. */
  async check(client: Client): Promise<void> {
    assert.deepEqual(this.#violations, []);
    const { items: pods } = await client.resource(resources.pods).list();
    const { items: nodes } = await client.resource(resources.nodes).list();
    const { items: replicaSets } = await client.resource(resources.replicaSets).list();
    const { items: deployments } = await client.resource(resources.deployments).list();
    checkNodes(nodes, pods);
    for (const { metadata, spec } of replicaSets) {
      const own = pods.filter((pod) => ownerUid(pod) === metadata.uid && isActive(pod));
      this.#ceilings.check(
        metadata.uid,
        `pods of replicaset ${metadata.name}`,
        own.length,
        spec.replicas ?? 1,
      );
    }
    for (const deployment of deployments) {
      const { uid, name } = deployment.metadata;
      const sum = replicaSets
        .filter((replicaSet) => ownerUid(replicaSet) === uid)
        .reduce((total, { spec }) => total + (spec.replicas ?? 1), 0);
      this.#ceilings.check(uid, `replicas wanted of deployment ${name}`, sum, mostOf(deployment));
    }
  }

  /** When nothing has gone wrong for a while: what should be is. */
  async checkAtRest(client: Client): Promise<void> {
    await this.check(client);
    const { items: pods } = await client.resource(resources.pods).list();
    const { items: services } = await client.resource(resources.services, 'default').list();
    const { items: slices } = await client.resource(resources.endpointSlices, 'default').list();
    for (const { metadata, spec } of services) {
      if (spec.selector === undefined) continue;
      const matchLabels = spec.selector;
      const expected = pods
        .filter((pod) => isReady(pod) && labelSelectorMatches({ matchLabels }, pod.metadata.labels))
        .map(({ status }) => status.podIP ?? '');
      const published = slices
        .filter((slice) => slice.metadata.labels?.['kubernetes.io/service-name'] === metadata.name)
        .flatMap(({ endpoints }) => endpoints ?? [])
        .filter(({ conditions }) => conditions?.ready === true)
        .flatMap(({ addresses }) => addresses);
      assert.deepEqual(published.toSorted(), expected.toSorted(), `endpoints of service ${metadata.name}`);
    }
  }
  /** A pod without a node fits on none. Returns whether there are any. */
  async checkWaiting(client: Client): Promise<boolean> {
    const { items: pods } = await client.resource(resources.pods).list();
    const { items: nodes } = await client.resource(resources.nodes).list();
    const waiting = pods.filter((pod) => isActive(pod) && (pod.spec.nodeName ?? '') === '');
    for (const pod of waiting) {
      for (const node of nodes) {
        if ((node.spec.taints ?? []).length > 0) continue;
        const free = roomOn(node) - usedOn(node, pods);
        assert.ok(
          cpuOf(pod) > free,
          `pod ${pod.metadata.name} waits though ${node.metadata.name} has ${free}m`,
        );
      }
    }
    return waiting.length > 0;
  }
}

/** Replicas of all its ReplicaSets together may not exceed this. */
function mostOf({ spec }: appsV1.Deployment): number {
  const replicas = spec.replicas ?? 1;
  const { maxSurge = '25%' } = spec.strategy?.rollingUpdate ?? {};
  const surge =
    typeof maxSurge === 'number' ? maxSurge : Math.ceil((replicas * Number.parseInt(maxSurge, 10)) / 100);
  return replicas + surge;
}

const roomOn = ({ status }: coreV1.Node): number =>
  parseQuantity(status.allocatable?.['cpu'] ?? '0').milliValue();

const podsOn = ({ metadata }: coreV1.Node, pods: readonly coreV1.Pod[]): readonly coreV1.Pod[] =>
  pods.filter((pod) => pod.spec.nodeName === metadata.name && holdsRoom(pod));

const usedOn = (node: coreV1.Node, pods: readonly coreV1.Pod[]): number =>
  podsOn(node, pods).reduce((sum, pod) => sum + cpuOf(pod), 0);

function checkNodes(nodes: readonly coreV1.Node[], pods: readonly coreV1.Pod[]): void {
  for (const node of nodes) {
    const { name } = node.metadata;
    const [used, total] = [usedOn(node, pods), roomOn(node)];
    assert.ok(used <= total, `node ${name}: ${used}m of ${total}m CPU are taken`);
    const count = podsOn(node, pods).length;
    const most = Number(node.status.allocatable?.['pods'] ?? 0);
    assert.ok(count <= most, `node ${name}: ${count} pods where ${most} may be`);
  }
}
