import type { coreV1 } from '#api';
import { typed } from '../typed-object.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { resourceOf, withSpec } from './refusal.ts';

const KEYS = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];
/** How long a pod stays on a node that is lost before it is evicted. */
const TOLERATION_SECONDS = 300;

/** Does the toleration cover NoExecute taints of this key, whatever the time it gives? */
const covers = (toleration: coreV1.Toleration, key: string): boolean =>
  ['', key].includes(toleration.key ?? '') && ['', 'NoExecute'].includes(toleration.effect ?? '');

/** A pod that says nothing about lost nodes is evicted from them after five minutes. */
export const defaultTolerationSeconds: AdmissionPlugin = {
  name: 'DefaultTolerationSeconds',
  mutate(attributes: AdmissionAttributes) {
    const { object, operation } = attributes;
    if (object === undefined || resourceOf(attributes) !== 'pods') return object;
    if (operation !== 'CREATE' && operation !== 'UPDATE') return object;
    const tolerations = typed<coreV1.Pod>(object).spec.tolerations ?? [];
    const missing = KEYS.filter((key) => !tolerations.some((toleration) => covers(toleration, key)));
    if (missing.length === 0) return object;
    const added = missing.map((key) => ({
      key,
      operator: 'Exists',
      effect: 'NoExecute',
      tolerationSeconds: TOLERATION_SECONDS,
    }));
    return withSpec(object, { tolerations: [...tolerations, ...added] });
  },
};
