/** Objects every cluster made by `k8ts up` starts with, beside upstream's own. */
import type { KubeObject } from '#machinery';
import { type ClusterConfig, NODE_NETWORK_USER } from '#launcher/process';

const RBAC = 'rbac.authorization.k8s.io/v1';

export function addonObjects({ dnsIp }: Pick<ClusterConfig, 'dnsIp'>): readonly KubeObject[] {
  return [
    {
      apiVersion: RBAC,
      kind: 'ClusterRole',
      metadata: { name: NODE_NETWORK_USER },
      rules: [
        { apiGroups: [''], resources: ['services', 'namespaces', 'nodes'], verbs: ['list', 'watch', 'get'] },
        { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch', 'get'] },
      ],
    },
    {
      apiVersion: RBAC,
      kind: 'ClusterRoleBinding',
      metadata: { name: NODE_NETWORK_USER },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: NODE_NETWORK_USER },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: NODE_NETWORK_USER }],
    },
    // Without a selector: every node answers it itself.
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'kube-dns',
        namespace: 'kube-system',
        labels: {
          'k8s-app': 'kube-dns',
          'kubernetes.io/name': 'CoreDNS',
          'kubernetes.io/cluster-service': 'true',
        },
      },
      spec: {
        clusterIP: dnsIp,
        ports: [
          { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
          { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
        ],
      },
    },
  ];
}
