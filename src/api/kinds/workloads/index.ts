/** Deployment, ReplicaSet, ReplicationController, StatefulSet, DaemonSet, ControllerRevision. */
import { deepEqual } from '#machinery';
import type { KindBehaviour } from '../../kind-behaviour.ts';
import type { appsV1, coreV1 } from '../../types/index.ts';
import { ageColumn, formatLabels, formatSelector, nameColumn, orNone, templateColumns } from '../columns.ts';
import { defineKind, type KindColumn } from '../define-kind.ts';
import { defaultTemplate } from '../pod/defaults.ts';
import { validateControllerRevision, validateControllerRevisionUpdate } from './revision-validation.ts';
import {
  validateDaemonSetStatus,
  validateDeploymentStatus,
  validateReplicaSetStatus,
  validateStatefulSetStatus,
} from './status-validation.ts';
import {
  validateDaemonSet,
  validateDeployment,
  validateReplicaSet,
  validateReplicationController,
  validateStatefulSet,
  validateStatefulSetUpdate,
} from './validation.ts';

interface Selecting {
  readonly spec: {
    readonly selector?: coreV1.ReplicationControllerSpec['selector'] | appsV1.DeploymentSpec['selector'];
  };
}

interface Counted {
  readonly spec: { readonly replicas?: number };
  readonly status: { readonly replicas?: number; readonly readyReplicas?: number };
}

const selectorColumn: KindColumn<Selecting> = {
  name: 'Selector',
  description: 'Which pods belong to it.',
  wide: true,
  cell: ({ spec: { selector } }) =>
    selector !== undefined &&
    selector !== null &&
    ('matchLabels' in selector || 'matchExpressions' in selector)
      ? formatSelector(selector)
      : formatLabels(selector as Readonly<Record<string, string>> | undefined),
};

const replicaColumns: readonly KindColumn<Counted>[] = [
  { name: 'Desired', type: 'integer', description: 'Pods asked for.', cell: (o) => o.spec.replicas ?? 0 },
  {
    name: 'Current',
    type: 'integer',
    description: 'Pods that are there.',
    cell: (o) => o.status.replicas ?? 0,
  },
  {
    name: 'Ready',
    type: 'integer',
    description: 'Pods that are ready.',
    cell: (o) => o.status.readyReplicas ?? 0,
  },
];

/** generation 1, no status: what every workload has when it is new. */
export function fresh<T extends { readonly metadata: object; readonly status?: object }>(
  object: T,
  status: T['status'],
): T {
  return { ...object, metadata: { ...object.metadata, generation: 1 }, status };
}

const deployment = defineKind<appsV1.Deployment>({
  group: 'apps',
  kind: 'Deployment',
  setDefaults(object) {
    const { strategy } = object.spec;
    const rolling = (strategy?.type ?? 'RollingUpdate') === 'RollingUpdate';
    return {
      ...object,
      spec: {
        ...object.spec,
        strategy: {
          ...strategy,
          ...(rolling
            ? {
                type: 'RollingUpdate',
                rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%', ...strategy?.rollingUpdate },
              }
            : {}),
        },
        template: defaultTemplate(object.spec.template),
      },
    };
  },
  prepareForCreate: (object) => fresh(object, {}),
  prepareForStatusUpdate: (object, old) => ({
    ...object,
    metadata: { ...object.metadata, labels: old.metadata.labels },
  }),
  bumpsGeneration: (object, old) =>
    !deepEqual(object.spec, old.spec) || !deepEqual(object.metadata.annotations, old.metadata.annotations),
  validateCreate: (object) => validateDeployment(object),
  validateUpdate: (object, old) => validateDeployment(object, old),
  validateStatusUpdate: validateDeploymentStatus,
  columns: [
    nameColumn,
    {
      name: 'Ready',
      description: 'Ready pods, of those asked for.',
      cell: ({ spec, status }) => `${status.readyReplicas ?? 0}/${spec.replicas ?? 0}`,
    },
    {
      name: 'Up-to-date',
      description: 'Pods of the newest template.',
      cell: ({ status }) => status.updatedReplicas ?? 0,
    },
    {
      name: 'Available',
      description: 'Pods that have been ready for long enough.',
      cell: ({ status }) => status.availableReplicas ?? 0,
    },
    ageColumn,
    ...templateColumns<appsV1.Deployment>((object) => object.spec.template),
    selectorColumn,
  ],
});

const replicaSet = defineKind<appsV1.ReplicaSet>({
  group: 'apps',
  kind: 'ReplicaSet',
  setDefaults: (object) => ({
    ...object,
    spec: { ...object.spec, template: defaultTemplate(object.spec.template) },
  }),
  prepareForCreate: (object) => fresh(object, { replicas: 0 }),
  validateCreate: (object) => validateReplicaSet(object),
  validateUpdate: (object, old) => validateReplicaSet(object, old),
  validateStatusUpdate: validateReplicaSetStatus,
  selectableFields: ({ status }) => ({ 'status.replicas': String(status.replicas) }),
  columns: [
    nameColumn,
    ...replicaColumns,
    ageColumn,
    ...templateColumns<appsV1.ReplicaSet>((object) => object.spec.template),
    selectorColumn,
  ],
});

const replicationController = defineKind<coreV1.ReplicationController>({
  group: '',
  kind: 'ReplicationController',
  setDefaults(object) {
    const labels = object.spec.template?.metadata?.labels ?? {};
    const has = (map: Readonly<Record<string, string>> | undefined): boolean =>
      Object.keys(map ?? {}).length > 0;
    const given = Object.keys(labels).length > 0;
    return {
      ...object,
      metadata: { ...object.metadata, ...(given && !has(object.metadata.labels) ? { labels } : {}) },
      spec: {
        ...object.spec,
        ...(given && !has(object.spec.selector) ? { selector: labels } : {}),
        ...(object.spec.template === undefined ? {} : { template: defaultTemplate(object.spec.template) }),
      },
    };
  },
  prepareForCreate: (object) => fresh(object, { replicas: 0 }),
  validateCreate: (object) => validateReplicationController(object),
  validateUpdate: (object, old) => validateReplicationController(object, old),
  validateStatusUpdate: validateReplicaSetStatus,
  selectableFields: ({ status }) => ({ 'status.replicas': String(status.replicas) }),
  columns: [
    nameColumn,
    ...replicaColumns,
    ageColumn,
    ...templateColumns<coreV1.ReplicationController>((object) => object.spec.template),
    selectorColumn,
  ],
});

/** Templates of claims are whole objects, and say so. */
const asClaim = (template: coreV1.PersistentVolumeClaim): coreV1.PersistentVolumeClaim => ({
  ...template,
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
});

const statefulSet = defineKind<appsV1.StatefulSet>({
  group: 'apps',
  kind: 'StatefulSet',
  setDefaults(object) {
    const { updateStrategy } = object.spec;
    const untyped = updateStrategy?.type === undefined;
    const rolling =
      untyped || (updateStrategy.type === 'RollingUpdate' && updateStrategy.rollingUpdate !== undefined);
    return {
      ...object,
      spec: {
        ...object.spec,
        updateStrategy: {
          ...updateStrategy,
          type: updateStrategy?.type ?? 'RollingUpdate',
          ...(rolling ? { rollingUpdate: { partition: 0, ...updateStrategy?.rollingUpdate } } : {}),
        },
        persistentVolumeClaimRetentionPolicy: {
          whenDeleted: 'Retain',
          whenScaled: 'Retain',
          ...object.spec.persistentVolumeClaimRetentionPolicy,
        },
        template: defaultTemplate(object.spec.template),
        ...(object.spec.volumeClaimTemplates === undefined
          ? {}
          : { volumeClaimTemplates: object.spec.volumeClaimTemplates.map(asClaim) }),
      },
    };
  },
  prepareForCreate: (object) => fresh(object, { replicas: 0, availableReplicas: 0 }),
  nameRule: 'dns1123-label',
  validateCreate: validateStatefulSet,
  validateUpdate: validateStatefulSetUpdate,
  validateStatusUpdate: validateStatefulSetStatus,
  columns: [
    nameColumn,
    {
      name: 'Ready',
      description: 'Ready pods, of those asked for.',
      cell: ({ spec, status }) => `${status.readyReplicas ?? 0}/${spec.replicas ?? 0}`,
    },
    ageColumn,
    ...templateColumns<appsV1.StatefulSet>((object) => object.spec.template),
  ],
});

const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';

/** What was a field before apps/v1, and is an annotation since. */
const templateGeneration = ({ metadata }: appsV1.DaemonSet): number =>
  Number.parseInt(metadata.annotations?.[TEMPLATE_GENERATION] ?? '1', 10) || 1;

const withTemplateGeneration = (object: appsV1.DaemonSet, generation: number): appsV1.DaemonSet => ({
  ...object,
  metadata: {
    ...object.metadata,
    annotations: { ...object.metadata.annotations, [TEMPLATE_GENERATION]: String(generation) },
  },
});

const daemonSet = defineKind<appsV1.DaemonSet>({
  group: 'apps',
  kind: 'DaemonSet',
  setDefaults(object) {
    const { updateStrategy } = object.spec;
    const rolling = (updateStrategy?.type ?? 'RollingUpdate') === 'RollingUpdate';
    return {
      ...object,
      spec: {
        ...object.spec,
        updateStrategy: {
          ...updateStrategy,
          ...(rolling
            ? {
                type: 'RollingUpdate',
                rollingUpdate: { maxUnavailable: 1, maxSurge: 0, ...updateStrategy?.rollingUpdate },
              }
            : {}),
        },
        template: defaultTemplate(object.spec.template),
      },
    };
  },
  prepareForCreate: (object) =>
    withTemplateGeneration(
      fresh(object, {
        currentNumberScheduled: 0,
        numberMisscheduled: 0,
        desiredNumberScheduled: 0,
        numberReady: 0,
      }),
      Math.max(templateGeneration(object), 1),
    ),
  prepareForUpdate: (object, old) =>
    withTemplateGeneration(
      object,
      templateGeneration(old) + (deepEqual(object.spec.template, old.spec.template) ? 0 : 1),
    ),
  validateCreate: (object) => validateDaemonSet(object),
  validateUpdate: (object, old) => validateDaemonSet(object, old),
  validateStatusUpdate: validateDaemonSetStatus,
  columns: [
    nameColumn,
    {
      name: 'Desired',
      type: 'integer',
      description: 'Nodes that should run it.',
      cell: ({ status }) => status.desiredNumberScheduled,
    },
    {
      name: 'Current',
      type: 'integer',
      description: 'Nodes that have its pod.',
      cell: ({ status }) => status.currentNumberScheduled,
    },
    {
      name: 'Ready',
      type: 'integer',
      description: 'Nodes whose pod is ready.',
      cell: ({ status }) => status.numberReady,
    },
    {
      name: 'Up-to-date',
      type: 'integer',
      description: 'Nodes whose pod is of the newest template.',
      cell: ({ status }) => status.updatedNumberScheduled ?? 0,
    },
    {
      name: 'Available',
      type: 'integer',
      description: 'Nodes whose pod has been ready for long enough.',
      cell: ({ status }) => status.numberAvailable ?? 0,
    },
    {
      name: 'Node Selector',
      description: 'Labels of the nodes that should run it.',
      cell: ({ spec }) => formatLabels(spec.template.spec?.nodeSelector),
    },
    ageColumn,
    ...templateColumns<appsV1.DaemonSet>((object) => object.spec.template),
    selectorColumn,
  ],
});

const controllerRevision = defineKind<appsV1.ControllerRevision>({
  group: 'apps',
  kind: 'ControllerRevision',
  validateCreate: validateControllerRevision,
  validateUpdate: validateControllerRevisionUpdate,
  columns: [
    nameColumn,
    {
      name: 'Controller',
      description: 'What it is a revision of.',
      cell: ({ metadata }) => {
        const owner = metadata.ownerReferences?.find((reference) => reference.controller === true);
        if (owner === undefined) return '<none>';
        const group = owner.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : '';
        return orNone(`${owner.kind.toLowerCase()}${group}/${owner.name}`);
      },
    },
    { name: 'Revision', description: 'Its number.', cell: ({ revision }) => revision },
    ageColumn,
  ],
});

export const workloadKinds: readonly KindBehaviour[] = [
  deployment,
  replicaSet,
  replicationController,
  statefulSet,
  daemonSet,
  controllerRevision,
];
