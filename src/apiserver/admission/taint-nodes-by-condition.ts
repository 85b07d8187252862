import type { coreV1 } from '#api';
import { typed } from '../typed-object.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { resourceOf, withSpec } from './refusal.ts';

const NOT_READY = 'node.kubernetes.io/not-ready';

/** A new node takes no pods until the node controller has seen it ready. */
export const taintNodesByCondition: AdmissionPlugin = {
  name: 'TaintNodesByCondition',
  mutate(attributes: AdmissionAttributes) {
    const { object, operation } = attributes;
    if (operation !== 'CREATE' || object === undefined || resourceOf(attributes) !== 'nodes') return object;
    const taints = typed<coreV1.Node>(object).spec?.taints ?? [];
    if (taints.some(({ key, effect }) => key === NOT_READY && effect === 'NoSchedule')) return object;
    return withSpec(object, { taints: [...taints, { key: NOT_READY, effect: 'NoSchedule' }] });
  },
};
