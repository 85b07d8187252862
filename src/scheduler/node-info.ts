/** A node with what runs on it, kept up to date pod by pod. */
import type { coreV1 } from '#api';
import { podRequests, podRequestsForScoring, type Resources, resourcesOf } from './resources.ts';

/** A port on the node that a pod occupies. */
export interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

interface PlacedPod {
  readonly pod: coreV1.Pod;
  readonly requests: Resources;
  readonly scoringRequests: Resources;
  readonly hostPorts: readonly HostPort[];
}

const ANY_IP = '0.0.0.0';

export function hostPortsOf(pod: coreV1.Pod): readonly HostPort[] {
  const sidecars = (pod.spec.initContainers ?? []).filter(
    (container) => container.restartPolicy === 'Always',
  );
  return [...pod.spec.containers, ...sidecars].flatMap((container) =>
    (container.ports ?? [])
      .filter((port) => (port.hostPort ?? 0) > 0)
      .map((port) => ({
        ip: port.hostIP === undefined || port.hostIP === '' ? ANY_IP : port.hostIP,
        protocol: port.protocol ?? 'TCP',
        port: port.hostPort ?? 0,
      })),
  );
}

const collide = (a: HostPort, b: HostPort): boolean =>
  a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || a.ip === ANY_IP || b.ip === ANY_IP);

export class NodeInfo {
  #node: coreV1.Node;
  #allocatable: Resources;
  #allowedPods: number;
  readonly #pods = new Map<string, PlacedPod>();
  readonly #scalars = new Map<string, number>();
  #milliCpu = 0;
  #memoryBytes = 0;
  #ephemeralStorageBytes = 0;
  #scoringMilliCpu = 0;
  #scoringMemoryBytes = 0;

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

  /** Sum of what the pods on the node ask for. */
  get requested(): Resources {
    return {
      milliCpu: this.#milliCpu,
      memoryBytes: this.#memoryBytes,
      ephemeralStorageBytes: this.#ephemeralStorageBytes,
      scalars: this.#scalars,
    };
  }

  /** Sum for scoring: containers that ask for nothing count a little. */
  get scoringRequested(): { readonly milliCpu: number; readonly memoryBytes: number } {
    return { milliCpu: this.#scoringMilliCpu, memoryBytes: this.#scoringMemoryBytes };
  }

  get pods(): readonly coreV1.Pod[] {
    return [...this.#pods.values()].map((placed) => placed.pod);
  }

  setNode(node: coreV1.Node): void {
    this.#node = node;
    this.#allocatable = resourcesOf(node.status.allocatable);
    this.#allowedPods = Number(node.status.allocatable?.['pods'] ?? 0);
  }

  /** Replaces an earlier state of the same pod. */
  addPod(pod: coreV1.Pod): void {
    this.removePod(pod.metadata.uid);
    const placed = {
      pod,
      requests: podRequests(pod),
      scoringRequests: podRequestsForScoring(pod),
      hostPorts: hostPortsOf(pod),
    };
    this.#pods.set(pod.metadata.uid, placed);
    this.#account(placed, 1);
  }

  removePod(uid: string): void {
    const placed = this.#pods.get(uid);
    if (placed === undefined) return;
    this.#pods.delete(uid);
    this.#account(placed, -1);
  }

  /** True when a pod on the node holds one of these ports. */
  holdsAnyOf(ports: readonly HostPort[]): boolean {
    for (const placed of this.#pods.values()) {
      if (placed.hostPorts.some((held) => ports.some((wanted) => collide(held, wanted)))) return true;
    }
    return false;
  }

  #account({ requests, scoringRequests }: PlacedPod, sign: 1 | -1): void {
    this.#milliCpu += sign * requests.milliCpu;
    this.#memoryBytes += sign * requests.memoryBytes;
    this.#ephemeralStorageBytes += sign * requests.ephemeralStorageBytes;
    this.#scoringMilliCpu += sign * scoringRequests.milliCpu;
    this.#scoringMemoryBytes += sign * scoringRequests.memoryBytes;
    for (const [name, amount] of requests.scalars) {
      this.#scalars.set(name, (this.#scalars.get(name) ?? 0) + sign * amount);
    }
  }
}
