/** Claims and ingresses that name no class get the default one, if an administrator marked one. */
import type { coreV1, networkingV1 } from '#api';
import type { KubeObject } from '#machinery';
import type { CacheReader } from '../reader.ts';
import { typed } from '../typed-object.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { resourceOf, withSpec } from './refusal.ts';

const STORAGE_CLASSES = { group: 'storage.k8s.io', resource: 'storageclasses' };
const INGRESS_CLASSES = { group: 'networking.k8s.io', resource: 'ingressclasses' };
const DEFAULT_STORAGE_ANNOTATIONS = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];
const DEFAULT_INGRESS_ANNOTATIONS = ['ingressclass.kubernetes.io/is-default-class'];

/** Of several defaults the newest, and of equally old ones the first by name. */
function defaultClass(
  reader: CacheReader,
  resource: { readonly group: string; readonly resource: string },
  annotations: readonly string[],
): string | undefined {
  const marked = reader
    .list<KubeObject>(resource)
    .filter(({ metadata }) => annotations.some((key) => metadata.annotations?.[key] === 'true'))
    .sort((a, b) => {
      const [newer, older] = [b.metadata.creationTimestamp ?? '', a.metadata.creationTimestamp ?? ''];
      if (newer !== older) return newer < older ? -1 : 1;
      return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1;
    });
  return marked[0]?.metadata.name;
}

export function defaultStorageClass(options: { readonly reader: CacheReader }): AdmissionPlugin {
  return {
    name: 'DefaultStorageClass',
    mutate(attributes: AdmissionAttributes) {
      const { object, operation } = attributes;
      if (operation !== 'CREATE' || object === undefined) return object;
      if (resourceOf(attributes) !== 'persistentvolumeclaims') return object;
      const { metadata, spec } = typed<coreV1.PersistentVolumeClaim>(object);
      // An empty name asks for no class at all, which is a choice too.
      const chosen =
        metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? spec.storageClassName;
      if (chosen !== undefined) return object;
      const name = defaultClass(options.reader, STORAGE_CLASSES, DEFAULT_STORAGE_ANNOTATIONS);
      return name === undefined ? object : withSpec(object, { storageClassName: name });
    },
  };
}

export function defaultIngressClass(options: { readonly reader: CacheReader }): AdmissionPlugin {
  return {
    name: 'DefaultIngressClass',
    mutate(attributes: AdmissionAttributes) {
      const { object, operation } = attributes;
      if (operation !== 'CREATE' || object === undefined) return object;
      if (resourceOf(attributes) !== 'ingresses.networking.k8s.io') return object;
      const { metadata, spec } = typed<networkingV1.Ingress>(object);
      if (spec?.ingressClassName !== undefined) return object;
      if (metadata.annotations?.['kubernetes.io/ingress.class'] !== undefined) return object;
      const name = defaultClass(options.reader, INGRESS_CLASSES, DEFAULT_INGRESS_ANNOTATIONS);
      return name === undefined ? object : withSpec(object, { ingressClassName: name });
    },
  };
}
