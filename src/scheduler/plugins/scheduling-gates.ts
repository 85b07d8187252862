import type { SchedulerPlugin } from '../framework.ts';

/** Pods with `spec.schedulingGates` are not tried until the list is empty (KEP-3521). */
export const schedulingGates: SchedulerPlugin = {
  name: 'SchedulingGates',
  gate(pod) {
    const gates = pod.spec.schedulingGates ?? [];
    if (gates.length === 0) return undefined;
    return `waiting for scheduling gates: [${gates.map((gate) => gate.name).join(' ')}]`;
  },
};
