/** ResourceClaim, ResourceClaimTemplate, ResourceSlice, DeviceClass: how they are listed. */
import type { KindBehaviour } from '../../kind-behaviour.ts';
import type { resourceV1 } from '../../types/index.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { defineKind } from '../define-kind.ts';

const GROUP = 'resource.k8s.io';

function claimState({ metadata, status }: resourceV1.ResourceClaim): string {
  const isDeleted = metadata.deletionTimestamp !== undefined;
  const deleted = isDeleted ? ['deleted'] : [];
  const { allocation, reservedFor = [] } = status;
  if (allocation === undefined) return isDeleted ? 'deleted' : 'pending';
  return [...deleted, 'allocated', ...(reservedFor.length > 0 ? ['reserved'] : [])].join(',');
}

const resourceClaim = defineKind<resourceV1.ResourceClaim>({
  group: GROUP,
  kind: 'ResourceClaim',
  prepareForCreate: (object) => ({ ...object, status: {} }),
  bumpsGeneration: () => false,
  columns: [
    nameColumn,
    { name: 'State', description: 'Pending, allocated, reserved.', cell: claimState },
    ageColumn,
  ],
});

const resourceClaimTemplate = defineKind<resourceV1.ResourceClaimTemplate>({
  group: GROUP,
  kind: 'ResourceClaimTemplate',
  bumpsGeneration: () => false,
  columns: [nameColumn, ageColumn],
});

const resourceSlice = defineKind<resourceV1.ResourceSlice>({
  group: GROUP,
  kind: 'ResourceSlice',
  prepareForCreate: (object) => ({ ...object, metadata: { ...object.metadata, generation: 1 } }),
  selectableFields: ({ spec }) => ({ 'spec.nodeName': spec.nodeName ?? '', 'spec.driver': spec.driver }),
  columns: [
    nameColumn,
    { name: 'Node', description: 'Where its devices are.', cell: ({ spec }) => spec.nodeName ?? '' },
    { name: 'Driver', description: 'Who offers them.', cell: ({ spec }) => spec.driver },
    { name: 'Pool', description: 'What they are part of.', cell: ({ spec }) => spec.pool.name },
    ageColumn,
  ],
});

const deviceClass = defineKind<resourceV1.DeviceClass>({
  group: GROUP,
  kind: 'DeviceClass',
  prepareForCreate: (object) => ({ ...object, metadata: { ...object.metadata, generation: 1 } }),
  columns: [nameColumn, ageColumn],
});

export const resourceKinds: readonly KindBehaviour[] = [
  resourceClaim,
  resourceClaimTemplate,
  resourceSlice,
  deviceClass,
];
