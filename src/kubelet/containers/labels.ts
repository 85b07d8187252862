/**
 * What the kubelet writes on sandboxes and containers, so that a restarted kubelet (or upstream's) recognises them.
 * Keys are upstream's (`pkg/kubelet/types`, `kuberuntime/labels.go`).
 */
import type { ContainerConfig } from '#cri';
import { type Container, type Pod, podName, podNamespace, podUid } from '../pods/pod-spec.ts';
import { containerHash } from './container-hash.ts';

export const POD_NAME_LABEL = 'io.kubernetes.pod.name';
export const POD_NAMESPACE_LABEL = 'io.kubernetes.pod.namespace';
export const POD_UID_LABEL = 'io.kubernetes.pod.uid';
export const CONTAINER_NAME_LABEL = 'io.kubernetes.container.name';

const HASH = 'io.kubernetes.container.hash';
const RESTART_COUNT = 'io.kubernetes.container.restartCount';
const MESSAGE_PATH = 'io.kubernetes.container.terminationMessagePath';
const MESSAGE_POLICY = 'io.kubernetes.container.terminationMessagePolicy';
const GRACE_PERIOD = 'io.kubernetes.pod.terminationGracePeriod';
const IMAGE_NAME = 'io.k8ts.container.image-name';

type Labels = Readonly<Record<string, string>>;

export const podLabels = (pod: Pod): Labels => ({
  ...pod.metadata.labels,
  [POD_NAME_LABEL]: podName(pod),
  [POD_NAMESPACE_LABEL]: podNamespace(pod),
  [POD_UID_LABEL]: podUid(pod),
});

export const containerLabels = (pod: Pod, container: Container): Labels => ({
  [POD_NAME_LABEL]: podName(pod),
  [POD_NAMESPACE_LABEL]: podNamespace(pod),
  [POD_UID_LABEL]: podUid(pod),
  [CONTAINER_NAME_LABEL]: container.name,
});

export function containerAnnotations(pod: Pod, container: Container, restartCount: number): Labels {
  const grace = pod.spec.terminationGracePeriodSeconds;
  return {
    [HASH]: containerHash(container),
    [RESTART_COUNT]: String(restartCount),
    [MESSAGE_PATH]: container.terminationMessagePath ?? '',
    [MESSAGE_POLICY]: container.terminationMessagePolicy ?? 'File',
    [IMAGE_NAME]: container.image ?? '',
    ...(grace === undefined ? {} : { [GRACE_PERIOD]: String(grace) }),
  };
}

export interface ContainerNotes {
  readonly name: string;
  readonly hash: string;
  readonly restartCount: number;
  readonly terminationMessagePath: string;
  readonly fallbackToLogs: boolean;
  /** As the pod's author wrote it; the runtime may know the image only by id. */
  readonly imageName: string;
  readonly gracePeriodSeconds: number | undefined;
}

/** Reads the notes back; what is missing gets a harmless value. */
export function readContainerNotes(
  container: Pick<ContainerConfig, 'labels' | 'annotations'> & { readonly image: string },
  name: string,
): ContainerNotes {
  const { labels, annotations } = container;
  const grace = annotations[GRACE_PERIOD];
  return {
    name: labels[CONTAINER_NAME_LABEL] ?? name,
    hash: annotations[HASH] ?? '',
    restartCount: Number(annotations[RESTART_COUNT] ?? '0'),
    terminationMessagePath: annotations[MESSAGE_PATH] ?? '',
    fallbackToLogs: annotations[MESSAGE_POLICY] === 'FallbackToLogsOnError',
    imageName: annotations[IMAGE_NAME] || container.image,
    gracePeriodSeconds: grace === undefined ? undefined : Number(grace),
  };
}
