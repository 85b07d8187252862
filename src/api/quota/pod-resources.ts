/**
 * What a pod needs as a whole: containers together, or its largest init container beside the sidecars started before
 * it, whichever is more (KEP-753); then what is set for the pod itself (KEP-2837), then its runtime's overhead.
 */
import type { coreV1 } from '../types/index.ts';
import { add, EMPTY, max, type ResourceList, resourceList } from './resource-list.ts';

export interface PodResourcesOptions {
  /** Count what a container holds now where that is more than its spec asks (KEP-1287, resize in place). */
  readonly useStatus: boolean;
  readonly includeOverhead: boolean;
}

const POD_LEVEL = ['cpu', 'memory'];
const isPodLevel = (name: string): boolean => POD_LEVEL.includes(name) || name.startsWith('hugepages-');

type Kind = 'requests' | 'limits';

export function podRequests(pod: coreV1.Pod, options: PodResourcesOptions): ResourceList {
  const total = podTotal(pod, 'requests', options);
  return options.includeOverhead ? add(total, resourceList(pod.spec.overhead)) : total;
}

/** Overhead is added to limits that are set, since no limit means none. */
export function podLimits(pod: coreV1.Pod, options: PodResourcesOptions): ResourceList {
  const total = podTotal(pod, 'limits', options);
  if (!options.includeOverhead || pod.spec.overhead === undefined) return total;
  const overhead = resourceList(pod.spec.overhead);
  const limited = [...overhead].filter(([name]) => total.get(name)?.isZero() === false);
  return add(total, new Map(limited));
}

function podTotal(pod: coreV1.Pod, kind: Kind, { useStatus }: PodResourcesOptions): ResourceList {
  const statuses = new Map<string, coreV1.ContainerStatus>();
  if (useStatus) {
    const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
    for (const status of [...containerStatuses, ...initContainerStatuses]) statuses.set(status.name, status);
  }
  const infeasible = pod.status?.conditions?.find(({ type }) => type === 'PodResizePending')?.reason;
  const of = (container: coreV1.Container): ResourceList => {
    const spec = resourceList(container.resources?.[kind]);
    const status = statuses.get(container.name);
    if (status?.resources === undefined) return spec;
    const held = max(
      resourceList(status.resources[kind]),
      kind === 'requests' ? resourceList(status.allocatedResources) : EMPTY,
    );
    return infeasible === 'Infeasible' ? held : max(spec, held);
  };

  let total: ResourceList = EMPTY;
  for (const container of pod.spec.containers) total = add(total, of(container));
  let sidecars: ResourceList = EMPTY;
  let init: ResourceList = EMPTY;
  for (const container of pod.spec.initContainers ?? []) {
    const own = of(container);
    if (container.restartPolicy === 'Always') {
      total = add(total, own);
      sidecars = add(sidecars, own);
      init = max(init, sidecars);
    } else init = max(init, add(own, sidecars));
  }
  total = max(total, init);
  const podLevel = [...resourceList(pod.spec.resources?.[kind])].filter(([name]) => isPodLevel(name));
  return podLevel.length === 0 ? total : new Map([...total, ...podLevel]);
}
