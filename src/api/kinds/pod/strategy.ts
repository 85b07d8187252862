/** What the server itself puts into a pod: its first status, selectors completed from its labels. */
import type { coreV1 } from '../../types/index.ts';
import { qualityOfService } from './quality-of-service.ts';

type Pod = coreV1.Pod;
type Labels = Readonly<Record<string, string>>;

export function preparePod(pod: Pod): Pod {
  const { affinity, schedulingGates = [] } = pod.spec;
  const spec = withoutStopSignals(
    affinity === undefined
      ? pod.spec
      : { ...pod.spec, affinity: completeAffinity(affinity, pod.metadata.labels ?? {}) },
  );
  return {
    ...pod,
    metadata: { ...pod.metadata, generation: 1 },
    spec,
    status: {
      phase: 'Pending',
      qosClass: qualityOfService(spec),
      ...(schedulingGates.length === 0 ? {} : { conditions: [GATED] }),
    },
  };
}

const GATED: coreV1.PodCondition = {
  type: 'PodScheduled',
  status: 'False',
  lastProbeTime: null,
  lastTransitionTime: null,
  reason: 'SchedulingGated',
  message: 'Scheduling is blocked due to non-empty scheduling gates',
} as unknown as coreV1.PodCondition; // Times that were never set are printed as null, which the type does not say.

/** Of a feature that is off unless asked for. */
function withoutStopSignals(spec: coreV1.PodSpec): coreV1.PodSpec {
  const hasSignal = ({ lifecycle }: coreV1.Container): boolean => lifecycle?.stopSignal !== undefined;
  if (!spec.containers.some(hasSignal) && spec.initContainers?.some(hasSignal) !== true) return spec;
  const strip = (container: coreV1.Container): coreV1.Container => {
    if (container.lifecycle === undefined) return container;
    const { lifecycle, ...rest } = container;
    const { stopSignal: _, ...hooks } = lifecycle;
    return Object.keys(hooks).length === 0 ? rest : { ...rest, lifecycle: hooks };
  };
  return {
    ...spec,
    containers: spec.containers.map(strip),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(strip) }),
  };
}

/** `matchLabelKeys` and `mismatchLabelKeys` become expressions with the pod's own values. */
function completeAffinity(affinity: coreV1.Affinity, labels: Labels): coreV1.Affinity {
  const complete = <T extends coreV1.PodAffinity | coreV1.PodAntiAffinity>(
    part: T | undefined,
  ): T | undefined => {
    if (part === undefined) return undefined;
    const required = part.requiredDuringSchedulingIgnoredDuringExecution;
    const preferred = part.preferredDuringSchedulingIgnoredDuringExecution;
    return {
      ...part,
      ...(required === undefined
        ? {}
        : {
            requiredDuringSchedulingIgnoredDuringExecution: required.map((term) =>
              completeTerm(term, labels),
            ),
          }),
      ...(preferred === undefined
        ? {}
        : {
            preferredDuringSchedulingIgnoredDuringExecution: preferred.map((weighted) => ({
              ...weighted,
              podAffinityTerm: completeTerm(weighted.podAffinityTerm, labels),
            })),
          }),
    };
  };
  const podAffinity = complete(affinity.podAffinity);
  const podAntiAffinity = complete(affinity.podAntiAffinity);
  return {
    ...affinity,
    ...(podAffinity === undefined ? {} : { podAffinity }),
    ...(podAntiAffinity === undefined ? {} : { podAntiAffinity }),
  };
}

function completeTerm(term: coreV1.PodAffinityTerm, labels: Labels): coreV1.PodAffinityTerm {
  const { labelSelector, matchLabelKeys = [], mismatchLabelKeys = [] } = term;
  if (labelSelector === undefined || matchLabelKeys.length + mismatchLabelKeys.length === 0) return term;
  const expressions = (keys: readonly string[], operator: 'In' | 'NotIn') =>
    keys.flatMap((key) => {
      const value = labels[key];
      return value === undefined ? [] : [{ key, operator, values: [value] }];
    });
  return {
    ...term,
    labelSelector: {
      ...labelSelector,
      matchExpressions: [
        ...(labelSelector.matchExpressions ?? []),
        ...expressions(matchLabelKeys, 'In'),
        ...expressions(mismatchLabelKeys, 'NotIn'),
      ],
    },
  };
}

/** Writers that know nothing of generations do not wipe out what others observed. */
export function preparePodStatus(pod: Pod, old: Pod): Pod {
  const { status } = pod;
  const observed = orOld(status.observedGeneration, old.status.observedGeneration);
  const qosClass = orOld<string>(status.qosClass, old.status.qosClass) as coreV1.PodStatus['qosClass'];
  const earlier = [...(old.status.conditions ?? [])];
  const conditions = status.conditions?.map((condition) => {
    const i = earlier.findIndex(({ type }) => type === condition.type);
    const before = i < 0 ? undefined : earlier.splice(i, 1)[0];
    const generation = orOld(condition.observedGeneration, before?.observedGeneration);
    return generation === undefined || generation === condition.observedGeneration
      ? condition
      : { ...condition, observedGeneration: generation };
  });
  return {
    ...pod,
    spec: old.spec,
    status: {
      ...status,
      ...(qosClass === undefined ? {} : { qosClass }),
      ...(observed === undefined ? {} : { observedGeneration: observed }),
      ...(conditions === undefined ? {} : { conditions }),
    },
  };
}

/** The new value unless it is absent, empty or zero. */
const orOld = <T extends string | number>(next: T | undefined, old: T | undefined): T | undefined =>
  next === undefined || next === '' || next === 0 ? old : next;
