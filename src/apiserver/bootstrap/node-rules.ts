import type { rbacV1 } from '#api';
import { clusterRoles } from './cluster-roles.ts';
import { parseRule } from './rule-notation.ts';

/** The rules of `system:node`, which the Node authorizer grants whether or not the role is bound. */
export const nodeRules = (): readonly rbacV1.PolicyRule[] =>
  (clusterRoles['system:node'] ?? []).map(parseRule);
