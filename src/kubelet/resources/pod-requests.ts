/** What a pod asks of its node as a whole: CPU in thousandths of a core, everything else in whole units. */
import { type Amounts, NUMBERS, podLimits as limitsOf, podRequests as requestsOf } from '#api';
import type { Pod } from '../pods/pod-spec.ts';

const ALL_OF_SPEC = { useStatus: false, includeOverhead: true };

/** Asked for every pod of the node whenever another one arrives. */
const knownRequests = new WeakMap<Pod, Amounts<number>>();

export function podRequests(pod: Pod): Amounts<number> {
  let known = knownRequests.get(pod);
  if (known === undefined) {
    known = requestsOf(pod, NUMBERS, ALL_OF_SPEC);
    knownRequests.set(pod, known);
  }
  return known;
}

export const podLimits = (pod: Pod): Amounts<number> => limitsOf(pod, NUMBERS, ALL_OF_SPEC);
