/** Default Roles and RoleBindings of the system namespaces: `namespace/name` to rules, `namespace/name` to subjects. */
import { EVENTS } from './cluster-roles.ts';

export const namespaceRoles: Readonly<Record<string, readonly string[]>> = {
  'kube-public/system:controller:bootstrap-signer': [
    'read on core: configmaps',
    'update on core: configmaps named cluster-info',
    EVENTS,
  ],
  'kube-system/extension-apiserver-authentication-reader': [
    'read on core: configmaps named extension-apiserver-authentication',
  ],
  'kube-system/system::leader-locking-kube-controller-manager': [
    'read create update on coordination.k8s.io: leases',
    'read create update on coordination.k8s.io: leasecandidates',
  ],
  'kube-system/system::leader-locking-kube-scheduler': [
    'read create update on coordination.k8s.io: leases',
    'read create update on coordination.k8s.io: leasecandidates',
  ],
  'kube-system/system:controller:bootstrap-signer': ['read on core: secrets'],
  'kube-system/system:controller:cloud-provider': ['read create on core: configmaps'],
  'kube-system/system:controller:token-cleaner': ['read delete on core: secrets', EVENTS],
};
