import type { SchedulerPlugin } from '../framework.ts';
import { hostPortsOf } from '../node-info.ts';

const REJECTION = {
  reasons: ["node(s) didn't have free ports for the requested pod ports"],
  unresolvable: false,
};

/** Two pods cannot hold the same host port of a node. */
export const nodePorts: SchedulerPlugin = {
  name: 'NodePorts',
  filterFor(pod) {
    const wanted = hostPortsOf(pod);
    if (wanted.length === 0) return undefined;
    return { check: (node) => (node.holdsAnyOf(wanted) ? REJECTION : undefined) };
  },
  mayHelp: (event) =>
    event.type === 'node-added' ||
    (event.type === 'assigned-pod-deleted' && hostPortsOf(event.pod).length > 0),
};
