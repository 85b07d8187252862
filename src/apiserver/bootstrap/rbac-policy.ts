/** The default RBAC objects, built from the tables beside this file. */
import type { KubeObject } from '#machinery';
import { aggregatedRoles, clusterRoles } from './cluster-roles.ts';
import { controllerRoles } from './controller-roles.ts';
import { namespaceRoles } from './namespace-roles.ts';
import { parseRule } from './rule-notation.ts';

const RBAC_GROUP = 'rbac.authorization.k8s.io';
const API_VERSION = `${RBAC_GROUP}/v1`;
/** On a default object: the API server may add what is missing from it at every start. */
export const AUTOUPDATE_ANNOTATION = 'rbac.authorization.kubernetes.io/autoupdate';

const metadata = (name: string, options: { labels?: Record<string, string>; namespace?: string } = {}) => ({
  name,
  ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
  labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...options.labels },
  annotations: { [AUTOUPDATE_ANNOTATION]: 'true' },
});
const aggregateTo = (role: string): Record<string, string> => ({
  [`rbac.authorization.k8s.io/aggregate-to-${role}`]: 'true',
});

function clusterRole(
  name: string,
  rules: readonly string[],
  labels: Record<string, string> = {},
): KubeObject {
  return {
    apiVersion: API_VERSION,
    kind: 'ClusterRole',
    metadata: metadata(name, { labels }),
    rules: rules.map(parseRule),
  };
}

/** A user-facing role without rules of its own: it has those of every ClusterRole labelled for it. */
function aggregatingRole(name: string, labels: Record<string, string>): KubeObject {
  return {
    apiVersion: API_VERSION,
    kind: 'ClusterRole',
    metadata: metadata(name, { labels }),
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: aggregateTo(name) }] },
    rules: [],
  };
}

function* defaultClusterRoles(): Generator<KubeObject> {
  yield aggregatingRole('admin', {});
  yield aggregatingRole('edit', aggregateTo('admin'));
  yield aggregatingRole('view', aggregateTo('edit'));
  for (const [name, rules] of Object.entries(aggregatedRoles)) {
    yield clusterRole(`system:aggregate-to-${name}`, rules, aggregateTo(name));
  }
  for (const [name, rules] of Object.entries(clusterRoles)) yield clusterRole(name, rules);
  for (const [name, rules] of Object.entries(controllerRoles)) {
    yield clusterRole(`system:controller:${name}`, rules);
  }
}

/** `Group x`, `User x` or `ServiceAccount namespace/name`. */
function subject(text: string): object {
  const space = text.indexOf(' ');
  const kind = text.slice(0, space);
  const name = text.slice(space + 1);
  if (kind !== 'ServiceAccount') return { kind, apiGroup: RBAC_GROUP, name };
  const slash = name.indexOf('/');
  return { kind, name: name.slice(slash + 1), namespace: name.slice(0, slash) };
}

/** Bindings named as the role they bind. */
const clusterRoleSubjects: Readonly<Record<string, readonly string[]>> = {
  'cluster-admin': ['Group system:masters'],
  'system:basic-user': ['Group system:authenticated'],
  'system:discovery': ['Group system:authenticated'],
  'system:kube-controller-manager': ['User system:kube-controller-manager'],
  'system:kube-dns': ['ServiceAccount kube-system/kube-dns'],
  'system:kube-scheduler': ['User system:kube-scheduler'],
  'system:monitoring': ['Group system:monitoring'],
  // Nodes are authorized by the Node authorizer; the empty binding is kept for those who bind groups to it.
  'system:node': [],
  'system:node-proxier': ['User system:kube-proxy'],
  'system:public-info-viewer': ['Group system:authenticated', 'Group system:unauthenticated'],
  'system:service-account-issuer-discovery': ['Group system:serviceaccounts'],
  'system:volume-scheduler': ['User system:kube-scheduler'],
};

interface NamespacedBinding {
  readonly namespace: string;
  readonly name: string;
  readonly role?: string;
  readonly subjects: readonly string[];
}

/** `role` is given where it differs from the binding's own name. */
const roleBindings: readonly NamespacedBinding[] = [
  {
    namespace: 'kube-system',
    name: 'system::extension-apiserver-authentication-reader',
    role: 'extension-apiserver-authentication-reader',
    subjects: ['User system:kube-controller-manager', 'User system:kube-scheduler'],
  },
  {
    namespace: 'kube-system',
    name: 'system::leader-locking-kube-controller-manager',
    subjects: [
      'User system:kube-controller-manager',
      'ServiceAccount kube-system/kube-controller-manager',
      'ServiceAccount kube-system/leader-election-controller',
    ],
  },
  {
    namespace: 'kube-system',
    name: 'system::leader-locking-kube-scheduler',
    subjects: ['User system:kube-scheduler', 'ServiceAccount kube-system/kube-scheduler'],
  },
  ...['kube-system', 'kube-public'].map((namespace) => ({
    namespace,
    name: 'system:controller:bootstrap-signer',
    subjects: ['ServiceAccount kube-system/bootstrap-signer'],
  })),
  {
    namespace: 'kube-system',
    name: 'system:controller:cloud-provider',
    subjects: ['ServiceAccount kube-system/cloud-provider'],
  },
  {
    namespace: 'kube-system',
    name: 'system:controller:token-cleaner',
    subjects: ['ServiceAccount kube-system/token-cleaner'],
  },
];

function clusterRoleBinding(name: string, subjects: readonly string[]): KubeObject {
  return {
    apiVersion: API_VERSION,
    kind: 'ClusterRoleBinding',
    metadata: metadata(name),
    ...(subjects.length === 0 ? {} : { subjects: subjects.map(subject) }),
    roleRef: { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name },
  };
}

/** ClusterRoles, their bindings, then the Roles and RoleBindings of `kube-system` and `kube-public`. */
export function rbacPolicy(): readonly KubeObject[] {
  return [
    ...defaultClusterRoles(),
    ...Object.entries(clusterRoleSubjects).map(([name, subjects]) => clusterRoleBinding(name, subjects)),
    ...Object.keys(controllerRoles).map((name) =>
      clusterRoleBinding(`system:controller:${name}`, [`ServiceAccount kube-system/${name}`]),
    ),
    ...Object.entries(namespaceRoles).map(([key, rules]): KubeObject => {
      const [namespace = '', name = ''] = key.split('/');
      return {
        apiVersion: API_VERSION,
        kind: 'Role',
        metadata: metadata(name, { namespace }),
        rules: rules.map(parseRule),
      };
    }),
    ...roleBindings.map(
      ({ namespace, name, role = name, subjects }): KubeObject => ({
        apiVersion: API_VERSION,
        kind: 'RoleBinding',
        metadata: metadata(name, { namespace }),
        subjects: subjects.map(subject),
        roleRef: { apiGroup: RBAC_GROUP, kind: 'Role', name: role },
      }),
    ),
  ];
}
