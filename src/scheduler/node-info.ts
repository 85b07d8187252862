/** A node with what runs on it, kept up to date pod by pod. */
import type { coreV1 } from '#api';
import { affinityOf, type PodAffinities } from './pod-affinity.ts';
import { podRequests, podRequestsForScoring, type Resources, resourcesOf } from './resources.ts';

/** A port on the node that a pod occupies. */
export interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

export interface PlacedPod {
  readonly pod: coreV1.Pod;
  readonly requests: Resources;
  readonly scoringRequests: Resources;
  readonly hostPorts: readonly HostPort[];
  /** Absent when it has no affinity to other pods. */
  readonly affinities: PodAffinities | undefined;
}

const ANY_IP = '0.0.0.0';
const NO_PORTS: readonly HostPort[] = [];

export function hostPortsOf({ spec }: coreV1.Pod): readonly HostPort[] {
  let ports: HostPort[] | undefined;
  const collect = (container: coreV1.Container): void => {
    for (const port of container.ports ?? []) {
      const { hostPort = 0, hostIP = '' } = port;
      if (hostPort <= 0) continue;
      ports ??= [];
      ports.push({ ip: hostIP === '' ? ANY_IP : hostIP, protocol: port.protocol ?? 'TCP', port: hostPort });
    }
  };
  for (const container of spec.containers) collect(container);
  for (const container of spec.initContainers ?? [])
    if (container.restartPolicy === 'Always') collect(container);
  return ports ?? NO_PORTS;
}

const collide = (a: HostPort, b: HostPort): boolean =>
  a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || a.ip === ANY_IP || b.ip === ANY_IP);

export class NodeInfo {
  #node: coreV1.Node;
  #allocatable: Resources;
  #allowedPods: number;
  readonly #pods = new Map<string, PlacedPod>();
  readonly #withAffinity = new Map<string, PlacedPod>();
  readonly #scalars = new Map<string, number>();
  readonly #requested = { milliCpu: 0, memoryBytes: 0, ephemeralStorageBytes: 0, scalars: this.#scalars };
  readonly #scoringRequested = { milliCpu: 0, memoryBytes: 0 };
  #requiredAntiAffinities = 0;
  #withHostPorts = 0;

  constructor(node: coreV1.Node) {
    this.#node = node;
    this.#allocatable = resourcesOf(node.status.allocatable);
    this.#allowedPods = Number(node.status.allocatable?.['pods'] ?? 0);
  }

  get node(): coreV1.Node {
    return this.#node;
  }

  get name(): string {
    return this.#node.metadata.name;
  }

  get allocatable(): Resources {
    return this.#allocatable;
  }

  get allowedPods(): number {
    return this.#allowedPods;
  }

  get podCount(): number {
    return this.#pods.size;
  }

  /** Sum of what the pods on the node ask for. Live: read it, do not keep it. */
  get requested(): Resources {
    return this.#requested;
  }

  /** Sum for scoring: containers that ask for nothing count a little. Live, too. */
  get scoringRequested(): { readonly milliCpu: number; readonly memoryBytes: number } {
    return this.#scoringRequested;
  }

  get pods(): Iterable<PlacedPod> {
    return this.#pods.values();
  }

  get podsWithAffinity(): Iterable<PlacedPod> {
    return this.#withAffinity.values();
  }

  get hasAffinity(): boolean {
    return this.#withAffinity.size > 0;
  }

  get hasRequiredAntiAffinity(): boolean {
    return this.#requiredAntiAffinities > 0;
  }

  label(key: string): string | undefined {
    return this.#node.metadata.labels?.[key];
  }

  setNode(node: coreV1.Node): void {
    this.#node = node;
    this.#allocatable = resourcesOf(node.status.allocatable);
    this.#allowedPods = Number(node.status.allocatable?.['pods'] ?? 0);
  }

  /** Replaces an earlier state of the same pod. */
  addPod(pod: coreV1.Pod): void {
    this.#removePlaced(this.#pods.get(pod.metadata.uid));
    this.#addPlaced({
      pod,
      requests: podRequests(pod),
      scoringRequests: podRequestsForScoring(pod),
      hostPorts: hostPortsOf(pod),
      affinities: affinityOf(pod),
    });
  }

  removePod(uid: string): void {
    this.#removePlaced(this.#pods.get(uid));
  }

  /** The same node to try things on. */
  clone(): NodeInfo {
    const copy = new NodeInfo(this.#node);
    for (const placed of this.#pods.values()) copy.#addPlaced(placed);
    return copy;
  }

  /** True when a pod on the node holds one of these ports. */
  holdsAnyOf(ports: readonly HostPort[]): boolean {
    if (this.#withHostPorts === 0) return false;
    for (const placed of this.#pods.values()) {
      if (placed.hostPorts.some((held) => ports.some((wanted) => collide(held, wanted)))) return true;
    }
    return false;
  }

  #addPlaced(placed: PlacedPod): void {
    const { uid } = placed.pod.metadata;
    this.#pods.set(uid, placed);
    if (placed.affinities !== undefined) this.#withAffinity.set(uid, placed);
    this.#account(placed, 1);
  }

  #removePlaced(placed: PlacedPod | undefined): void {
    if (placed === undefined) return;
    const { uid } = placed.pod.metadata;
    this.#pods.delete(uid);
    this.#withAffinity.delete(uid);
    this.#account(placed, -1);
  }

  #account({ requests, scoringRequests, hostPorts, affinities }: PlacedPod, sign: 1 | -1): void {
    this.#requested.milliCpu += sign * requests.milliCpu;
    this.#requested.memoryBytes += sign * requests.memoryBytes;
    this.#requested.ephemeralStorageBytes += sign * requests.ephemeralStorageBytes;
    this.#scoringRequested.milliCpu += sign * scoringRequests.milliCpu;
    this.#scoringRequested.memoryBytes += sign * scoringRequests.memoryBytes;
    if (hostPorts.length > 0) this.#withHostPorts += sign;
    if ((affinities?.requiredAnti.length ?? 0) > 0) this.#requiredAntiAffinities += sign;
    for (const [name, amount] of requests.scalars) {
      this.#scalars.set(name, (this.#scalars.get(name) ?? 0) + sign * amount);
    }
  }
}
