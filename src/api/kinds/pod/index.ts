import type { KindBehaviour } from '../../kind-behaviour.ts';
import type { coreV1 } from '../../types/index.ts';
import { formatLabels, nameColumn, templateColumns } from '../columns.ts';
import { defineKind } from '../define-kind.ts';
import { podColumns } from './columns.ts';
import { defaultPod, defaultTemplate } from './defaults.ts';
import { preparePod, preparePodStatus } from './strategy.ts';
import { validatePodCreate, validatePodUpdate } from './validation/pod.ts';
import { validatePodStatusUpdate } from './validation/status.ts';
import { validatePodTemplate } from './validation/pod-template.ts';

const pod = defineKind<coreV1.Pod>({
  group: '',
  kind: 'Pod',
  setDefaults: defaultPod,
  prepareForCreate: preparePod,
  prepareForStatusUpdate: preparePodStatus,
  validateCreate: validatePodCreate,
  validateUpdate: validatePodUpdate,
  validateStatusUpdate: validatePodStatusUpdate,
  selectableFields: ({ spec, status }) => ({
    'spec.nodeName': spec.nodeName ?? '',
    'spec.restartPolicy': spec.restartPolicy ?? '',
    'spec.schedulerName': spec.schedulerName ?? '',
    'spec.serviceAccountName': spec.serviceAccountName ?? '',
    'spec.hostNetwork': String(spec.hostNetwork === true),
    'status.phase': status.phase ?? '',
    'status.podIP': status.podIPs?.[0]?.ip ?? '',
    'status.nominatedNodeName': status.nominatedNodeName ?? '',
  }),
  columns: podColumns,
  gracePeriodSeconds: ({ spec, status }, asked) => {
    // Not on a node yet, or already over: nobody is there to be graceful.
    const nobodyRuns =
      (spec.nodeName ?? '') === '' || status.phase === 'Succeeded' || status.phase === 'Failed';
    if (nobodyRuns) return 0;
    const period = asked ?? spec.terminationGracePeriodSeconds ?? 0;
    return period < 0 ? 1 : period;
  },
});

const podTemplate = defineKind<coreV1.PodTemplate>({
  group: '',
  kind: 'PodTemplate',
  setDefaults: (object) => ({ ...object, template: defaultTemplate(object.template) }),
  prepareForCreate: (object) => ({ ...object, metadata: { ...object.metadata, generation: 1 } }),
  validateCreate: (object) => validatePodTemplate(object, undefined),
  validateUpdate: validatePodTemplate,
  columns: [
    nameColumn,
    ...templateColumns<coreV1.PodTemplate>((object) => object.template).map((column) => ({
      ...column,
      wide: false,
    })),
    {
      name: 'Pod Labels',
      description: 'Labels of the pods made from it.',
      cell: (object) => formatLabels(object.template?.metadata?.labels),
    },
  ],
});

export const podKinds: readonly KindBehaviour[] = [pod, podTemplate];
