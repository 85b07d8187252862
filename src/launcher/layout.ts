/**
 * Where a cluster keeps its things. Everything that must survive a reboot is below `data`; everything that a reboot
 * ends (sockets, process records, pinned namespaces) is below `run`. `k8ts down --purge` removes both.
 */
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ClusterLayout {
  readonly name: string;
  readonly data: string;
  readonly run: string;
  readonly configFile: string;
  readonly pki: string;
  readonly store: string;
  readonly logs: string;
  /** Kubelet's volumes, the engine's images and containers, the network's addresses. */
  readonly node: string;
  /** Admin kubeconfig. */
  readonly kubeconfig: string;
  readonly agentSocket: string;
}

export interface LayoutEnvironment {
  readonly uid: number;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Cluster names become parts of folder, bridge, table and cgroup names: short, lower case. */
const NAME = /^[a-z][a-z0-9-]{0,9}$/;

export class ClusterNameError extends Error {
  constructor(name: string) {
    super(
      `"${name}" cannot be a cluster name: use 1 to 10 lower-case letters, digits or dashes, the first a letter`,
    );
    this.name = 'ClusterNameError';
  }
}

/** Root: `/var/lib/k8ts`, `/run/k8ts`. Others: the XDG folders. `K8TS_DATA_DIR` and `K8TS_RUN_DIR` override. */
export function layoutOf(name: string, { uid, env }: LayoutEnvironment): ClusterLayout {
  if (!NAME.test(name)) throw new ClusterNameError(name);
  const isRoot = uid === 0;
  const dataRoot =
    env['K8TS_DATA_DIR'] ??
    (isRoot ? '/var/lib/k8ts' : join(env['XDG_DATA_HOME'] ?? join(homedir(), '.local/share'), 'k8ts'));
  const runRoot =
    env['K8TS_RUN_DIR'] ??
    (isRoot ? '/run/k8ts' : join(env['XDG_RUNTIME_DIR'] ?? join(tmpdir(), `k8ts-${uid}`), 'k8ts'));
  const data = join(dataRoot, name);
  const run = join(runRoot, name);
  return {
    name,
    data,
    run,
    configFile: join(data, 'cluster.json'),
    pki: join(data, 'pki'),
    store: join(data, 'store'),
    logs: join(data, 'logs'),
    node: join(data, 'node'),
    kubeconfig: join(data, 'admin.kubeconfig'),
    agentSocket: join(run, 'agent.sock'),
  };
}
