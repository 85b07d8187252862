/**
 * Changes of requests and limits in a running pod (KEP-1287): given to the runtime as they are, or by a restart where
 * the container asks for that.
 */
import type { LinuxResources } from '#cri';
import type { Container, Pod } from '../pods/pod-spec.ts';
import type { RuntimePod } from '../pods/runtime-pod.ts';
import { latestContainer } from '../pods/runtime-pod.ts';
import { containerResources } from '../resources/container-resources.ts';

export interface Resize {
  readonly container: Container;
  readonly id: string;
  readonly resources: LinuxResources;
  readonly restart: boolean;
}

const RESOURCE_OF = { cpuShares: 'cpu', cpuQuota: 'cpu', memoryLimitBytes: 'memory' } as const;
const FIELDS = ['cpuShares', 'cpuQuota', 'memoryLimitBytes'] as const;
/** Runtimes say it with -1, with 0 or by leaving it out. */
const UNLIMITED = -1;

/** Containers that run with other resources than the spec now says. */
export function computeResizes(
  pod: Pod,
  runtime: RuntimePod,
  memoryCapacityBytes: number,
): readonly Resize[] {
  const resizes: Resize[] = [];
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    const latest = latestContainer(runtime, container.name);
    // A runtime that does not say what it was given cannot be compared with.
    if (latest?.state !== 'running' || latest.resources.cpuShares === undefined) continue;
    const wanted = containerResources(pod, container, memoryCapacityBytes);
    const given = latest.resources;
    const changed = FIELDS.filter((field) => (given[field] || UNLIMITED) !== (wanted[field] || UNLIMITED));
    if (changed.length === 0) continue;
    const restart = changed.some((field) =>
      (container.resizePolicy ?? []).some(
        ({ resourceName, restartPolicy }) =>
          resourceName === RESOURCE_OF[field] && restartPolicy === 'RestartContainer',
      ),
    );
    resizes.push({ container, id: latest.id, resources: wanted, restart });
  }
  return resizes;
}
