/** The Node object as this kubelet wants it to be. Pure; reasons and messages are upstream's. */
import type { coreV1 } from '#api';
import type { Image } from '#cri';
import { parseQuantity } from '#machinery';
import type { MachineInfo } from './machine-info.ts';

/** What the node may run short of. */
export interface Pressure {
  readonly memory: boolean;
  readonly disk: boolean;
  readonly pids: boolean;
}

export interface NodeFacts {
  readonly nodeName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly nodeIps: readonly string[];
  readonly machine: MachineInfo;
  readonly maxPods: number;
  /** Kept back for the system, by resource name. */
  readonly reserved: Readonly<Record<string, string>>;
  readonly kubeletPort: number;
  readonly kubeletVersion: string;
  /** `containerd://1.7.0`. */
  readonly runtimeVersion: string;
}

export interface NodeHealth {
  /** Why the node is not ready; empty when it is. */
  readonly errors: readonly string[];
  readonly pressure: Pressure;
  readonly images: readonly Image[];
}

/** Images listed in the status, largest first, and names listed for each. */
const MAX_IMAGES = 50;
const MAX_NAMES_PER_IMAGE = 5;

export function nodeLabels(facts: NodeFacts): Readonly<Record<string, string>> {
  const { architecture } = facts.machine.systemInfo;
  return {
    'beta.kubernetes.io/arch': architecture,
    'beta.kubernetes.io/os': 'linux',
    'kubernetes.io/arch': architecture,
    'kubernetes.io/hostname': facts.nodeName,
    'kubernetes.io/os': 'linux',
    ...facts.labels,
  };
}

export function nodeStatus(
  facts: NodeFacts,
  health: NodeHealth,
  old: coreV1.NodeStatus,
  allocatable: Readonly<Record<string, string>>,
  now: string,
): coreV1.NodeStatus {
  const capacity = nodeCapacity(facts);
  return {
    // Resources that others advertise (device plugins, extended resources) stay.
    capacity: { ...old.capacity, ...capacity },
    allocatable: { ...old.allocatable, ...allocatable },
    conditions: nodeConditions(health, old.conditions ?? [], now),
    addresses: [
      ...facts.nodeIps.map((address) => ({ type: 'InternalIP' as const, address })),
      { type: 'Hostname' as const, address: facts.nodeName },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: facts.kubeletPort } },
    nodeInfo: {
      ...facts.machine.systemInfo,
      containerRuntimeVersion: facts.runtimeVersion,
      kubeletVersion: facts.kubeletVersion,
      kubeProxyVersion: '',
      operatingSystem: 'linux',
    },
    images: listedImages(health.images),
  };
}

/** In the canonical form the API prints, so that what comes back compares equal. */
export function nodeCapacity(facts: NodeFacts): Readonly<Record<string, string>> {
  const out: Record<string, string> = {};
  for (const [name, quantity] of Object.entries({ ...facts.machine.capacity, pods: String(facts.maxPods) })) {
    out[name] = parseQuantity(quantity).toString();
  }
  return out;
}

function nodeConditions(
  health: NodeHealth,
  old: readonly coreV1.NodeCondition[],
  now: string,
): readonly coreV1.NodeCondition[] {
  const { pressure, errors } = health;
  const wanted = [
    condition('MemoryPressure', pressure.memory, [
      'KubeletHasInsufficientMemory',
      'kubelet has insufficient memory available',
      'KubeletHasSufficientMemory',
      'kubelet has sufficient memory available',
    ]),
    condition('DiskPressure', pressure.disk, [
      'KubeletHasDiskPressure',
      'kubelet has disk pressure',
      'KubeletHasNoDiskPressure',
      'kubelet has no disk pressure',
    ]),
    condition('PIDPressure', pressure.pids, [
      'KubeletHasInsufficientPID',
      'kubelet has insufficient PID available',
      'KubeletHasSufficientPID',
      'kubelet has sufficient PID available',
    ]),
    condition('Ready', errors.length === 0, [
      'KubeletReady',
      'kubelet is posting ready status',
      'KubeletNotReady',
      errors.length === 1 ? (errors[0] ?? '') : `[${errors.join(', ')}]`,
    ]),
  ];
  const own = new Set(wanted.map(({ type }) => type));
  return [
    ...old.filter(({ type }) => !own.has(type)),
    ...wanted.map((one) => {
      const before = old.find(({ type }) => type === one.type);
      const since = before?.status === one.status ? before.lastTransitionTime : undefined;
      return { ...one, lastHeartbeatTime: now, lastTransitionTime: since ?? now };
    }),
  ];
}

function condition(
  type: string,
  holds: boolean,
  [reasonTrue, messageTrue, reasonFalse, messageFalse]: readonly [string, string, string, string],
): coreV1.NodeCondition {
  return holds
    ? { type, status: 'True', reason: reasonTrue, message: messageTrue }
    : { type, status: 'False', reason: reasonFalse, message: messageFalse };
}

function listedImages(images: readonly Image[]): readonly coreV1.ContainerImage[] {
  return [...images]
    .sort((a, b) => b.sizeBytes - a.sizeBytes || (a.id < b.id ? -1 : 1))
    .slice(0, MAX_IMAGES)
    .map(({ repoDigests, repoTags, sizeBytes }) => ({
      names: [...repoDigests, ...repoTags].slice(0, MAX_NAMES_PER_IMAGE),
      sizeBytes,
    }));
}

/** The event reasons of conditions that changed, in upstream's words: `NodeReady`, `NodeHasSufficientMemory`. */
export function conditionEvents(
  before: readonly coreV1.NodeCondition[],
  after: readonly coreV1.NodeCondition[],
): readonly string[] {
  const known = new Map(before.map(({ type, status }) => [type, status]));
  return after.flatMap(({ type, status, reason = '' }) => {
    if (known.get(type) === status) return [];
    if (type === 'Ready') return known.has(type) ? [status === 'True' ? 'NodeReady' : 'NodeNotReady'] : [];
    return reason.startsWith('KubeletHas') ? [reason.replace('Kubelet', 'Node')] : [];
  });
}
