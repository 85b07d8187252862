/** Where a claim's data is on this node: persistent volumes of kind hostPath and local. */
import type { coreV1 } from '#api';
import { type Client, resources } from '#client';
import { isNotFound } from '#machinery';
import type { Files } from '#platform';
import { type Pod, podName, podNamespace } from '../pods/pod-spec.ts';
import { prepareHostPath } from './host-path.ts';

export interface ClaimedVolume {
  readonly path: string;
  readonly readOnly: boolean;
  /** The kubelet may give it to the pod's fsGroup. */
  readonly managed: boolean;
}

/** @throws Error that names the claim. */
export async function claimedVolume(
  client: Client,
  files: Files,
  pod: Pod,
  volume: coreV1.Volume,
): Promise<ClaimedVolume | undefined> {
  const { persistentVolumeClaim, ephemeral } = volume;
  const name =
    persistentVolumeClaim?.claimName ??
    (ephemeral === undefined ? undefined : `${podName(pod)}-${volume.name}`);
  if (name === undefined) return undefined;
  const namespace = podNamespace(pod);
  const about = `error processing PVC ${namespace}/${name}`;
  const claim = await found(about, client.resource(resources.persistentVolumeClaims, namespace).get(name));
  if (
    ephemeral !== undefined &&
    !claim.metadata.ownerReferences?.some(({ uid }) => uid === pod.metadata.uid)
  ) {
    throw new Error(
      `${about}: PVC ${namespace}/${name} was not created for pod ${namespace}/${podName(pod)} (pod is not owner)`,
    );
  }
  const volumeName = claim.spec?.volumeName ?? '';
  if (volumeName === '' || claim.status?.phase !== 'Bound') throw new Error(`${about}: PVC is not bound`);
  const { spec } = await found(about, client.resource(resources.persistentVolumes).get(volumeName));
  const readOnly = persistentVolumeClaim?.readOnly === true;
  if (spec?.volumeMode === 'Block') throw new Error(`${about}: block volumes are not supported on this node`);
  if (spec?.hostPath !== undefined) {
    await prepareHostPath(files, spec.hostPath);
    return { path: spec.hostPath.path, readOnly, managed: false };
  }
  if (spec?.local !== undefined) {
    const { path } = spec.local;
    if ((await files.stat(path)) === undefined) throw new Error(`path "${path}" does not exist`);
    return { path, readOnly, managed: true };
  }
  throw new Error(`${about}: no volume plugin matched`);
}

async function found<T>(about: string, asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (e) {
    const why = isNotFound(e) ? (e as Error).message : `failed to fetch: ${(e as Error).message}`;
    throw new Error(`${about}: ${why}`, { cause: e });
  }
}
