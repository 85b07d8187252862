/** What a kubelet is made of. Everything that touches the machine or waits is given from outside. */
import type { coreV1 } from '#api';
import type { Client, InformerFactory } from '#client';
import type { ImageService, RuntimeService, SecurityProfile } from '#cri';
import type { Clock, Files, Logger, Processes, Random, Sockets } from '#platform';
import type { CgroupManager } from './cgroups/cgroup-manager.ts';
import type { EventSink } from './events.ts';
import type { MachineInfo } from './node/machine-info.ts';
import type { ProbeRunner } from './probes/probe.ts';

export interface KubeletOptions {
  readonly nodeName: string;
  readonly client: Client;
  /** The kubelet asks it for its pods, its node and all services, and starts it. */
  readonly informers: InformerFactory;
  readonly events: EventSink;
  readonly runtime: RuntimeService;
  readonly images: ImageService;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly files: Files;
  readonly processes: Processes;
  readonly sockets: Sockets;
  /** What the node shows of itself; the real one: `readMachineInfo`. */
  readonly machine: MachineInfo;
  /** Addresses of the node, primary first. */
  readonly nodeIps: readonly string[];
  readonly clusterDns: readonly string[];
  /** `cluster.local`. */
  readonly clusterDomain: string;
  /** Default `/var/lib/k8ts/kubelet`. */
  readonly rootDir?: string;
  /** Folder on a tmpfs for secrets and tokens. Default `/run/k8ts/kubelet`. */
  readonly memoryDir?: string;
  /** Folder of container logs. Default `/var/log/pods`. */
  readonly logDir?: string;
  /** The node's own resolver configuration. Default `/etc/resolv.conf`. */
  readonly resolvConf?: string;
  /** Absent: containers run in whatever cgroup the runtime puts them. */
  readonly cgroups?: CgroupManager;
  /** Further node labels. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly coreV1.Taint[];
  readonly providerId?: string;
  /** Kept back for the system, by resource name. */
  readonly reserved?: Readonly<Record<string, string>>;
  /** Default 110. */
  readonly maxPods?: number;
  /** Default 10250; what the node status says. */
  readonly kubeletPort?: number;
  /** Default `v1.36.3+k8ts`. */
  readonly version?: string;
  /** Seccomp profile of containers that ask for none. Default RuntimeDefault. */
  readonly seccompDefault?: SecurityProfile['type'];
  /** Default: real probes over `sockets`. */
  readonly probes?: ProbeRunner;
}

export const DEFAULT_ROOT_DIR = '/var/lib/k8ts/kubelet';
export const DEFAULT_MEMORY_DIR = '/run/k8ts/kubelet';
export const DEFAULT_LOG_DIR = '/var/log/pods';
export const DEFAULT_VERSION = 'v1.36.3+k8ts';
export const DEFAULT_MAX_PODS = 110;
export const DEFAULT_KUBELET_PORT = 10250;
