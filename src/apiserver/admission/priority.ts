/** A pod's priority is that of its class, or of the default class, never the pod's own choice. */
import type { coreV1, schedulingV1 } from '#api';
import type { KubeObject } from '#machinery';
import type { CacheReader } from '../reader.ts';
import { typed } from '../typed-object.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { refusal, resourceOf, withSpec } from './refusal.ts';

const PRIORITY_CLASSES = { group: 'scheduling.k8s.io', resource: 'priorityclasses' };

export function priority(options: { readonly reader: CacheReader }): AdmissionPlugin {
  const { reader } = options;

  /** Two may be default after a race: the lower one counts. */
  const defaultClass = (): schedulingV1.PriorityClass | undefined =>
    reader
      .list<schedulingV1.PriorityClass>(PRIORITY_CLASSES)
      .filter((candidate) => candidate.globalDefault === true)
      .reduce<schedulingV1.PriorityClass | undefined>(
        (lowest, candidate) => (lowest === undefined || candidate.value < lowest.value ? candidate : lowest),
        undefined,
      );

  function admitCreate(attributes: AdmissionAttributes, object: KubeObject): KubeObject {
    const { spec } = typed<coreV1.Pod>(object);
    const asked = spec.priorityClassName ?? '';
    const found =
      asked === '' ? defaultClass() : reader.get<schedulingV1.PriorityClass>(PRIORITY_CLASSES, '', asked);
    if (asked !== '' && found === undefined) {
      throw refusal(attributes, `no PriorityClass with name ${asked} was found`);
    }
    const value = found?.value ?? 0;
    const policy = found === undefined ? 'PreemptLowerPriority' : found.preemptionPolicy;
    if (spec.priority !== undefined && spec.priority !== value) {
      throw refusal(
        attributes,
        `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
      );
    }
    if (policy !== undefined && spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
      throw refusal(
        attributes,
        `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`,
      );
    }
    const name = found?.metadata.name ?? '';
    return withSpec(object, {
      ...(name === '' ? {} : { priorityClassName: name }),
      priority: value,
      ...(policy === undefined ? {} : { preemptionPolicy: policy }),
    });
  }

  return {
    name: 'Priority',
    mutate(attributes: AdmissionAttributes): KubeObject | undefined {
      const { object, oldObject, operation } = attributes;
      if (object === undefined || resourceOf(attributes) !== 'pods') return object;
      if (operation === 'CREATE') return admitCreate(attributes, object);
      if (operation !== 'UPDATE' || oldObject === undefined) return object;
      return keepPriority(object, oldObject);
    },
    validate(attributes: AdmissionAttributes): void {
      const { object, operation } = attributes;
      if (object === undefined || resourceOf(attributes) !== 'priorityclasses.scheduling.k8s.io') return;
      if (typed<schedulingV1.PriorityClass>(object).globalDefault !== true) return;
      const existing = defaultClass()?.metadata.name;
      if (existing === undefined) return;
      if (operation === 'CREATE' || existing !== object.metadata.name) {
        throw refusal(
          attributes,
          `PriorityClass ${existing} is already marked as default. Only one default can exist`,
        );
      }
    },
  };
}

/** Clients that do not know the fields leave them out of an update. */
function keepPriority(object: KubeObject, old: KubeObject): KubeObject {
  const { spec } = typed<coreV1.Pod>(object);
  const { spec: oldSpec } = typed<coreV1.Pod>(old);
  const changes: { priority?: number; preemptionPolicy?: string } = {};
  if (spec.priority === undefined && oldSpec.priority !== undefined) changes.priority = oldSpec.priority;
  if (spec.preemptionPolicy === undefined && oldSpec.preemptionPolicy !== undefined) {
    changes.preemptionPolicy = oldSpec.preemptionPolicy;
  }
  return Object.keys(changes).length === 0 ? object : withSpec(object, changes);
}
