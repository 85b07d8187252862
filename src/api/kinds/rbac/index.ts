/** Role, ClusterRole, RoleBinding, ClusterRoleBinding, CertificateSigningRequest. */
import type { KindBehaviour } from '../../kind-behaviour.ts';
import type { certificatesV1, rbacV1 } from '../../types/index.ts';
import { ageColumn, nameColumn, orNone } from '../columns.ts';
import { defineKind, type KindColumn } from '../define-kind.ts';
import { humanDuration } from '../human-duration.ts';
import { validateRequest, validateRequestStatus, validateRequestUpdate } from './csr-validation.ts';
import {
  validateClusterRole,
  validateClusterRoleBinding,
  validateRole,
  validateRoleBinding,
} from './validation.ts';

const RBAC_GROUP = 'rbac.authorization.k8s.io';

const createdColumn: KindColumn<{ readonly metadata: { readonly creationTimestamp: string } }> = {
  name: 'Created At',
  type: 'date',
  description: 'When it was created.',
  cell: ({ metadata }) => metadata.creationTimestamp,
};

interface Binding {
  readonly roleRef: rbacV1.RoleRef;
  readonly subjects?: readonly rbacV1.Subject[];
}

/** User and Group belong to the API group, service accounts to the core. */
function defaultSubjects<T extends Binding>(binding: T): T {
  if (binding.subjects === undefined) return binding;
  const subjects = binding.subjects.map((subject) =>
    subject.apiGroup !== undefined || subject.kind === 'ServiceAccount'
      ? subject
      : { ...subject, apiGroup: RBAC_GROUP },
  );
  return { ...binding, subjects };
}

const subjectsOf = ({ subjects = [] }: Binding, kind: string): string =>
  subjects
    .filter((subject) => subject.kind === kind)
    .map(({ namespace, name }) => (kind === 'ServiceAccount' ? `${namespace}/${name}` : name))
    .join(', ');

const bindingColumns: readonly KindColumn<Binding>[] = [
  { name: 'Role', description: 'What it grants.', cell: ({ roleRef }) => `${roleRef.kind}/${roleRef.name}` },
];
const subjectColumns: readonly KindColumn<Binding>[] = [
  {
    name: 'Users',
    description: 'Users it grants to.',
    wide: true,
    cell: (binding) => subjectsOf(binding, 'User'),
  },
  {
    name: 'Groups',
    description: 'Groups it grants to.',
    wide: true,
    cell: (binding) => subjectsOf(binding, 'Group'),
  },
  {
    name: 'ServiceAccounts',
    description: 'Service accounts it grants to.',
    wide: true,
    cell: (binding) => subjectsOf(binding, 'ServiceAccount'),
  },
];

const role = defineKind<rbacV1.Role>({
  group: RBAC_GROUP,
  kind: 'Role',
  validateCreate: validateRole,
  validateUpdate: validateRole,
  nameRule: 'path-segment',
  bumpsGeneration: () => false,
  columns: [nameColumn, createdColumn],
});

const clusterRole = defineKind<rbacV1.ClusterRole>({
  group: RBAC_GROUP,
  kind: 'ClusterRole',
  validateCreate: validateClusterRole,
  validateUpdate: validateClusterRole,
  nameRule: 'path-segment',
  bumpsGeneration: () => false,
  columns: [nameColumn, createdColumn],
});

const roleBinding = defineKind<rbacV1.RoleBinding>({
  group: RBAC_GROUP,
  kind: 'RoleBinding',
  validateCreate: (object) => validateRoleBinding(object),
  validateUpdate: (object, old) => validateRoleBinding(object, old),
  nameRule: 'path-segment',
  setDefaults: defaultSubjects,
  bumpsGeneration: () => false,
  columns: [nameColumn, ...bindingColumns, ageColumn, ...subjectColumns],
});

const clusterRoleBinding = defineKind<rbacV1.ClusterRoleBinding>({
  group: RBAC_GROUP,
  kind: 'ClusterRoleBinding',
  validateCreate: (object) => validateClusterRoleBinding(object),
  validateUpdate: (object, old) => validateClusterRoleBinding(object, old),
  nameRule: 'path-segment',
  setDefaults: defaultSubjects,
  bumpsGeneration: () => false,
  columns: [nameColumn, ...bindingColumns, ageColumn, ...subjectColumns],
});

function requestCondition({ status }: certificatesV1.CertificateSigningRequest): string {
  const has = (type: string): boolean =>
    status.conditions?.some((condition) => condition.type === type) === true;
  const parts = [
    has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending',
    ...(has('Failed') ? ['Failed'] : []),
    ...((status.certificate ?? '') === '' ? [] : ['Issued']),
  ];
  return parts.join(',');
}

const certificateSigningRequest = defineKind<certificatesV1.CertificateSigningRequest>({
  group: 'certificates.k8s.io',
  kind: 'CertificateSigningRequest',
  nameRule: 'any',
  validateCreate: validateRequest,
  validateUpdate: validateRequestUpdate,
  validateStatusUpdate: validateRequestStatus,
  prepareForCreate: (object, { user }) => ({
    ...object,
    spec: { ...object.spec, username: user.name, groups: [...user.groups] },
    status: {},
  }),
  prepareForUpdate: (object, old) => ({ ...object, spec: old.spec, status: old.status }),
  bumpsGeneration: () => false,
  selectableFields: ({ spec }) => ({ 'spec.signerName': spec.signerName }),
  columns: [
    nameColumn,
    ageColumn,
    { name: 'SignerName', description: 'Who is asked to sign.', cell: ({ spec }) => spec.signerName },
    { name: 'Requestor', description: 'Who asks.', cell: ({ spec }) => spec.username ?? '' },
    {
      name: 'RequestedDuration',
      description: 'How long it should be valid.',
      cell: ({ spec }) =>
        spec.expirationSeconds === undefined ? '<none>' : humanDuration(spec.expirationSeconds * 1_000),
    },
    {
      name: 'Condition',
      description: 'Pending, Approved, Denied, Issued.',
      cell: (object) => orNone(requestCondition(object)),
    },
  ],
});

export const rbacKinds: readonly KindBehaviour[] = [
  role,
  clusterRole,
  roleBinding,
  clusterRoleBinding,
  certificateSigningRequest,
];
