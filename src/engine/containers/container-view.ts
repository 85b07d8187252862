/** Records as the CRI shows them. */
import type { Container, ContainerState, ContainerStatus } from '#cri';
import type { ImageRecord } from '../images/image-database.ts';
import type { ContainerRecord } from './container-record.ts';

export function stateOf({ end, startedAt }: ContainerRecord): ContainerState {
  if (end !== undefined) return 'CONTAINER_EXITED';
  return startedAt === undefined ? 'CONTAINER_CREATED' : 'CONTAINER_RUNNING';
}

/** `image` is what the container was made from, as far as it is still here. */
export function containerView(record: ContainerRecord, image: ImageRecord | undefined): Container {
  return {
    id: record.id,
    podSandboxId: record.sandboxId,
    metadata: record.config.metadata,
    image: image?.repoTags[0] ?? record.config.image,
    imageRef: image?.repoDigests[0] ?? record.imageId,
    state: stateOf(record),
    createdAt: BigInt(record.createdAt),
    labels: record.config.labels,
    annotations: record.config.annotations,
  };
}

export function containerStatusView(
  record: ContainerRecord,
  image: ImageRecord | undefined,
): ContainerStatus {
  const { user, end } = record;
  return {
    ...containerView(record, image),
    startedAt: BigInt(record.startedAt ?? 0),
    finishedAt: BigInt(end?.finishedAt ?? 0),
    exitCode: end?.exitCode ?? 0,
    reason: end?.reason ?? '',
    message: end?.message ?? '',
    logPath: record.logPath,
    mounts: record.config.mounts,
    resources: record.resources,
    user: { uid: user.uid, gid: user.gid, supplementalGroups: user.additionalGids },
    stopSignal: record.stopSignal,
  };
}
