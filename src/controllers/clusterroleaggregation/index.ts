import type { rbacV1 } from '#api';
import { type Informer, resources } from '#client';
import { compileLabelSelector, deepEqual } from '#machinery';
import { defineController } from '../frame/controller.ts';

type ClusterRole = rbacV1.ClusterRole;
type Rule = rbacV1.PolicyRule;

const NAME = 'clusterrole-aggregation-controller';
const WORKERS = 5;

/** Fills the rules of ClusterRoles that are made of others: `admin`, `edit`, `view`, and those users make so. */
export const clusterRoleAggregationController = defineController({
  name: NAME,
  workers: WORKERS,
  setup({ client, informers, queue }) {
    const roles = informers.for(resources.clusterRoles);
    const enqueueAggregated = (): void => {
      for (const { metadata, aggregationRule } of roles.list())
        if (aggregationRule !== undefined) queue.add(metadata.name);
    };
    const remove = roles.addHandler({
      onAdd: enqueueAggregated,
      onUpdate: enqueueAggregated,
      onDelete: enqueueAggregated,
    });
    return {
      informers: [roles],
      async reconcile(name) {
        const role = roles.get(name);
        if (role?.aggregationRule === undefined) return undefined;
        const rules = aggregatedRules(role, roles);
        if (deepEqual(rules, role.rules ?? [])) return undefined;
        const applied = {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRole',
          metadata: { name },
          rules,
        };
        await client
          .resource(resources.clusterRoles)
          .apply(name, applied, { fieldManager: NAME, force: true });
        return undefined;
      },
      stop: remove,
    };
  },
});

/** Each rule once, by name of the role it comes from. */
function aggregatedRules(role: ClusterRole, roles: Informer<ClusterRole>): readonly Rule[] {
  const byName = roles.list().toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const rules: Rule[] = [];
  for (const selector of role.aggregationRule?.clusterRoleSelectors ?? []) {
    const matches = compileLabelSelector(selector);
    for (const other of byName) {
      if (other.metadata.name === role.metadata.name || !matches(other.metadata.labels)) continue;
      for (const rule of other.rules ?? [])
        if (!rules.some((known) => deepEqual(known, rule))) rules.push(rule);
    }
  }
  return rules;
}
