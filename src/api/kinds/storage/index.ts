/** PersistentVolume, PersistentVolumeClaim, StorageClass, VolumeAttachment and the CSI kinds. */
import type { KindBehaviour } from '../../kind-behaviour.ts';
import type { coreV1, storageV1 } from '../../types/index.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { defineKind, type KindColumn } from '../define-kind.ts';
import { settleDataSources } from './claim-source.ts';
import { validateClaim, validateClaimStatus, validateClaimUpdate } from './claim-validation.ts';
import {
  validateAttachment,
  validateAttachmentUpdate,
  validateAttributesClass,
  validateCsiDriver,
  validateCsiNode,
  validateStorageCapacity,
  validateStorageCapacityUpdate,
  validateStorageClass,
  validateStorageClassUpdate,
} from './class-validation.ts';
import { validateVolume, validateVolumeUpdate } from './volume-validation.ts';

const MODE_NAMES: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

/** In a fixed order, each once. */
const accessModes = (modes: readonly string[] | undefined): string =>
  Object.keys(MODE_NAMES)
    .filter((mode) => modes?.includes(mode))
    .map((mode) => MODE_NAMES[mode])
    .join(',');

const volumeModeColumn: KindColumn<{ readonly spec: { readonly volumeMode?: string } }> = {
  name: 'VolumeMode',
  description: 'Filesystem or Block.',
  wide: true,
  cell: ({ spec }) => spec.volumeMode ?? '<unset>',
};

/** The time of the last change of phase, unless the writer says when it was. */
function withTransitionTime(
  object: coreV1.PersistentVolume,
  { status: old }: coreV1.PersistentVolume,
  now: string,
): coreV1.PersistentVolume {
  const { phase, lastPhaseTransitionTime: given } = object.status;
  const isChanged = phase !== old.phase;
  const time = isChanged && (given === undefined || given === old.lastPhaseTransitionTime) ? now : given;
  const kept = isChanged ? time : (given ?? old.lastPhaseTransitionTime);
  if (kept === undefined || kept === given) return object;
  return { ...object, status: { ...object.status, lastPhaseTransitionTime: kept } };
}

const persistentVolume = defineKind<coreV1.PersistentVolume>({
  group: '',
  kind: 'PersistentVolume',
  validateCreate: validateVolume,
  validateUpdate: validateVolumeUpdate,
  prepareForCreate: (object, { now }) => ({
    ...object,
    status: { phase: 'Pending', lastPhaseTransitionTime: now },
  }),
  prepareForStatusUpdate: (object, old, { now }) => withTransitionTime(object, old, now),
  bumpsGeneration: () => false,
  selectableFields: ({ metadata }) => ({ name: metadata.name }),
  columns: [
    nameColumn,
    {
      name: 'Capacity',
      description: 'How much it holds.',
      cell: ({ spec }) => spec.capacity?.['storage'] ?? '',
    },
    {
      name: 'Access Modes',
      description: 'How it can be mounted.',
      cell: ({ spec }) => accessModes(spec.accessModes),
    },
    {
      name: 'Reclaim Policy',
      description: 'What happens to it when it is released.',
      cell: ({ spec }) => spec.persistentVolumeReclaimPolicy ?? '',
    },
    {
      name: 'Status',
      description: 'Available, Bound, Released or Failed.',
      cell: ({ metadata, status }) =>
        metadata.deletionTimestamp === undefined ? (status.phase ?? '') : 'Terminating',
    },
    {
      name: 'Claim',
      description: 'Who has it.',
      cell: ({ spec: { claimRef } }) =>
        claimRef === undefined ? '' : `${claimRef.namespace}/${claimRef.name}`,
    },
    { name: 'StorageClass', description: 'Its class.', cell: ({ spec }) => spec.storageClassName ?? '' },
    {
      name: 'VolumeAttributesClass',
      description: 'Its attributes class.',
      cell: ({ spec }) => spec.volumeAttributesClassName ?? '<unset>',
    },
    { name: 'Reason', description: 'Why it is in this state.', cell: ({ status }) => status.reason ?? '' },
    ageColumn,
    volumeModeColumn,
  ],
});

const persistentVolumeClaim = defineKind<coreV1.PersistentVolumeClaim>({
  group: '',
  kind: 'PersistentVolumeClaim',
  validateCreate: validateClaim,
  validateUpdate: validateClaimUpdate,
  validateStatusUpdate: validateClaimStatus,
  prepareForCreate: (object) => ({ ...settleDataSources(object), status: { phase: 'Pending' } }),
  prepareForUpdate: (object, old) => settleDataSources(object, old),
  bumpsGeneration: () => false,
  selectableFields: ({ metadata }) => ({ name: metadata.name }),
  columns: [
    nameColumn,
    {
      name: 'Status',
      description: 'Pending, Bound or Lost.',
      cell: ({ metadata, status }) =>
        metadata.deletionTimestamp === undefined ? (status.phase ?? '') : 'Terminating',
    },
    { name: 'Volume', description: 'The volume it has.', cell: ({ spec }) => spec.volumeName ?? '' },
    {
      name: 'Capacity',
      description: 'How much it holds.',
      cell: ({ spec, status }) =>
        (spec.volumeName ?? '') === '' ? '' : (status.capacity?.['storage'] ?? ''),
    },
    {
      name: 'Access Modes',
      description: 'How it can be mounted.',
      cell: ({ spec, status }) => ((spec.volumeName ?? '') === '' ? '' : accessModes(status.accessModes)),
    },
    { name: 'StorageClass', description: 'Its class.', cell: ({ spec }) => spec.storageClassName ?? '' },
    {
      name: 'VolumeAttributesClass',
      description: 'Its attributes class.',
      cell: ({ spec }) => spec.volumeAttributesClassName ?? '<unset>',
    },
    ageColumn,
    volumeModeColumn,
  ],
});

const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';

const storageClass = defineKind<storageV1.StorageClass>({
  group: 'storage.k8s.io',
  kind: 'StorageClass',
  validateCreate: validateStorageClass,
  validateUpdate: validateStorageClassUpdate,
  bumpsGeneration: () => false,
  columns: [
    {
      ...nameColumn,
      cell: ({ metadata }) =>
        metadata.annotations?.[DEFAULT_CLASS] === 'true' ? `${metadata.name} (default)` : metadata.name,
    },
    { name: 'Provisioner', description: 'Who makes the volumes.', cell: ({ provisioner }) => provisioner },
    {
      name: 'ReclaimPolicy',
      description: 'What happens to released volumes.',
      cell: ({ reclaimPolicy }) => reclaimPolicy ?? 'Delete',
    },
    {
      name: 'VolumeBindingMode',
      description: 'When a volume is chosen.',
      cell: ({ volumeBindingMode }) => volumeBindingMode ?? '<unset>',
    },
    {
      name: 'AllowVolumeExpansion',
      description: 'Whether volumes can grow.',
      cell: ({ allowVolumeExpansion }) => allowVolumeExpansion === true,
    },
    ageColumn,
  ],
});

const volumeAttributesClass = defineKind<storageV1.VolumeAttributesClass>({
  group: 'storage.k8s.io',
  kind: 'VolumeAttributesClass',
  validateCreate: (object) => validateAttributesClass(object),
  validateUpdate: (object, old) => validateAttributesClass(object, old),
  bumpsGeneration: () => false,
  columns: [
    nameColumn,
    { name: 'DriverName', description: 'Its driver.', cell: ({ driverName }) => driverName },
    ageColumn,
  ],
});

const volumeAttachment = defineKind<storageV1.VolumeAttachment>({
  group: 'storage.k8s.io',
  kind: 'VolumeAttachment',
  validateCreate: validateAttachment,
  validateUpdate: validateAttachmentUpdate,
  prepareForCreate: (object) => ({ ...object, status: { attached: false } }),
  bumpsGeneration: () => false,
  columns: [
    nameColumn,
    { name: 'Attacher', format: 'name', description: 'Who attaches.', cell: ({ spec }) => spec.attacher },
    { name: 'PV', description: 'The volume.', cell: ({ spec }) => spec.source.persistentVolumeName ?? '' },
    { name: 'Node', description: 'The node.', cell: ({ spec }) => spec.nodeName },
    {
      name: 'Attached',
      type: 'boolean',
      description: 'Whether it is attached.',
      cell: ({ status }) => status.attached,
    },
    ageColumn,
  ],
});

const csiNode = defineKind<storageV1.CSINode>({
  group: 'storage.k8s.io',
  kind: 'CSINode',
  validateCreate: (object) => validateCsiNode(object),
  validateUpdate: (object, old) => validateCsiNode(object, old),
  bumpsGeneration: () => false,
  columns: [
    nameColumn,
    {
      name: 'Drivers',
      type: 'integer',
      description: 'Drivers on the node.',
      cell: ({ spec }) => spec.drivers?.length ?? 0,
    },
    ageColumn,
  ],
});

const csiDriver = defineKind<storageV1.CSIDriver>({
  group: 'storage.k8s.io',
  kind: 'CSIDriver',
  validateCreate: (object) => validateCsiDriver(object),
  validateUpdate: (object, old) => validateCsiDriver(object, old),
  columns: [
    nameColumn,
    {
      name: 'AttachRequired',
      type: 'boolean',
      description: 'Whether volumes are attached first.',
      cell: ({ spec }) => spec.attachRequired ?? true,
    },
    {
      name: 'PodInfoOnMount',
      type: 'boolean',
      description: 'Whether it hears of the pod.',
      cell: ({ spec }) => spec.podInfoOnMount ?? false,
    },
    {
      name: 'StorageCapacity',
      type: 'boolean',
      description: 'Whether it tells its capacity.',
      cell: ({ spec }) => spec.storageCapacity ?? false,
    },
    {
      name: 'TokenRequests',
      description: 'Audiences of the tokens it gets.',
      cell: ({ spec }) => orUnset(spec.tokenRequests?.map((t) => t.audience)),
    },
    {
      name: 'RequiresRepublish',
      type: 'boolean',
      description: 'Whether mounts are repeated.',
      cell: ({ spec }) => spec.requiresRepublish ?? false,
    },
    {
      name: 'Modes',
      description: 'Persistent, Ephemeral or both.',
      cell: ({ spec }) => orUnset(spec.volumeLifecycleModes),
    },
    ageColumn,
  ],
});

const orUnset = (items: readonly string[] | undefined): string =>
  items === undefined || items.length === 0 ? '<unset>' : items.join(',');

const csiStorageCapacity = defineKind<storageV1.CSIStorageCapacity>({
  group: 'storage.k8s.io',
  kind: 'CSIStorageCapacity',
  validateCreate: validateStorageCapacity,
  validateUpdate: validateStorageCapacityUpdate,
  bumpsGeneration: () => false,
});

export const storageKinds: readonly KindBehaviour[] = [
  persistentVolume,
  persistentVolumeClaim,
  storageClass,
  volumeAttributesClass,
  volumeAttachment,
  csiNode,
  csiDriver,
  csiStorageCapacity,
];
