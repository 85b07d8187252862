/**
 * The ways in which kinds differ under the generic verbs, as upstream's strategies and stores have them
 * (`AllowCreateOnUpdate`, `AllowUnconditionalUpdate`, `ReturnDeletedObject`, `DefaultGarbageCollectionPolicy`).
 * Keys are `group/resource`; the core group is empty.
 */
export interface KindPolicy {
  /** PUT on a name that does not exist creates it. */
  readonly createsOnUpdate: boolean;
  /** An update without `resourceVersion` overwrites whatever is there. */
  readonly allowsUnconditionalUpdate: boolean;
  /** DELETE answers with the deleted object instead of a Status. */
  readonly returnsDeleted: boolean;
  /** What happens to dependents when the caller does not say. */
  readonly dependents: 'background' | 'orphan' | 'unsupported';
  /** What a write of the status may change of the metadata. */
  readonly statusMetadata: 'open' | 'labels kept' | 'owners kept' | 'kept';
  /** Deletion waits for `spec.finalizers` and shows in `status.phase`: Namespaces. */
  readonly hasSpecFinalizers?: boolean;
  /** Put on when the deletion begins, and taken off by the server when it has cleaned up. */
  readonly cleanupFinalizer?: string;
}

/** A definition goes after its instances. */
export const DEFINITION_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

const CREATES_ON_UPDATE = new Set([
  'coordination.k8s.io/leases',
  'coordination.k8s.io/leasecandidates',
  '/endpoints',
  '/events',
  '/limitranges',
  '/services',
  'node.k8s.io/runtimeclasses',
  'rbac.authorization.k8s.io/clusterroles',
  'rbac.authorization.k8s.io/clusterrolebindings',
  'rbac.authorization.k8s.io/roles',
  'rbac.authorization.k8s.io/rolebindings',
]);

const NEEDS_RESOURCE_VERSION = new Set([
  'admissionregistration.k8s.io/mutatingadmissionpolicies',
  'admissionregistration.k8s.io/mutatingadmissionpolicybindings',
  'admissionregistration.k8s.io/mutatingwebhookconfigurations',
  'admissionregistration.k8s.io/validatingadmissionpolicies',
  'admissionregistration.k8s.io/validatingadmissionpolicybindings',
  'admissionregistration.k8s.io/validatingwebhookconfigurations',
  'apiextensions.k8s.io/customresourcedefinitions',
  'apiregistration.k8s.io/apiservices',
  'internal.apiserver.k8s.io/storageversions',
  'certificates.k8s.io/clustertrustbundles',
  'certificates.k8s.io/podcertificaterequests',
  'coordination.k8s.io/leases',
  'coordination.k8s.io/leasecandidates',
  'node.k8s.io/runtimeclasses',
  'policy/poddisruptionbudgets',
  'resource.k8s.io/resourcepoolstatusrequests',
  'storage.k8s.io/csidrivers',
  'storage.k8s.io/csinodes',
  'storage.k8s.io/csistoragecapacities',
  'storage.k8s.io/volumeattachments',
  'storagemigration.k8s.io/storageversionmigrations',
]);

const RETURNS_DELETED = new Set([
  'resource.k8s.io/resourceclaimtemplates',
  'resource.k8s.io/resourceslices',
  'resource.k8s.io/resourceclaims',
  'resource.k8s.io/deviceclasses',
  'resource.k8s.io/devicetaintrules',
  'resource.k8s.io/resourcepoolstatusrequests',
  'storage.k8s.io/csidrivers',
  'storage.k8s.io/storageclasses',
  'storage.k8s.io/volumeattachments',
  'storage.k8s.io/csinodes',
  'storage.k8s.io/volumeattributesclasses',
  '/resourcequotas',
  '/persistentvolumes',
  '/serviceaccounts',
  '/persistentvolumeclaims',
  '/namespaces',
  '/pods',
  '/services',
  '/podtemplates',
]);

const STATUS_KEEPS_METADATA = new Set([
  'admissionregistration.k8s.io/validatingadmissionpolicies',
  'certificates.k8s.io/podcertificaterequests',
  'flowcontrol.apiserver.k8s.io/flowschemas',
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations',
  'internal.apiserver.k8s.io/storageversions',
  'networking.k8s.io/servicecidrs',
  'resource.k8s.io/devicetaintrules',
  'resource.k8s.io/resourceclaims',
  'resource.k8s.io/resourcepoolstatusrequests',
  'scheduling.k8s.io/podgroups',
  'storage.k8s.io/volumeattachments',
  'storagemigration.k8s.io/storageversionmigrations',
]);

function statusMetadataOf(key: string): KindPolicy['statusMetadata'] {
  if (key === 'apps/deployments') return 'labels kept';
  if (key === '/pods') return 'owners kept';
  return STATUS_KEEPS_METADATA.has(key) ? 'kept' : 'open';
}

const ORPHANS_DEPENDENTS = new Set(['/replicationcontrollers', 'batch/jobs']);

export function builtinPolicy(group: string, resource: string): KindPolicy {
  const key = `${group}/${resource}`;
  return {
    createsOnUpdate: CREATES_ON_UPDATE.has(key),
    allowsUnconditionalUpdate: !NEEDS_RESOURCE_VERSION.has(key),
    returnsDeleted: RETURNS_DELETED.has(key),
    statusMetadata: statusMetadataOf(key),
    ...(key === 'apiextensions.k8s.io/customresourcedefinitions'
      ? { cleanupFinalizer: DEFINITION_FINALIZER }
      : {}),
    ...(key === '/namespaces' ? { hasSpecFinalizers: true } : {}),
    dependents: key === '/events' ? 'unsupported' : ORPHANS_DEPENDENTS.has(key) ? 'orphan' : 'background',
  };
}

export const CUSTOM_RESOURCE_POLICY: KindPolicy = {
  createsOnUpdate: false,
  allowsUnconditionalUpdate: false,
  returnsDeleted: false,
  statusMetadata: 'kept',
  dependents: 'background',
};
