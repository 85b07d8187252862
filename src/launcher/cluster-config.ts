/**
 * What a cluster is, decided once when it is made and kept in `cluster.json`: addresses, ports, store, nodes.
 */
import { readFileSync } from 'node:fs';

export type StoreConfig =
  | { readonly type: 'embedded' }
  | { readonly type: 'memory' }
  | { readonly type: 'etcd'; readonly endpoints: readonly string[] };

export interface ClusterConfig {
  readonly name: string;
  /** `real`: containers by runc on this machine. `simulated`: pods that only say they run. */
  readonly mode: 'real' | 'simulated';
  readonly nodes: readonly string[];
  readonly apiPort: number;
  readonly kubeletPort: number;
  readonly store: StoreConfig;
  /** Which API versions are served beyond the stable ones, as kube-apiserver's `--runtime-config` says it. */
  readonly runtimeConfig?: readonly string[];
  /** All pods. */
  readonly clusterCidr: string;
  /** Pods of this machine's node. */
  readonly podCidr: string;
  /** First address of `podCidr`: the node's address on the pod network, and in its status. */
  readonly nodeIp: string;
  readonly serviceCidr: string;
  /** The `kube-dns` Service. */
  readonly dnsIp: string;
  readonly clusterDomain: string;
}

export const CLUSTER_DOMAIN = 'cluster.local';
export const LOOPBACK = '127.0.0.1';

/** Address of the n-th free block: clusters on one machine must not share addresses. */
export function addressPlan(
  slot: number,
): Pick<ClusterConfig, 'clusterCidr' | 'podCidr' | 'nodeIp' | 'serviceCidr' | 'dnsIp'> {
  const pods = 244 - slot;
  const services = 96 + slot;
  return {
    clusterCidr: `10.${pods}.0.0/16`,
    podCidr: `10.${pods}.0.0/24`,
    nodeIp: `10.${pods}.0.1`,
    serviceCidr: `10.${services}.0.0/16`,
    dnsIp: `10.${services}.0.10`,
  };
}

/** The first address of the service block: the `kubernetes` Service. */
export const apiServiceIp = ({ serviceCidr }: Pick<ClusterConfig, 'serviceCidr'>): string =>
  serviceCidr.replace(/\.0\/16$/, '.1');

/** Undefined when there is no such cluster. */
export function readClusterConfig(file: string): ClusterConfig | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return JSON.parse(text) as ClusterConfig;
}

/** Where clients reach the API server. */
export const serverUrl = (config: Pick<ClusterConfig, 'apiPort'>): string =>
  `https://${LOOPBACK}:${config.apiPort}`;
