/**
 * Whether the node takes a pod: the scheduler has decided already, but it may have been wrong or bypassed. Reasons
 * and messages are upstream's (`pkg/kubelet/lifecycle/predicate.go`).
 */
import { type Amounts, amountsOf, type coreV1, NUMBERS } from '#api';
import { podRequests } from '../resources/pod-requests.ts';
import { matchesNode } from './node-affinity.ts';
import type { PodFailure } from './pod-failure.ts';
import type { Pod } from './pod-spec.ts';

/** Undefined: the pod may run here. `others` are the pods that hold the node's resources now. */
export function admissionFailure(
  pod: Pod,
  node: coreV1.Node,
  others: readonly Pod[],
): PodFailure | undefined {
  const os = pod.metadata.labels?.['kubernetes.io/os'];
  if (os !== undefined && os !== 'linux') {
    return {
      reason: 'PodOSSelectorNodeLabelDoesNotMatch',
      message: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
    };
  }
  if (pod.spec.os !== undefined && pod.spec.os.name !== 'linux') {
    return {
      reason: 'PodOSNotSupported',
      message: "Failed to admit pod as the OS field doesn't match node OS",
    };
  }
  return (
    missingResource(pod, node, others) ??
    (matchesNode(pod, node)
      ? undefined
      : predicate('NodeAffinity', "node(s) didn't match Pod's node affinity/selector")) ??
    (portsConflict(pod, others)
      ? predicate('NodePorts', "node(s) didn't have free ports for the requested pod ports")
      : undefined) ??
    (hasUntoleratedTaint(pod, node)
      ? predicate('TaintToleration', "node(s) had taints that the pod didn't tolerate")
      : undefined)
  );
}

const predicate = (name: string, why: string): PodFailure => ({
  reason: name,
  message: `Predicate ${name} failed: ${why}`,
});

function missingResource(pod: Pod, node: coreV1.Node, others: readonly Pod[]): PodFailure | undefined {
  const allocatable = amountsOf(node.status?.allocatable, NUMBERS);
  const podLimit = allocatable.get('pods') ?? 0;
  if (others.length + 1 > podLimit) return tooLittle('pods', 1, others.length, podLimit);
  const used = new Map<string, number>();
  for (const other of others) {
    for (const [name, amount] of podRequests(other)) used.set(name, (used.get(name) ?? 0) + amount);
  }
  for (const [name, amount] of inOrder(podRequests(pod))) {
    const capacity = allocatable.get(name);
    if (amount === 0) continue;
    // Extended resources that the node does not know are the cluster's business.
    if (capacity === undefined && name.includes('/')) continue;
    const taken = used.get(name) ?? 0;
    if (amount + taken > (capacity ?? 0)) return tooLittle(name, amount, taken, capacity ?? 0);
  }
  return undefined;
}

const ORDER = ['cpu', 'memory', 'ephemeral-storage'];

function inOrder(requests: Amounts<number>): readonly (readonly [string, number])[] {
  const rank = (name: string): number => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return [...requests].sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

const tooLittle = (name: string, requested: number, used: number, capacity: number): PodFailure => ({
  reason: `OutOf${name}`,
  message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
});

interface HostPort {
  readonly port: number;
  readonly protocol: string;
  readonly ip: string;
}

function hostPorts(pod: Pod): readonly HostPort[] {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers].flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, protocol = 'TCP', hostIP = '' }) =>
      hostPort === undefined || hostPort === 0
        ? []
        : [{ port: hostPort, protocol, ip: hostIP === '' ? '0.0.0.0' : hostIP }],
    ),
  );
}

function portsConflict(pod: Pod, others: readonly Pod[]): boolean {
  const wanted = hostPorts(pod);
  if (wanted.length === 0) return false;
  const taken = others.flatMap(hostPorts);
  return wanted.some(({ port, protocol, ip }) =>
    taken.some(
      (other) =>
        other.port === port &&
        other.protocol === protocol &&
        (other.ip === ip || other.ip === '0.0.0.0' || ip === '0.0.0.0'),
    ),
  );
}

function hasUntoleratedTaint(pod: Pod, node: coreV1.Node): boolean {
  const tolerations = pod.spec.tolerations ?? [];
  return (node.spec?.taints ?? []).some(
    (taint) =>
      taint.effect === 'NoExecute' && !tolerations.some((toleration) => tolerates(toleration, taint)),
  );
}

function tolerates(toleration: coreV1.Toleration, taint: coreV1.Taint): boolean {
  const { effect = '', key = '', operator = 'Equal', value = '' } = toleration;
  if (effect !== '' && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  if (operator === 'Exists') return true;
  return operator === 'Equal' && key !== '' && value === (taint.value ?? '');
}
