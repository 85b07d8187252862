import type { PodSandboxConfig, PodSandboxState } from '#cri';
import type { NanosText } from '../containers/container-record.ts';

/** What the engine knows of a pod sandbox, as it is kept in a file. */
export interface SandboxRecord {
  readonly id: string;
  readonly config: PodSandboxConfig;
  readonly state: PodSandboxState;
  readonly createdAt: NanosText;
  readonly ips: readonly string[];
  /** Pinned namespaces; a kind left out is the machine's. */
  readonly namespaces: { readonly net?: string; readonly ipc?: string; readonly uts?: string };
  /** Process that holds the shared PID namespace, when there is one. */
  readonly pausePid?: number;
}

/** Paths of what every container of the sandbox sees. */
export interface SandboxFiles {
  readonly resolvConf: string;
  readonly hostname: string;
  readonly shm: string;
}
