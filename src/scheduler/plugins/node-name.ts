import type { SchedulerPlugin } from '../framework.ts';

const REJECTION = { reasons: ["node(s) didn't match the requested node name"], unresolvable: true };

/** A pod that names its node fits only there. */
export const nodeName: SchedulerPlugin = {
  name: 'NodeName',
  filterFor(pod) {
    const wanted = pod.spec.nodeName;
    if (wanted === undefined || wanted === '') return undefined;
    return { check: (node) => (node.name === wanted ? undefined : REJECTION) };
  },
  mayHelp: (event) => event.type === 'node-added',
};
