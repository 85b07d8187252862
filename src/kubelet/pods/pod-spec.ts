/** Questions about a pod's spec that several parts of the kubelet ask. */
import type { coreV1 } from '#api';

export type Pod = coreV1.Pod;
export type Container = coreV1.Container;
export type ContainerKind = 'regular' | 'init' | 'ephemeral';

export interface PlacedContainer {
  readonly kind: ContainerKind;
  readonly container: Container;
}

/** An init container that keeps running beside the regular ones (KEP-753). */
export const isSidecar = (initContainer: Container): boolean => initContainer.restartPolicy === 'Always';

export const isHostNetwork = (pod: Pod): boolean => pod.spec.hostNetwork === true;

export const podUid = (pod: Pod): string => pod.metadata.uid ?? '';
export const podName = (pod: Pod): string => pod.metadata.name ?? '';
export const podNamespace = (pod: Pod): string => pod.metadata.namespace ?? '';

/** `web-1_default(8e3…)`: how the kubelet names a pod in messages that people read. */
export const describePod = (pod: Pod): string => `${podName(pod)}_${podNamespace(pod)}(${podUid(pod)})`;

/** All containers of a pod in the order init, regular, ephemeral. */
export function* containersOf(pod: Pod): Generator<PlacedContainer> {
  for (const container of pod.spec.initContainers ?? []) yield { kind: 'init', container };
  for (const container of pod.spec.containers) yield { kind: 'regular', container };
  for (const container of pod.spec.ephemeralContainers ?? []) yield { kind: 'ephemeral', container };
}

export function findContainer(pod: Pod, name: string): PlacedContainer | undefined {
  for (const placed of containersOf(pod)) if (placed.container.name === name) return placed;
  return undefined;
}

const FIELD_OF_KIND: Readonly<Record<ContainerKind, string>> = {
  regular: 'spec.containers',
  init: 'spec.initContainers',
  ephemeral: 'spec.ephemeralContainers',
};

/** `spec.containers{web}`: the field path that events about one container carry. */
export function containerFieldPath(pod: Pod, name: string): string {
  const kind = findContainer(pod, name)?.kind ?? 'regular';
  return `${FIELD_OF_KIND[kind]}{${name}}`;
}

export const isTerminalPhase = (phase: coreV1.PodStatus['phase']): boolean =>
  phase === 'Succeeded' || phase === 'Failed';
