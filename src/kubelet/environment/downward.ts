/** What a container may learn about its own pod: `fieldRef` and `resourceFieldRef`. */
import type { coreV1 } from '#api';
import { type Container, containersOf, type Pod, podName, podNamespace, podUid } from '../pods/pod-spec.ts';
import { milliOf, valueOf } from '../resources/quantities.ts';

export interface DownwardFacts {
  readonly podIps: readonly string[];
  readonly hostIps: readonly string[];
  /** Counts as the limit where a container sets none. */
  readonly allocatable: Readonly<Record<string, string>>;
}

const SUBSCRIPT = /^(.+)\['(.*)'\]$/;

/** @throws Error for a path that is not supported. */
export function podFieldValue(path: string, pod: Pod, facts: DownwardFacts): string {
  switch (path) {
    case 'spec.nodeName':
      return pod.spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? '';
    case 'status.hostIP':
      return facts.hostIps[0] ?? '';
    case 'status.hostIPs':
      return facts.hostIps.join(',');
    case 'status.podIP':
      return facts.podIps[0] ?? '';
    case 'status.podIPs':
      return facts.podIps.join(',');
    case 'metadata.name':
      return podName(pod);
    case 'metadata.namespace':
      return podNamespace(pod);
    case 'metadata.uid':
      return podUid(pod);
    case 'metadata.labels':
      return formatMap(pod.metadata.labels ?? {});
    case 'metadata.annotations':
      return formatMap(pod.metadata.annotations ?? {});
  }
  const [, base, key = ''] = SUBSCRIPT.exec(path) ?? [];
  if (base === 'metadata.labels') return pod.metadata.labels?.[key] ?? '';
  if (base === 'metadata.annotations') return pod.metadata.annotations?.[key] ?? '';
  if (base !== undefined) throw new Error(`fieldPath "${path}" does not support subscript`);
  throw new Error(`unsupported fieldPath: ${path}`);
}

/** Sorted `key="value"` lines. */
function formatMap(map: Readonly<Record<string, string>>): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n');
}

/** @throws Error for a resource that is not supported or a container that does not exist. */
export function resourceFieldValue(
  selector: coreV1.ResourceFieldSelector,
  pod: Pod,
  own: Container | undefined,
  facts: DownwardFacts,
): string {
  const name = selector.containerName ?? '';
  const container =
    name === '' ? own : [...containersOf(pod)].find((one) => one.container.name === name)?.container;
  if (container === undefined) throw new Error(`container ${name} not found`);
  const [kind, ...rest] = selector.resource.split('.');
  const resource = rest.join('.');
  const known =
    ['cpu', 'memory', 'ephemeral-storage'].includes(resource) || resource.startsWith('hugepages-');
  if (!known || (kind !== 'limits' && kind !== 'requests')) {
    throw new Error(`unsupported container resource : ${selector.resource}`);
  }
  const set = container.resources?.[kind]?.[resource];
  const quantity = set ?? (kind === 'limits' ? facts.allocatable[resource] : undefined) ?? '0';
  const divisor = selector.divisor === undefined || valueOf(selector.divisor) === 0 ? '1' : selector.divisor;
  const ratio =
    resource === 'cpu' ? milliOf(quantity) / milliOf(divisor) : valueOf(quantity) / valueOf(divisor);
  return String(Math.ceil(ratio));
}
