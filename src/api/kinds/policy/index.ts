/** PodDisruptionBudget, HorizontalPodAutoscaler, PriorityClass, RuntimeClass, FlowSchema, PriorityLevelConfiguration. */
import type { KindBehaviour } from '../../kind-behaviour.ts';
import type { autoscalingV2, flowcontrolV1, nodeV1, policyV1, schedulingV1 } from '../../types/index.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { defineKind } from '../define-kind.ts';
import { fresh } from '../workloads/index.ts';
import { validateAutoscaler, validateAutoscalerStatus } from './autoscaler-validation.ts';
import { validateFlowSchema, validateFlowStatus, validatePriorityLevel } from './flow-validation.ts';
import {
  validateDisruptionBudget,
  validateDisruptionBudgetStatus,
  validatePriorityClass,
  validatePriorityClassUpdate,
  validateRuntimeClass,
  validateRuntimeClassUpdate,
} from './validation.ts';

const orNotApplicable = (value: number | string | undefined): string =>
  value === undefined ? 'N/A' : String(value);

const podDisruptionBudget = defineKind<policyV1.PodDisruptionBudget>({
  group: 'policy',
  kind: 'PodDisruptionBudget',
  validateCreate: validateDisruptionBudget,
  validateUpdate: validateDisruptionBudget,
  validateStatusUpdate: validateDisruptionBudgetStatus,
  prepareForCreate: (object) =>
    fresh(object, { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 }),
  columns: [
    nameColumn,
    {
      name: 'Min Available',
      description: 'Pods that must stay.',
      cell: ({ spec }) => orNotApplicable(spec.minAvailable),
    },
    {
      name: 'Max Unavailable',
      description: 'Pods that may be missing.',
      cell: ({ spec }) => orNotApplicable(spec.maxUnavailable),
    },
    {
      name: 'Allowed Disruptions',
      type: 'integer',
      description: 'Pods that may be evicted now.',
      cell: ({ status }) => status.disruptionsAllowed,
    },
    ageColumn,
  ],
});

const SCALE_UP: autoscalingV2.HPAScalingRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
};
const SCALE_DOWN: autoscalingV2.HPAScalingRules = {
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
};

function metricTarget(
  metric: autoscalingV2.MetricSpec,
  status: autoscalingV2.MetricStatus | undefined,
): string {
  const { resource } = metric;
  if (resource === undefined) return '<unknown>';
  const { averageUtilization, averageValue } = resource.target;
  const current = status?.resource?.current;
  return averageUtilization === undefined
    ? `${resource.name}: ${current?.averageValue ?? '<unknown>'}/${averageValue ?? '<auto>'}`
    : `${resource.name}: ${current?.averageUtilization === undefined ? '<unknown>' : `${current.averageUtilization}%`}/${averageUtilization}%`;
}

const horizontalPodAutoscaler = defineKind<autoscalingV2.HorizontalPodAutoscaler>({
  group: 'autoscaling',
  kind: 'HorizontalPodAutoscaler',
  validateCreate: (object) => validateAutoscaler(object),
  validateUpdate: (object, old) => validateAutoscaler(object, old),
  validateStatusUpdate: validateAutoscalerStatus,
  version: 'v2',
  setDefaults: (object) => {
    const { behavior } = object.spec;
    if (behavior === undefined) return object;
    return {
      ...object,
      spec: {
        ...object.spec,
        behavior: {
          scaleUp: { ...SCALE_UP, ...behavior.scaleUp },
          scaleDown: { ...SCALE_DOWN, ...behavior.scaleDown },
        },
      },
    };
  },
  prepareForCreate: (object) => ({ ...object, status: { desiredReplicas: 0, currentMetrics: [] } }),
  bumpsGeneration: () => false,
  columns: [
    nameColumn,
    {
      name: 'Reference',
      description: 'What it scales.',
      cell: ({ spec: { scaleTargetRef: r } }) => `${r.kind}/${r.name}`,
    },
    {
      name: 'Targets',
      description: 'Current and wanted values.',
      cell: ({ spec, status }) =>
        (spec.metrics ?? [])
          .map((metric, i) => metricTarget(metric, status.currentMetrics?.[i]))
          .join(', ') || '<none>',
    },
    {
      name: 'MinPods',
      description: 'At least so many.',
      cell: ({ spec }) => String(spec.minReplicas ?? '<unset>'),
    },
    { name: 'MaxPods', description: 'At most so many.', cell: ({ spec }) => spec.maxReplicas },
    {
      name: 'Replicas',
      description: 'So many now.',
      cell: ({ status }) => status.currentReplicas ?? 0,
    },
    ageColumn,
  ],
});

const priorityClass = defineKind<schedulingV1.PriorityClass>({
  group: 'scheduling.k8s.io',
  kind: 'PriorityClass',
  validateCreate: validatePriorityClass,
  validateUpdate: validatePriorityClassUpdate,
  prepareForCreate: (object) => ({ ...object, metadata: { ...object.metadata, generation: 1 } }),
  columns: [
    nameColumn,
    {
      name: 'Value',
      type: 'integer',
      description: 'The higher, the more important.',
      cell: ({ value }) => value,
    },
    {
      name: 'Global-Default',
      type: 'boolean',
      description: 'Whether pods without a class get it.',
      cell: ({ globalDefault }) => globalDefault === true,
    },
    ageColumn,
    {
      name: 'PreemptionPolicy',
      description: 'Whether it may push others out.',
      cell: ({ preemptionPolicy }) => preemptionPolicy ?? '',
    },
  ],
});

const runtimeClass = defineKind<nodeV1.RuntimeClass>({
  group: 'node.k8s.io',
  kind: 'RuntimeClass',
  validateCreate: validateRuntimeClass,
  validateUpdate: validateRuntimeClassUpdate,
  bumpsGeneration: () => false,
  columns: [
    nameColumn,
    { name: 'Handler', description: 'How containers are run.', cell: ({ handler }) => handler },
    ageColumn,
  ],
});

const flowSchema = defineKind<flowcontrolV1.FlowSchema>({
  group: 'flowcontrol.apiserver.k8s.io',
  kind: 'FlowSchema',
  validateCreate: validateFlowSchema,
  validateUpdate: validateFlowSchema,
  validateStatusUpdate: validateFlowStatus,
  prepareForCreate: (object) => fresh(object, {}),
  columns: [
    nameColumn,
    {
      name: 'PriorityLevel',
      description: 'Where its requests queue.',
      cell: ({ spec }) => spec.priorityLevelConfiguration.name,
    },
    {
      name: 'MatchingPrecedence',
      description: 'Lower is asked first.',
      cell: ({ spec }) => spec.matchingPrecedence,
    },
    {
      name: 'DistinguisherMethod',
      description: 'How flows are told apart.',
      cell: ({ spec }) => spec.distinguisherMethod?.type ?? '<none>',
    },
    ageColumn,
    {
      name: 'MissingPL',
      description: 'Whether its priority level is missing.',
      cell: ({ status }) => status.conditions?.find((c) => c.type === 'Dangling')?.status ?? '?',
    },
  ],
});

const priorityLevel = defineKind<flowcontrolV1.PriorityLevelConfiguration>({
  group: 'flowcontrol.apiserver.k8s.io',
  kind: 'PriorityLevelConfiguration',
  validateCreate: validatePriorityLevel,
  validateUpdate: validatePriorityLevel,
  validateStatusUpdate: validateFlowStatus,
  prepareForCreate: (object) => fresh(object, {}),
  columns: [
    nameColumn,
    { name: 'Type', description: 'Exempt or Limited.', cell: ({ spec }) => spec.type },
    {
      name: 'NominalConcurrencyShares',
      description: 'Its share of the server.',
      cell: ({ spec }) => String((spec.limited ?? spec.exempt)?.nominalConcurrencyShares ?? '<none>'),
    },
    {
      name: 'Queues',
      description: 'Number of queues.',
      cell: ({ spec }) => String(spec.limited?.limitResponse?.queuing?.queues ?? '<none>'),
    },
    {
      name: 'HandSize',
      description: 'Queues a flow may use.',
      cell: ({ spec }) => String(spec.limited?.limitResponse?.queuing?.handSize ?? '<none>'),
    },
    {
      name: 'QueueLengthLimit',
      description: 'Requests a queue holds.',
      cell: ({ spec }) => String(spec.limited?.limitResponse?.queuing?.queueLengthLimit ?? '<none>'),
    },
    ageColumn,
  ],
});

export const policyKinds: readonly KindBehaviour[] = [
  podDisruptionBudget,
  horizontalPodAutoscaler,
  priorityClass,
  runtimeClass,
  flowSchema,
  priorityLevel,
];
