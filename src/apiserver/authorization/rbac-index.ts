/**
 * Who is bound to which rules, kept current by the changes of the four RBAC resources.
 *
 * A request asks for the grants of one user in one namespace. Walking all bindings for each would cost time in
 * proportion to the cluster, so bindings are indexed by subject, and the result per user and namespace is cached until
 * any RBAC object changes (`#generation`).
 */
import type { rbacV1 } from '#api';
import type { KubeObject, UserInfo } from '#machinery';
import type { CacheReader } from '../reader.ts';
import { typed } from '../typed-object.ts';
import { selectsLabels } from './label-selector.ts';

const GROUP = 'rbac.authorization.k8s.io';
const CLUSTER_ROLES = { group: GROUP, resource: 'clusterroles' };
const ROLES = { group: GROUP, resource: 'roles' };
const CLUSTER_ROLE_BINDINGS = { group: GROUP, resource: 'clusterrolebindings' };
const ROLE_BINDINGS = { group: GROUP, resource: 'rolebindings' };

/** Users whose grants are kept; when full, the one added longest ago is dropped and computed again on demand. */
const MAX_CACHED_USERS = 4096;
/** Namespaces kept per user; past it the user's entry starts anew. */
const MAX_CACHED_NAMESPACES_PER_USER = 1024;

/** Rules that a binding gives to a user. */
export interface Grant {
  /** `ClusterRoleBinding "x" of ClusterRole "y" to Group "z"`. */
  readonly source: string;
  readonly rules: readonly rbacV1.PolicyRule[];
}

export interface Grants {
  readonly grants: readonly Grant[];
  /** Roles that are bound but not there: the decision may be incomplete. */
  readonly missingRoles: readonly rbacV1.RoleRef[];
}

type Binding = rbacV1.ClusterRoleBinding | rbacV1.RoleBinding;

interface CachedUser {
  readonly cluster: Grants;
  readonly namespaces: Map<string, Grants>;
}

/** Bindings of one scope (the cluster or a namespace) by the subjects they name. */
class BindingsBySubject {
  readonly #byName = new Map<string, Binding>();
  readonly #names = new Map<string, Set<string>>();
  readonly #namespace: string;

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  get size(): number {
    return this.#byName.size;
  }

  set(binding: Binding): void {
    this.delete(binding.metadata.name ?? '');
    const name = binding.metadata.name ?? '';
    this.#byName.set(name, binding);
    for (const subject of binding.subjects ?? []) {
      const key = subjectKey(subject, this.#namespace);
      if (key === undefined) continue;
      let names = this.#names.get(key);
      if (names === undefined) this.#names.set(key, (names = new Set()));
      names.add(name);
    }
  }

  delete(name: string): void {
    const binding = this.#byName.get(name);
    if (binding === undefined) return;
    this.#byName.delete(name);
    for (const subject of binding.subjects ?? []) {
      const key = subjectKey(subject, this.#namespace);
      const names = key === undefined ? undefined : this.#names.get(key);
      if (key === undefined || names === undefined) continue;
      names.delete(name);
      if (names.size === 0) this.#names.delete(key);
    }
  }

  /** In order of name, each with the first of its subjects that is the user. */
  *of(keys: ReadonlySet<string>): Generator<{ binding: Binding; subject: rbacV1.Subject }> {
    const names = new Set<string>();
    for (const key of keys) for (const name of this.#names.get(key) ?? []) names.add(name);
    for (const name of [...names].sort()) {
      const binding = this.#byName.get(name);
      const subject = binding?.subjects?.find((candidate) => {
        const key = subjectKey(candidate, this.#namespace);
        return key !== undefined && keys.has(key);
      });
      if (binding !== undefined && subject !== undefined) yield { binding, subject };
    }
  }
}

/** A service account is the user of its name; without a namespace of its own it is one of the binding's. */
function subjectKey(subject: rbacV1.Subject, namespace: string): string | undefined {
  switch (subject.kind) {
    case 'User':
      return `u:${subject.name}`;
    case 'Group':
      return `g:${subject.name}`;
    case 'ServiceAccount': {
      const own = subject.namespace ?? '';
      const effective = own === '' ? namespace : own;
      return effective === '' ? undefined : `u:system:serviceaccount:${effective}:${subject.name}`;
    }
    default:
      return undefined;
  }
}

/** Upstream prints the name before the namespace; kept, since the text is compared. */
function describeSubject(subject: rbacV1.Subject, bindingNamespace: string): string {
  if (subject.kind !== 'ServiceAccount') return `${subject.kind} ${JSON.stringify(subject.name)}`;
  const namespace =
    subject.namespace === undefined || subject.namespace === '' ? bindingNamespace : subject.namespace;
  return `${subject.kind} ${JSON.stringify(`${subject.name}/${namespace}`)}`;
}

function describeGrant(binding: Binding, subject: rbacV1.Subject, namespace: string): string {
  const name = binding.metadata.name ?? '';
  const shown = namespace === '' ? `ClusterRoleBinding "${name}"` : `RoleBinding "${name}/${namespace}"`;
  return `${shown} of ${binding.roleRef.kind} ${JSON.stringify(binding.roleRef.name)} to ${describeSubject(subject, namespace)}`;
}

/** The aggregation rule's selectors choose roles; an empty selector chooses all, as everywhere. */
const aggregates = (role: rbacV1.ClusterRole): boolean =>
  (role.aggregationRule?.clusterRoleSelectors?.length ?? 0) > 0;

export class RbacIndex {
  readonly #reader: CacheReader;
  readonly #cluster = new BindingsBySubject('');
  readonly #namespaces = new Map<string, BindingsBySubject>();
  readonly #users = new Map<string, CachedUser>();
  readonly #aggregated = new Map<string, readonly rbacV1.PolicyRule[]>();

  constructor(reader: CacheReader) {
    this.#reader = reader;
    for (const binding of reader.list<rbacV1.ClusterRoleBinding>(CLUSTER_ROLE_BINDINGS)) {
      this.#cluster.set(binding);
    }
    for (const binding of reader.list<rbacV1.RoleBinding>(ROLE_BINDINGS)) {
      this.#scope(binding.metadata.namespace ?? '').set(binding);
    }
    reader.onChange(CLUSTER_ROLES, () => this.#changed());
    reader.onChange(ROLES, () => this.#changed());
    reader.onChange(CLUSTER_ROLE_BINDINGS, (before, after) => this.#onBinding(before, after));
    reader.onChange(ROLE_BINDINGS, (before, after) => this.#onBinding(before, after));
  }

  /** Cluster-wide grants first, then those of the namespace (`''`: none), each in order of the binding's name. */
  grantsOf(user: UserInfo, namespace: string): Grants {
    const entry = this.#cached(user);
    if (namespace === '') return entry.cluster;
    let grants = entry.namespaces.get(namespace);
    if (grants === undefined) {
      const local = this.#resolve(this.#namespaces.get(namespace), user, namespace);
      grants = {
        grants: [...entry.cluster.grants, ...local.grants],
        missingRoles: [...entry.cluster.missingRoles, ...local.missingRoles],
      };
      if (entry.namespaces.size >= MAX_CACHED_NAMESPACES_PER_USER) entry.namespaces.clear();
      entry.namespaces.set(namespace, grants);
    }
    return grants;
  }

  /** Undefined: the role is not there. */
  rulesOfRole({ kind, name }: rbacV1.RoleRef, namespace: string): readonly rbacV1.PolicyRule[] | undefined {
    if (kind === 'Role') {
      const role = this.#reader.get<rbacV1.Role>(ROLES, namespace, name);
      return role === undefined ? undefined : (role.rules ?? []);
    }
    const role = this.#reader.get<rbacV1.ClusterRole>(CLUSTER_ROLES, '', name);
    if (role === undefined) return undefined;
    return aggregates(role) ? this.#aggregatedRules(role) : (role.rules ?? []);
  }

  #scope(namespace: string): BindingsBySubject {
    let scope = this.#namespaces.get(namespace);
    if (scope === undefined) this.#namespaces.set(namespace, (scope = new BindingsBySubject(namespace)));
    return scope;
  }

  #onBinding(before: KubeObject | undefined, after: KubeObject | undefined): void {
    const namespace = (after ?? before)?.metadata.namespace ?? '';
    const scope = namespace === '' ? this.#cluster : this.#scope(namespace);
    if (after !== undefined) scope.set(typed<Binding>(after));
    else scope.delete(before?.metadata.name ?? '');
    if (namespace !== '' && scope.size === 0) this.#namespaces.delete(namespace);
    this.#changed();
  }

  #changed(): void {
    this.#users.clear();
    this.#aggregated.clear();
  }

  #cached(user: UserInfo): CachedUser {
    const key = `${user.name}\0${user.groups.join('\0')}`;
    let entry = this.#users.get(key);
    if (entry === undefined) {
      entry = { cluster: this.#resolve(this.#cluster, user, ''), namespaces: new Map() };
      if (this.#users.size >= MAX_CACHED_USERS) {
        for (const oldest of this.#users.keys()) {
          this.#users.delete(oldest);
          break;
        }
      }
      this.#users.set(key, entry);
    }
    return entry;
  }

  #resolve(scope: BindingsBySubject | undefined, user: UserInfo, namespace: string): Grants {
    const grants: Grant[] = [];
    const missingRoles: rbacV1.RoleRef[] = [];
    if (scope === undefined) return { grants, missingRoles };
    const keys = new Set([`u:${user.name}`, ...user.groups.map((group) => `g:${group}`)]);
    for (const { binding, subject } of scope.of(keys)) {
      const rules = this.rulesOfRole(binding.roleRef, namespace);
      if (rules === undefined) missingRoles.push(binding.roleRef);
      else grants.push({ source: describeGrant(binding, subject, namespace), rules });
    }
    return { grants, missingRoles };
  }

  /**
   * The union over all roles that the selectors choose, transitively (`admin` ← `edit` ← `view`). The controller that
   * writes the same union into the role may be late or absent: authorization does not wait for it.
   */
  #aggregatedRules(role: rbacV1.ClusterRole): readonly rbacV1.PolicyRule[] {
    const name = role.metadata.name ?? '';
    let rules = this.#aggregated.get(name);
    if (rules === undefined) {
      const all = this.#reader.list<rbacV1.ClusterRole>(CLUSTER_ROLES);
      const seen = new Set<string>();
      const collected = new Map<string, rbacV1.PolicyRule>();
      const visit = (current: rbacV1.ClusterRole): void => {
        if (seen.has(current.metadata.name ?? '')) return;
        seen.add(current.metadata.name ?? '');
        for (const rule of current.rules ?? []) collected.set(JSON.stringify(rule), rule);
        for (const selector of current.aggregationRule?.clusterRoleSelectors ?? []) {
          for (const other of all) if (selectsLabels(selector, other.metadata.labels)) visit(other);
        }
      };
      visit(role);
      rules = [...collected.values()];
      this.#aggregated.set(name, rules);
    }
    return rules;
  }
}
