/**
 * Names of everything the network makes on the host, all derived from the cluster's name: so two clusters do not
 * meet, and what a killed process left can be found and removed by name alone.
 */
import { createHash } from 'node:crypto';

export interface NetworkNames {
  /** At most 15 characters, as the kernel asks of interfaces. */
  readonly bridge: string;
  readonly podTable: string;
  readonly serviceTable: string;
}

export function networkNames(cluster: string): NetworkNames {
  return {
    bridge: `k8-${cluster}`,
    podTable: `k8ts-${cluster}-pods`,
    serviceTable: `k8ts-${cluster}-services`,
  };
}

/** First hex digits of a SHA-256: a short name that does not collide in practice. */
export function shortHash(text: string, digits = 10): string {
  return createHash('sha256').update(text).digest('hex').slice(0, digits);
}

export function vethName(cluster: string, sandboxId: string): string {
  return `kv${shortHash(`${cluster}/${sandboxId}`)}`;
}
