import type { SchedulerPlugin } from '../framework.ts';
import { tolerates } from './taint-toleration.ts';

const REJECTION = { reasons: ['node(s) were unschedulable'], unresolvable: true };
const CORDON_TAINT = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' } as const;

/** Keeps pods off cordoned nodes, unless they tolerate the cordon's taint. */
export const nodeUnschedulable: SchedulerPlugin = {
  name: 'NodeUnschedulable',
  filterFor(pod) {
    if (tolerates(pod.spec.tolerations ?? [], CORDON_TAINT)) return undefined;
    return { check: ({ node }) => (node.spec.unschedulable === true ? REJECTION : undefined) };
  },
  mayHelp: (event) =>
    event.type === 'node-added' ||
    (event.type === 'node-updated' &&
      event.old.spec.unschedulable === true &&
      event.node.spec.unschedulable !== true),
};
