/** Which objects of its namespace a pod needs: what its node may read, and what must exist for it to run. */
import type { coreV1 } from '#api';

/** Every name may be given more than once. */
export interface PodReferences {
  readonly secrets: readonly string[];
  readonly configMaps: readonly string[];
  readonly claims: readonly string[];
  readonly resourceClaims: readonly string[];
}

type LocalRef = { readonly name?: string } | undefined;

function volumeSecrets(volume: coreV1.Volume): readonly (string | undefined)[] {
  const refs: readonly LocalRef[] = [
    volume.cephfs?.secretRef,
    volume.cinder?.secretRef,
    volume.flexVolume?.secretRef,
    volume.rbd?.secretRef,
    volume.scaleIO?.secretRef,
    volume.iscsi?.secretRef,
    volume.storageos?.secretRef,
    volume.csi?.nodePublishSecretRef,
  ];
  return [
    volume.secret?.secretName,
    volume.azureFile?.secretName,
    ...refs.map((ref) => ref?.name),
    ...(volume.projected?.sources ?? []).map((source) => source.secret?.name),
  ];
}

const volumeConfigMaps = (volume: coreV1.Volume): readonly (string | undefined)[] => [
  volume.configMap?.name,
  ...(volume.projected?.sources ?? []).map((source) => source.configMap?.name),
];

function claimName(volume: coreV1.Volume, podName: string): string | undefined {
  if (volume.persistentVolumeClaim !== undefined) return volume.persistentVolumeClaim.claimName;
  // The claim of an ephemeral volume is named after pod and volume (KEP-1698).
  return volume.ephemeral === undefined ? undefined : `${podName}-${volume.name}`;
}

function resourceClaims(pod: coreV1.Pod): readonly (string | undefined)[] {
  const made = new Map(
    (pod.status?.resourceClaimStatuses ?? []).map((status) => [status.name, status.resourceClaimName]),
  );
  return [
    ...(pod.spec.resourceClaims ?? []).map((claim) => claim.resourceClaimName ?? made.get(claim.name)),
    pod.status?.extendedResourceClaimStatus?.resourceClaimName,
  ];
}

const given = (names: readonly (string | undefined)[]): readonly string[] =>
  names.filter((name) => name !== undefined && name !== '') as readonly string[];

export function podReferences(pod: coreV1.Pod): PodReferences {
  const { spec } = pod;
  const containers = [
    ...(spec.initContainers ?? []),
    // Admission asks before validation: the list may be null.
    ...(spec.containers ?? []),
    ...(spec.ephemeralContainers ?? []),
  ];
  const env = containers.flatMap((container) => container.env ?? []);
  const envFrom = containers.flatMap((container) => container.envFrom ?? []);
  const volumes = spec.volumes ?? [];
  return {
    secrets: given([
      ...(spec.imagePullSecrets ?? []).map((ref) => ref.name),
      ...env.map((variable) => variable.valueFrom?.secretKeyRef?.name),
      ...envFrom.map((source) => source.secretRef?.name),
      ...volumes.flatMap(volumeSecrets),
    ]),
    configMaps: given([
      ...env.map((variable) => variable.valueFrom?.configMapKeyRef?.name),
      ...envFrom.map((source) => source.configMapRef?.name),
      ...volumes.flatMap(volumeConfigMaps),
    ]),
    claims: given(volumes.map((volume) => claimName(volume, pod.metadata.name ?? ''))),
    resourceClaims: given(resourceClaims(pod)),
  };
}
