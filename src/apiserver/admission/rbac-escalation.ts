/**
 * Nobody gives away more than they hold: who writes a role must hold its rules or may `escalate`, who binds a role
 * must hold its rules or may `bind` (https://kubernetes.io/docs/reference/access-authn-authz/rbac/). Upstream does this
 * in the registry, after mutating admission and before validation; so this plugin comes last of the mutating ones.
 */
import { isDeepStrictEqual } from 'node:util';
import type { rbacV1 } from '#api';
import { forbidden, type KubeObject, notFound } from '#machinery';
import { SUPERUSER_GROUP } from '../authorization/authorizer-chain.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import type { RbacIndex } from '../authorization/rbac-index.ts';
import { describeRules, quoteList, uncoveredRules } from '../authorization/rule-coverage.ts';
import { joinProblems } from '../authorization/rbac-authorizer.ts';
import { typed } from '../typed-object.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';

const GROUP = 'rbac.authorization.k8s.io';
const FULL_AUTHORITY: readonly rbacV1.PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

export function rbacEscalation(options: {
  readonly index: RbacIndex;
  readonly authorizer: Authorizer;
}): AdmissionPlugin {
  const { index, authorizer } = options;

  function confirmHeld(attributes: AdmissionAttributes, rules: readonly rbacV1.PolicyRule[]): void {
    const why = missingRights(attributes, rules);
    if (why !== undefined) throw forbidden(attributes.target, nameOf(attributes), why);
  }

  function missingRights(
    { user, target }: AdmissionAttributes,
    rules: readonly rbacV1.PolicyRule[],
  ): string | undefined {
    const { grants, missingRoles } = index.grantsOf(user, target.namespace ?? '');
    const missing = uncoveredRules(
      grants.flatMap((grant) => grant.rules),
      rules,
    );
    if (missing.length === 0) return undefined;
    // Upstream's store names what is missing after the resource of the request.
    const problems = missingRoles.map(({ name }) => notFound(target, name).message);
    const unresolved = problems.length === 0 ? '' : `; resolution errors: [${joinProblems(problems)}]`;
    return `user ${JSON.stringify(user.name)} (groups=${quoteList(user.groups)}) is attempting to grant RBAC permissions not currently held:\n${describeRules(missing)}${unresolved}`;
  }

  function mayEscalate({ user, target }: AdmissionAttributes): boolean {
    const { group, resource, namespace, name } = target;
    return (
      authorizer.authorize({ user, verb: 'escalate', group, version: '*', resource, namespace, name })
        .verdict === 'allow'
    );
  }

  function mayBind({ user, target }: AdmissionAttributes, roleRef: rbacV1.RoleRef): boolean {
    if (roleRef.kind !== 'ClusterRole' && roleRef.kind !== 'Role') return false;
    const { verdict } = authorizer.authorize({
      user,
      verb: 'bind',
      group: roleRef.apiGroup,
      version: '*',
      resource: roleRef.kind === 'Role' ? 'roles' : 'clusterroles',
      namespace: target.namespace,
      name: roleRef.name,
    });
    return verdict === 'allow';
  }

  function checkRole(attributes: AdmissionAttributes, object: KubeObject): void {
    if (mayEscalate(attributes)) return;
    const role = typed<rbacV1.ClusterRole>(object);
    confirmHeld(attributes, role.rules ?? []);
    const { oldObject } = attributes;
    const old = oldObject === undefined ? undefined : typed<rbacV1.ClusterRole>(oldObject);
    // What it will gather cannot be known, so only those who hold everything may let a role gather.
    if (!aggregates(role) && !aggregates(old)) return;
    if (missingRights(attributes, FULL_AUTHORITY) !== undefined) {
      throw forbidden(
        attributes.target,
        nameOf(attributes),
        'must have cluster-admin privileges to use the aggregationRule',
      );
    }
  }

  function checkBinding(attributes: AdmissionAttributes, object: KubeObject): void {
    const { roleRef } = typed<rbacV1.RoleBinding>(object);
    if (mayBind(attributes, roleRef)) return;
    const rules = index.rulesOfRole(roleRef, attributes.target.namespace ?? '');
    if (rules === undefined) throw notFound(attributes.target, roleRef.name);
    confirmHeld(attributes, rules);
  }

  return {
    name: 'RBACEscalation',
    mutate(attributes: AdmissionAttributes): KubeObject | undefined {
      const { operation, target, object, oldObject, user } = attributes;
      if (target.group !== GROUP || object === undefined) return object;
      if (operation !== 'CREATE' && operation !== 'UPDATE') return object;
      if (user.groups.includes(SUPERUSER_GROUP)) return object;
      if (oldObject !== undefined && onlyForCollector(object, oldObject)) return object;
      if (target.resource === 'clusterroles' || target.resource === 'roles') checkRole(attributes, object);
      else checkBinding(attributes, object);
      return object;
    },
  };
}

const nameOf = ({ object, target }: AdmissionAttributes): string =>
  object?.metadata.name ?? target.name ?? '';

const aggregates = (role: rbacV1.ClusterRole | undefined): boolean =>
  (role?.aggregationRule?.clusterRoleSelectors?.length ?? 0) > 0;

/** The garbage collector must be able to let go of roles it could not write. */
function onlyForCollector(object: KubeObject, old: KubeObject): boolean {
  const rest = ({ metadata, ...fields }: KubeObject): object => {
    const { ownerReferences: _owners, finalizers: _finalizers, managedFields: _managed, ...kept } = metadata;
    return { ...fields, metadata: kept };
  };
  return isDeepStrictEqual(rest(object), rest(old));
}
