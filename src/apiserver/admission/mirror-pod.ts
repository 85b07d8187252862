import type { coreV1 } from '#api';
import { podReferences } from '../authorization/pod-references.ts';

export const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';

/** Volume sources that need nothing from the API. */
const SELF_CONTAINED = [
  'awsElasticBlockStore',
  'azureDisk',
  'cephfs',
  'cinder',
  'downwardAPI',
  'emptyDir',
  'fc',
  'flexVolume',
  'flocker',
  'gcePersistentDisk',
  'gitRepo',
  'hostPath',
  'image',
  'iscsi',
  'nfs',
  'photonPersistentDisk',
  'portworxVolume',
  'quobyte',
  'rbd',
  'scaleIO',
  'storageos',
  'vsphereVolume',
] as const satisfies readonly (keyof coreV1.Volume)[];

const BY_VOLUME = [
  ['configMap', 'configmaps (via configmap volumes)'],
  ['secret', 'secrets (via secret volumes)'],
  ['csi', 'csidrivers (via CSI volumes)'],
  ['glusterfs', 'endpoints (via glusterFS volumes)'],
  ['persistentVolumeClaim', 'persistentvolumeclaims'],
  ['ephemeral', 'persistentvolumeclaims (via ephemeral volumes)'],
  ['azureFile', 'secrets (via azureFile volumes)'],
] as const satisfies readonly (readonly [keyof coreV1.Volume, string])[];

const BY_PROJECTION = [
  ['configMap', 'configmaps (via projected volumes)'],
  ['secret', 'secrets (via projected volumes)'],
  ['serviceAccountToken', 'serviceaccounts (via projected volumes)'],
  ['clusterTrustBundle', 'clustertrustbundles'],
  ['podCertificate', 'podcertificates'],
] as const satisfies readonly (readonly [keyof coreV1.VolumeProjection, string])[];

/** The first kind of API object that the pod refers to, in words; undefined: none. */
export function referencedApiObjects(pod: coreV1.Pod): string | undefined {
  if ((pod.spec.serviceAccountName ?? '') !== '') return 'serviceaccounts';
  const { secrets, configMaps } = podReferences(pod);
  if (secrets.length > 0) return 'secrets';
  if (configMaps.length > 0) return 'configmaps';
  if ((pod.spec.resourceClaims?.length ?? 0) > 0) return 'resourceclaims';
  for (const volume of pod.spec.volumes ?? []) {
    if (SELF_CONTAINED.some((source) => volume[source] !== undefined)) continue;
    const found = BY_VOLUME.find(([source]) => volume[source] !== undefined);
    if (found !== undefined) return found[1];
    for (const projection of volume.projected?.sources ?? []) {
      const projected = BY_PROJECTION.find(([source]) => projection[source] !== undefined);
      if (projected !== undefined) return projected[1];
    }
  }
  return undefined;
}
