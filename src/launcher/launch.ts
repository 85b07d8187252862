/**
 * Bringing a cluster up and down on this machine: its folders and keys, its processes, and everything they leave on
 * the host. Each step is safe to repeat, so `up` continues what a killed `up` began.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { silentLogger } from '#platform';
import { nodeFiles, nodeProcesses, systemClock, systemRandom } from '#platform/node';
import { createBridgeNetwork, removeBridgeNetwork, removeServiceProxy } from '#network';
import {
  apiServiceIp,
  type ClusterConfig,
  LOOPBACK,
  readClusterConfig,
  serverUrl,
} from './cluster-config.ts';
import { removeHostTraces } from './host-traces.ts';
import { renderKubeconfig } from './kubeconfig.ts';
import type { ClusterLayout } from './layout.ts';
import { makeClusterConfig, type NewClusterOptions } from './new-cluster.ts';
import { nodeFolders } from './node-folders.ts';
import { ensureNodePki } from './node-pki.ts';
import { type ClusterPki, loadOrCreatePki } from './pki.ts';
import {
  endProcess,
  isAlive,
  type ProcessRecord,
  readProcessRecord,
  readProcessRecords,
} from './process-record.ts';
import { processArguments, processEnvironment } from './process-script.ts';

/** What a process of the cluster is given: a file of this, named by its first argument. */
export interface ProcessInput {
  readonly layout: ClusterLayout;
  readonly config: ClusterConfig;
  readonly version: string;
}

/** What it tells the one who started it, over the IPC channel. */
export type ProcessMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly message: string };

export interface UpOptions extends NewClusterOptions {
  readonly version: string;
  readonly onStep: (text: string) => void;
}

/** A process of the cluster did not come up; its log says more. */
export class LaunchError extends Error {
  constructor(role: string, detail: string, logFile: string) {
    super(`the ${role} did not start: ${detail}\n  log: ${logFile}`);
    this.name = 'LaunchError';
  }
}

const END_GRACE_MS = 10_000;

async function makePki(layout: ClusterLayout, config: ClusterConfig): Promise<ClusterPki> {
  const pki = await loadOrCreatePki(
    layout.pki,
    {
      serverDnsNames: [
        'localhost',
        'kubernetes',
        'kubernetes.default',
        'kubernetes.default.svc',
        `kubernetes.default.svc.${config.clusterDomain}`,
      ],
      serverIps: [LOOPBACK, config.nodeIp, apiServiceIp(config)],
    },
    { clock: systemClock, random: systemRandom, files: nodeFiles },
  );
  if (config.mode === 'real') await ensureNodePki(layout.pki, pki, config);
  return pki;
}

export interface StartedCluster {
  readonly config: ClusterConfig;
  readonly pki: ClusterPki;
  /** False when everything ran already. */
  readonly startedAnything: boolean;
}

export async function bringUp(layout: ClusterLayout, options: UpOptions): Promise<StartedCluster> {
  const config = await makeClusterConfig(layout, options);
  const pki = await makePki(layout, config);
  for (const folder of [layout.run, layout.logs, layout.node]) mkdirSync(folder, { recursive: true });
  writeFileSync(
    layout.kubeconfig,
    renderKubeconfig({ name: layout.name, server: serverUrl(config), caPem: pki.caPem, client: pki.admin }),
    { mode: 0o600 },
  );
  const inputFile = `${layout.run}/input.json`;
  const input: ProcessInput = { layout, config, version: options.version };
  writeFileSync(inputFile, JSON.stringify(input));

  if (config.mode === 'real') await setUpNetwork(layout, config);
  const roles = config.mode === 'real' ? ['server', 'agent'] : ['server'];
  const missing = roles.filter((role) => {
    const record = readProcessRecord(layout.run, role);
    return record === undefined || !isAlive(record);
  });
  if (missing.length > 0) options.onStep(`starting ${missing.join(' and ')}`);
  await Promise.all(missing.map((role) => startProcess(role, layout, inputFile)));
  return { config, pki, startedAnything: missing.length > 0 };
}

/** The server listens on the node's address, so the bridge must be there before it. */
async function setUpNetwork(layout: ClusterLayout, config: ClusterConfig): Promise<void> {
  const network = createBridgeNetwork({
    cluster: config.name,
    processes: nodeProcesses,
    files: nodeFiles,
    logger: silentLogger,
    stateDir: nodeFolders(layout).network,
    podCidr: config.podCidr,
    clusterCidr: config.clusterCidr,
    serviceCidr: config.serviceCidr,
  });
  await network.setUp();
}

/** Resolves when the process says it is ready. It goes on when this one ends. */
export function startProcess(role: string, layout: ClusterLayout, inputFile: string): Promise<void> {
  const logFile = `${layout.logs}/${role}.log`;
  const log = openSync(logFile, 'a');
  const child = spawn(process.execPath, [...processArguments(role), inputFile], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    cwd: '/',
    env: processEnvironment(layout.data),
  });
  closeSync(log);
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      child.removeAllListeners();
      if (child.connected) child.disconnect();
      child.unref();
      if (error === undefined) resolve();
      else reject(error);
    };
    child.on('message', (message: ProcessMessage) =>
      settle(message.type === 'ready' ? undefined : new LaunchError(role, message.message, logFile)),
    );
    child.on('error', (error) => settle(new LaunchError(role, error.message, logFile)));
    child.on('exit', (code, signal) =>
      settle(new LaunchError(role, lastWords(logFile, code, signal), logFile)),
    );
  });
}

function lastWords(logFile: string, code: number | null, signal: string | null): string {
  const tail = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-3).join('\n  ');
  return `it ended with ${signal ?? `exit code ${code}`}\n  ${tail}`;
}

/**
 * Ends the processes and removes everything they made on the host; data stays unless `purge`. Works from names and
 * records alone, so it also cleans up after processes that were killed.
 */
export async function takeDown(
  layout: ClusterLayout,
  { purge }: { readonly purge: boolean },
): Promise<boolean> {
  const records = readProcessRecords(layout.run);
  const config = readClusterConfig(layout.configFile);
  // The agent first: it must not report what now disappears.
  const order = (record: ProcessRecord): number => (record.role === 'agent' ? 0 : 1);
  for (const record of [...records].sort((a, b) => order(a) - order(b))) {
    await endProcess(record, { clock: systemClock, graceMs: END_GRACE_MS });
  }
  if (config?.mode === 'real') {
    await removeHostTraces(layout);
    await removeServiceProxy(config.name, nodeProcesses);
    await removeBridgeNetwork(config.name, nodeProcesses);
  }
  rmSync(layout.run, { recursive: true, force: true });
  if (purge) rmSync(layout.data, { recursive: true, force: true });
  return records.length > 0 || config !== undefined;
}
