import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { resourceOf, withMetadata } from './refusal.ts';

const FINALIZERS: Readonly<Record<string, string | undefined>> = {
  persistentvolumes: 'kubernetes.io/pv-protection',
  persistentvolumeclaims: 'kubernetes.io/pvc-protection',
  'volumeattributesclasses.storage.k8s.io': 'kubernetes.io/vac-protection',
};

/** Volumes, claims and their attribute classes are not gone before nothing uses them any more. */
export const storageObjectInUseProtection: AdmissionPlugin = {
  name: 'StorageObjectInUseProtection',
  mutate(attributes: AdmissionAttributes) {
    const { object, operation } = attributes;
    const finalizer = FINALIZERS[resourceOf(attributes)];
    if (operation !== 'CREATE' || object === undefined || finalizer === undefined) return object;
    const finalizers = object.metadata.finalizers ?? [];
    if (finalizers.includes(finalizer)) return object;
    return withMetadata(object, { finalizers: [...finalizers, finalizer] });
  },
};
