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

const FIELD_OF = {
  cpuShares: 'cpu',
  cpuQuota: 'cpu',
  memoryLimitBytes: 'memory',
} as const;

/** Containers that run with other resources than the spec now says. */
export function computeResizes(
  pod: Pod,
  runtime: RuntimePod,
  memoryCapacityBytes: number,
): readonly Resize[] {
  const resizes: Resize[] = [];
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    const latest = latestContainer(runtime, container.name);
    if (latest?.state !== 'running') continue;
    const wanted = containerResources(pod, container, memoryCapacityBytes);
    const changed = Object.keys(FIELD_OF).filter((key): key is keyof typeof FIELD_OF => {
      const field = key as keyof typeof FIELD_OF;
      // A runtime that does not say what it was given cannot be compared with.
      return (
        latest.resources[field] !== undefined &&
        latest.resources[field] !== (wanted[field] ?? unlimited(field))
      );
    });
    if (changed.length === 0) continue;
    const restart = changed.some((key) =>
      (container.resizePolicy ?? []).some(
        ({ resourceName, restartPolicy }) =>
          resourceName === FIELD_OF[key] && restartPolicy === 'RestartContainer',
      ),
    );
    resizes.push({ container, id: latest.id, resources: wanted, restart });
  }
  return resizes;
}

const unlimited = (field: keyof typeof FIELD_OF): number | undefined =>
  field === 'cpuQuota' ? -1 : undefined;
