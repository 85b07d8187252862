/** ConfigMap, Secret, Namespace, Node, ServiceAccount, Event, LimitRange, ResourceQuota, ComponentStatus. */
import type { KindBehaviour } from '../../kind-behaviour.ts';
import type { coordinationV1, coreV1 } from '../../types/index.ts';
import { ageColumn, nameColumn, orNone } from '../columns.ts';
import { defineKind } from '../define-kind.ts';
import { validateNode, validateNodeStatus, validateNodeUpdate } from './node-validation.ts';
import {
  validateLimitRange,
  validateResourceQuota,
  validateResourceQuotaStatus,
  validateResourceQuotaUpdate,
} from './quota-validation.ts';
import {
  validateConfigMap,
  validateConfigMapUpdate,
  validateEvent,
  validateLease,
  validateNamespace,
  validateNamespaceStatus,
  validateNamespaceUpdate,
  validateSecret,
  validateSecretUpdate,
} from './validation.ts';
import { since } from '../human-duration.ts';

const size = (...maps: readonly (object | undefined)[]): number =>
  maps.reduce((sum: number, map) => sum + Object.keys(map ?? {}).length, 0);

const configMap = defineKind<coreV1.ConfigMap>({
  group: '',
  kind: 'ConfigMap',
  validateCreate: validateConfigMap,
  validateUpdate: validateConfigMapUpdate,
  bumpsGeneration: () => false,
  columns: [
    nameColumn,
    { name: 'Data', description: 'Number of keys.', cell: ({ data, binaryData }) => size(data, binaryData) },
    ageColumn,
  ],
});

/** What was given as text becomes part of the data, encoded. */
function encodeStringData(secret: coreV1.Secret): coreV1.Secret {
  const { stringData, ...rest } = secret;
  if (stringData === undefined) return secret;
  const encoded = Object.entries(stringData).map(([key, text]) => [
    key,
    Buffer.from(text).toString('base64'),
  ]);
  return { ...rest, data: { ...rest.data, ...Object.fromEntries(encoded) } };
}

const secret = defineKind<coreV1.Secret>({
  group: '',
  kind: 'Secret',
  validateCreate: validateSecret,
  validateUpdate: validateSecretUpdate,
  setDefaults: encodeStringData,
  bumpsGeneration: () => false,
  selectableFields: ({ type }) => ({ type: type ?? '' }),
  columns: [
    nameColumn,
    { name: 'Type', description: 'What it is for.', cell: ({ type }) => type ?? '' },
    { name: 'Data', description: 'Number of keys.', cell: ({ data }) => size(data) },
    ageColumn,
  ],
});

const withOwnFinalizer = (finalizers: readonly string[]): readonly string[] =>
  finalizers.includes('kubernetes') ? finalizers : [...finalizers, 'kubernetes'];

const namespace = defineKind<coreV1.Namespace>({
  group: '',
  kind: 'Namespace',
  validateCreate: validateNamespace,
  validateUpdate: validateNamespaceUpdate,
  validateStatusUpdate: validateNamespaceStatus,
  nameRule: 'dns1123-label',
  setDefaults: (object) => {
    const { name, labels } = object.metadata;
    if (name === undefined || labels?.['kubernetes.io/metadata.name'] !== undefined) return object;
    return {
      ...object,
      metadata: { ...object.metadata, labels: { ...labels, 'kubernetes.io/metadata.name': name } },
    };
  },
  prepareForCreate: (object) => ({
    ...object,
    spec: { finalizers: withOwnFinalizer(object.spec.finalizers ?? []) },
    status: { phase: 'Active' },
  }),
  prepareForUpdate: (object, old) => ({
    ...object,
    spec: { ...object.spec, finalizers: old.spec.finalizers },
    status: old.status,
  }),
  bumpsGeneration: () => false,
  selectableFields: ({ metadata, status }) => ({ name: metadata.name, 'status.phase': status.phase ?? '' }),
  columns: [
    nameColumn,
    { name: 'Status', description: 'Active or Terminating.', cell: ({ status }) => status.phase ?? '' },
    ageColumn,
  ],
});

const ROLE_PREFIX = 'node-role.kubernetes.io/';

function nodeRoles(labels: Readonly<Record<string, string>> | undefined): string {
  const roles = Object.entries(labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(ROLE_PREFIX) && key.length > ROLE_PREFIX.length)
      return [key.slice(ROLE_PREFIX.length)];
    return key === 'kubernetes.io/role' && value !== '' ? [value] : [];
  });
  return orNone([...new Set(roles)].sort().join(','));
}

function nodeStatus({ spec, status }: coreV1.Node): string {
  const ready = status.conditions?.find((condition) => condition.type === 'Ready');
  const health = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return spec.unschedulable === true ? `${health},SchedulingDisabled` : health;
}

const orUnknown = (text: string | undefined): string =>
  text === undefined || text === '' ? '<unknown>' : text;
const nodeAddress = ({ status }: coreV1.Node, type: string): string =>
  orNone(status.addresses?.find((address) => address.type === type)?.address);

const node = defineKind<coreV1.Node>({
  group: '',
  kind: 'Node',
  validateCreate: validateNode,
  validateUpdate: validateNodeUpdate,
  validateStatusUpdate: validateNodeStatus,
  setDefaults: (object) => {
    const { capacity, allocatable } = object.status;
    return capacity === undefined || allocatable !== undefined
      ? object
      : { ...object, status: { ...object.status, allocatable: capacity } };
  },
  bumpsGeneration: () => false,
  selectableFields: ({ spec }) => ({ 'spec.unschedulable': String(spec.unschedulable === true) }),
  columns: [
    nameColumn,
    { name: 'Status', description: 'Whether it takes pods.', cell: nodeStatus },
    {
      name: 'Roles',
      description: 'Roles from its labels.',
      cell: ({ metadata }) => nodeRoles(metadata.labels),
    },
    ageColumn,
    {
      name: 'Version',
      description: 'Version of its kubelet.',
      cell: ({ status }) => status.nodeInfo?.kubeletVersion ?? '',
    },
    {
      name: 'Internal-IP',
      description: 'Its address inside the cluster.',
      wide: true,
      cell: (object) => nodeAddress(object, 'InternalIP'),
    },
    {
      name: 'External-IP',
      description: 'Its address outside.',
      wide: true,
      cell: (object) => nodeAddress(object, 'ExternalIP'),
    },
    {
      name: 'OS-Image',
      description: 'Its operating system.',
      wide: true,
      cell: ({ status }) => orUnknown(status.nodeInfo?.osImage),
    },
    {
      name: 'Kernel-Version',
      description: 'Its kernel.',
      wide: true,
      cell: ({ status: { nodeInfo } }) => {
        const architecture = nodeInfo?.architecture ?? '';
        return `${orUnknown(nodeInfo?.kernelVersion)}${architecture === '' ? '' : ` (${architecture})`}`;
      },
    },
    {
      name: 'Container-Runtime',
      description: 'What runs its containers.',
      wide: true,
      cell: ({ status }) => orUnknown(status.nodeInfo?.containerRuntimeVersion),
    },
  ],
});

const serviceAccount = defineKind<coreV1.ServiceAccount>({
  group: '',
  kind: 'ServiceAccount',
  bumpsGeneration: () => false,
  columns: [nameColumn, ageColumn],
});

function eventSource({ source, reportingComponent, reportingInstance }: coreV1.Event): string {
  const component = source?.component ?? '';
  const host = source?.host ?? '';
  if (component !== '') return host === '' ? component : `${component}, ${host}`;
  const instance = reportingInstance ?? '';
  return instance === '' ? (reportingComponent ?? '') : `${reportingComponent}, ${instance}`;
}

const timeOf = (...times: readonly (string | null | undefined)[]): string | undefined =>
  times.find((time) => time !== undefined && time !== null) ?? undefined;

const event = defineKind<coreV1.Event>({
  group: '',
  kind: 'Event',
  validateCreate: validateEvent,
  validateUpdate: validateEvent,
  nameRule: 'dns1123-subdomain',
  bumpsGeneration: () => false,
  selectableFields: ({ involvedObject, reason, source, reportingComponent, type }) => ({
    'involvedObject.kind': involvedObject.kind ?? '',
    'involvedObject.namespace': involvedObject.namespace ?? '',
    'involvedObject.name': involvedObject.name ?? '',
    'involvedObject.uid': involvedObject.uid ?? '',
    'involvedObject.apiVersion': involvedObject.apiVersion ?? '',
    'involvedObject.resourceVersion': involvedObject.resourceVersion ?? '',
    'involvedObject.fieldPath': involvedObject.fieldPath ?? '',
    reason: reason ?? '',
    reportingComponent: reportingComponent ?? '',
    source: source?.component ?? reportingComponent ?? '',
    type: type ?? '',
  }),
  columns: [
    {
      name: 'Last Seen',
      description: 'How long ago it happened last.',
      cell: (o, nowMs) =>
        since(timeOf(o.series?.lastObservedTime, o.lastTimestamp, o.firstTimestamp, o.eventTime), nowMs),
    },
    { name: 'Type', description: 'Normal or Warning.', cell: ({ type }) => type ?? '' },
    { name: 'Reason', description: 'Why, in a word.', cell: ({ reason }) => reason ?? '' },
    {
      name: 'Object',
      description: 'What it is about.',
      cell: ({ involvedObject: { kind = '', name = '' } }) =>
        name === '' ? kind.toLowerCase() : `${kind.toLowerCase()}/${name}`,
    },
    {
      name: 'Subobject',
      description: 'The part it is about.',
      wide: true,
      cell: ({ involvedObject }) => involvedObject.fieldPath ?? '',
    },
    { name: 'Source', description: 'Who says so.', wide: true, cell: eventSource },
    { name: 'Message', description: 'What happened.', cell: ({ message }) => (message ?? '').trim() },
    {
      name: 'First Seen',
      description: 'How long ago it happened first.',
      wide: true,
      cell: ({ firstTimestamp, eventTime }, nowMs) => since(timeOf(firstTimestamp, eventTime), nowMs),
    },
    {
      name: 'Count',
      description: 'How often it happened.',
      wide: true,
      cell: ({ series, count }) => series?.count ?? (count === undefined || count === 0 ? 1 : count),
    },
    {
      name: 'Name',
      format: 'name',
      description: 'The name of the event.',
      wide: true,
      cell: ({ metadata }) => metadata.name,
    },
  ],
});

const limitRange = defineKind<coreV1.LimitRange>({
  group: '',
  kind: 'LimitRange',
  validateCreate: validateLimitRange,
  validateUpdate: validateLimitRange,
  bumpsGeneration: () => false,
  // Limits of a container that are not given follow from those that are.
  setDefaults: (object) => ({
    ...object,
    spec: {
      ...object.spec,
      limits: (object.spec.limits ?? []).map((item) => {
        if (item.type !== 'Container') return item;
        const limits = { ...item.max, ...item.default };
        const requests = { ...item.min, ...limits, ...item.defaultRequest };
        return {
          ...item,
          ...(Object.keys(limits).length === 0 ? {} : { default: limits }),
          ...(Object.keys(requests).length === 0 ? {} : { defaultRequest: requests }),
        };
      }),
    },
  }),
});

const quotaCell = (quota: coreV1.ResourceQuota, limits: boolean): string =>
  Object.keys(quota.status.hard ?? {})
    .filter((name) => name.startsWith('limits.') === limits)
    .sort()
    .map((name) => `${name}: ${quota.status.used?.[name] ?? '0'}/${quota.status.hard?.[name] ?? '0'}`)
    .join(', ');

const resourceQuota = defineKind<coreV1.ResourceQuota>({
  group: '',
  kind: 'ResourceQuota',
  validateCreate: validateResourceQuota,
  validateUpdate: validateResourceQuotaUpdate,
  validateStatusUpdate: validateResourceQuotaStatus,
  prepareForCreate: (object) => ({ ...object, status: {} }),
  bumpsGeneration: () => false,
  columns: [
    nameColumn,
    { name: 'Request', description: 'Used and allowed requests.', cell: (quota) => quotaCell(quota, false) },
    { name: 'Limit', description: 'Used and allowed limits.', cell: (quota) => quotaCell(quota, true) },
    ageColumn,
  ],
});

const componentStatus = defineKind<coreV1.ComponentStatus>({
  group: '',
  kind: 'ComponentStatus',
  columns: [
    nameColumn,
    {
      name: 'Status',
      description: 'Healthy or Unhealthy.',
      cell: ({ conditions = [] }) =>
        conditions.find((c) => c.type === 'Healthy')?.status === 'True' ? 'Healthy' : 'Unhealthy',
    },
    {
      name: 'Message',
      description: 'What it said.',
      cell: ({ conditions }) => conditions?.[0]?.message ?? '',
    },
    {
      name: 'Error',
      description: 'What went wrong.',
      cell: ({ conditions }) => conditions?.[0]?.error ?? '',
    },
  ],
});

/** Fields of a feature that is off unless asked for; what is there may stay. */
function withoutElection(
  object: coordinationV1.Lease,
  old: coordinationV1.Lease | undefined,
): coordinationV1.Lease {
  const { strategy, preferredHolder, ...spec } = object.spec;
  return {
    ...object,
    spec: {
      ...spec,
      ...(old?.spec.strategy === undefined || strategy === undefined ? {} : { strategy }),
      ...(old?.spec.preferredHolder === undefined || preferredHolder === undefined
        ? {}
        : { preferredHolder }),
    },
  };
}

const lease = defineKind<coordinationV1.Lease>({
  group: 'coordination.k8s.io',
  kind: 'Lease',
  prepareForCreate: (object) => withoutElection(object, undefined),
  prepareForUpdate: withoutElection,
  validateCreate: validateLease,
  validateUpdate: validateLease,
  bumpsGeneration: () => false,
  columns: [
    nameColumn,
    { name: 'Holder', description: 'Who holds it.', cell: ({ spec }) => spec.holderIdentity ?? '' },
    ageColumn,
  ],
});

export const coreKinds: readonly KindBehaviour[] = [
  configMap,
  secret,
  namespace,
  node,
  serviceAccount,
  event,
  limitRange,
  resourceQuota,
  componentStatus,
  lease,
];
