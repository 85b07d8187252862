import type { coreV1, storageV1 } from '#api';
import type { CacheReader } from '../reader.ts';

const CLAIMS = { group: '', resource: 'persistentvolumeclaims' };
const VOLUMES = { group: '', resource: 'persistentvolumes' };
const DRIVERS = { group: 'storage.k8s.io', resource: 'csidrivers' };

/** Whether a volume of the pod needs a token for this audience: projected, or on behalf of its CSI driver. */
export function podAsksForAudience(reader: CacheReader, pod: coreV1.Pod, audience: string): boolean {
  const namespace = pod.metadata.namespace ?? '';
  return (pod.spec.volumes ?? []).some((volume) => {
    const tokens = (volume.projected?.sources ?? []).map((source) => source.serviceAccountToken);
    if (tokens.some((token) => token !== undefined && (token.audience ?? '') === audience)) return true;
    const driver = driverOf(reader, namespace, pod.metadata.name ?? '', volume);
    if (driver === undefined) return false;
    const requests = reader.get<storageV1.CSIDriver>(DRIVERS, '', driver)?.spec.tokenRequests ?? [];
    return requests.some((request) => request.audience === audience);
  });
}

function driverOf(
  reader: CacheReader,
  namespace: string,
  podName: string,
  volume: coreV1.Volume,
): string | undefined {
  if (volume.csi !== undefined) return volume.csi.driver;
  const claimName =
    volume.ephemeral === undefined ? volume.persistentVolumeClaim?.claimName : `${podName}-${volume.name}`;
  if (claimName === undefined) return undefined;
  const claim = reader.get<coreV1.PersistentVolumeClaim>(CLAIMS, namespace, claimName);
  const bound = claim?.spec.volumeName ?? '';
  return bound === '' ? undefined : reader.get<coreV1.PersistentVolume>(VOLUMES, '', bound)?.spec.csi?.driver;
}
