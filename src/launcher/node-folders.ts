/** Where the parts of a node keep their things. */
import type { ClusterLayout } from './layout.ts';

export interface NodeFolders {
  readonly engine: string;
  readonly engineState: string;
  readonly network: string;
  readonly kubelet: string;
  /** Secrets and tokens: on a tmpfs, gone at a reboot. */
  readonly kubeletMemory: string;
  readonly podLogs: string;
  /** Below each cgroup controller. */
  readonly cgroup: string;
}

export function nodeFolders({ name, node, run }: ClusterLayout): NodeFolders {
  return {
    engine: `${node}/engine`,
    engineState: `${run}/engine`,
    network: `${run}/network`,
    kubelet: `${node}/kubelet`,
    kubeletMemory: `${run}/kubelet`,
    podLogs: `${node}/logs`,
    cgroup: `/k8ts-${name}`,
  };
}
