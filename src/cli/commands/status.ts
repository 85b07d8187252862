import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { resources } from '#client';
import { isAlive, readClusterConfig, readProcessRecords, serverUrl } from '#launcher';
import { adminClient } from '../cluster-client.ts';
import { layoutFor, packageVersion } from '../context.ts';

export interface ClusterStatus {
  readonly name: string;
  readonly exists: boolean;
  readonly running: boolean;
  readonly version: string;
  readonly kubernetesVersion: string;
  readonly server?: string;
  readonly mode?: string;
  readonly store?: string;
  readonly processes: readonly {
    readonly role: string;
    readonly pid: number;
    readonly alive: boolean;
    readonly startedAt: string;
    readonly version: string;
  }[];
  readonly nodes: readonly {
    readonly name: string;
    readonly ready: boolean;
    readonly kubeletVersion: string;
  }[];
  readonly data: { readonly folder: string; readonly sizeBytes: number };
}

function folderSizeBytes(folder: string): number {
  let total = 0;
  for (const entry of listOrNothing(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) total += folderSizeBytes(path);
    // Sparse files count by what they occupy.
    else if (entry.isFile()) total += (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
  }
  return total;
}

function listOrNothing(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

const NODE_TIMEOUT_MS = 3_000;

async function nodesOf(layout: ReturnType<typeof layoutFor>): Promise<ClusterStatus['nodes']> {
  const admin = adminClient(layout);
  try {
    const { items } = await admin.client
      .resource(resources.nodes)
      .list({ signal: AbortSignal.timeout(NODE_TIMEOUT_MS) });
    return items.map((node) => ({
      name: node.metadata.name,
      ready: node.status.conditions?.find((condition) => condition.type === 'Ready')?.status === 'True',
      kubeletVersion: node.status.nodeInfo?.kubeletVersion ?? '',
    }));
  } catch {
    return [];
  } finally {
    admin.close();
  }
}

export async function status(name: string): Promise<ClusterStatus> {
  const layout = layoutFor(name);
  const config = readClusterConfig(layout.configFile);
  const processes = readProcessRecords(layout.run).map((record) => ({
    role: record.role,
    pid: record.pid,
    alive: isAlive(record),
    startedAt: record.startedAt,
    version: record.version,
  }));
  const running = processes.some((process) => process.role === 'server' && process.alive);
  return {
    name,
    exists: config !== undefined,
    running,
    version: packageVersion(),
    kubernetesVersion: 'v1.36.3',
    ...(config === undefined
      ? {}
      : { server: serverUrl(config), mode: config.mode, store: config.store.type }),
    processes,
    nodes: running ? await nodesOf(layout) : [],
    data: { folder: layout.data, sizeBytes: folderSizeBytes(layout.data) },
  };
}

const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;

export function describeStatus(report: ClusterStatus): string {
  if (!report.exists) return `There is no cluster "${report.name}": make one with k8ts up\n`;
  const lines = [
    `cluster    ${report.name} (${report.running ? 'up' : 'down'}, ${report.mode} nodes, ${report.store} store)`,
    `server     ${report.server}`,
    `versions   k8ts ${report.version}, Kubernetes ${report.kubernetesVersion}`,
    ...report.processes.map(
      ({ role, pid, alive, startedAt }) =>
        `process    ${role}: pid ${pid}, ${alive ? `runs since ${startedAt}` : 'has ended'}`,
    ),
    ...report.nodes.map(
      ({ name, ready, kubeletVersion }) =>
        `node       ${name}: ${ready ? 'Ready' : 'NotReady'}, ${kubeletVersion}`,
    ),
    `data       ${report.data.folder} (${mebibytes(report.data.sizeBytes)})`,
  ];
  return `${lines.join('\n')}\n`;
}
