import type { coreV1 } from '#api';

interface SecretName {
  readonly namespace: string;
  readonly name: string;
}

type Ref = { readonly name?: string; readonly namespace?: string } | undefined;

/** Secrets that a kubelet needs to mount the volume; those for controllers alone are not among them. */
export function volumeSecrets(volume: coreV1.PersistentVolume): readonly SecretName[] {
  const { spec } = volume;
  const claimNamespace = spec.claimRef?.namespace ?? '';
  const refs: readonly Ref[] = [
    spec.azureFile === undefined
      ? undefined
      : { name: spec.azureFile.secretName, namespace: spec.azureFile.secretNamespace },
    spec.cephfs?.secretRef,
    spec.cinder?.secretRef,
    spec.flexVolume?.secretRef,
    spec.rbd?.secretRef,
    spec.scaleIO?.secretRef,
    spec.iscsi?.secretRef,
    spec.storageos?.secretRef,
    spec.csi?.nodePublishSecretRef,
    spec.csi?.nodeStageSecretRef,
    spec.csi?.nodeExpandSecretRef,
  ];
  return refs.flatMap((ref) => {
    if (ref?.name === undefined || ref.name === '') return [];
    const namespace = ref.namespace === undefined || ref.namespace === '' ? claimNamespace : ref.namespace;
    return [{ namespace, name: ref.name }];
  });
}
