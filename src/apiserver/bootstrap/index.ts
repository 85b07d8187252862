/** What a cluster has before anyone creates anything, beyond namespaces. */
import type { KubeObject } from '#machinery';
import { flowControlDefaults } from './flow-control.ts';
import { systemPriorityClasses } from './priority-classes.ts';
import { rbacPolicy } from './rbac-policy.ts';

export { nodeRules } from './node-rules.ts';
export { AUTOUPDATE_ANNOTATION } from './rbac-policy.ts';
export { reconcileBootstrapObject } from './reconcile.ts';

/**
 * The default objects of 1.36: RBAC policy, system priority classes, flow control. Roles of a namespace are among
 * them: create `kube-system` and `kube-public` first. Each goes through `reconcileBootstrapObject` at every start.
 */
export function bootstrapObjects(): readonly KubeObject[] {
  return [...rbacPolicy(), ...systemPriorityClasses(), ...flowControlDefaults()];
}
