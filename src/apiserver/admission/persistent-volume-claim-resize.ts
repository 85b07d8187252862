import type { coreV1, storageV1 } from '#api';
import { parseQuantity } from '#machinery';
import type { CacheReader } from '../reader.ts';
import { typed } from '../typed-object.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { refusal, resourceOf } from './refusal.ts';

const STORAGE_CLASSES = { group: 'storage.k8s.io', resource: 'storageclasses' };

const classOf = ({ metadata, spec }: coreV1.PersistentVolumeClaim): string =>
  metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? spec.storageClassName ?? '';
const sizeOf = ({ spec }: coreV1.PersistentVolumeClaim) =>
  parseQuantity(spec.resources?.requests?.['storage'] ?? '0');

/** A claim grows only once bound, and only in a class that allows it. */
export function persistentVolumeClaimResize(options: { readonly reader: CacheReader }): AdmissionPlugin {
  function mayGrow(claim: coreV1.PersistentVolumeClaim, old: coreV1.PersistentVolumeClaim): boolean {
    const name = classOf(claim);
    if (name === '' || name !== classOf(old)) return false;
    const found = options.reader.get<storageV1.StorageClass>(STORAGE_CLASSES, '', name);
    return found?.allowVolumeExpansion === true;
  }

  return {
    name: 'PersistentVolumeClaimResize',
    validate(attributes: AdmissionAttributes): void {
      const { operation, object, oldObject } = attributes;
      if (operation !== 'UPDATE' || resourceOf(attributes) !== 'persistentvolumeclaims') return;
      if (object === undefined || oldObject === undefined) return;
      const claim = typed<coreV1.PersistentVolumeClaim>(object);
      const old = typed<coreV1.PersistentVolumeClaim>(oldObject);
      if (sizeOf(claim).compare(sizeOf(old)) <= 0) return;
      if (old.status?.phase !== 'Bound') {
        throw refusal(attributes, 'Only bound persistent volume claims can be expanded');
      }
      if (!mayGrow(claim, old)) {
        throw refusal(
          attributes,
          'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
        );
      }
    },
  };
}
