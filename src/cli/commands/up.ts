import { existsSync, mkdirSync, readFileSync, writeFileSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  bringUp,
  type ClusterLayout,
  mergeKubeconfig,
  readClusterConfig,
  serverUrl,
  type StartedCluster,
  type StoreConfig,
} from '#launcher';
import { adminClient, waitForNodes } from '../cluster-client.ts';
import {
  CommandError,
  EXIT,
  layoutFor,
  machineGaps,
  packageVersion,
  userKubeconfigPath,
} from '../context.ts';
import type { Progress } from '../progress.ts';

export interface UpCommandOptions {
  readonly name: string;
  readonly port: string;
  readonly store: string;
  readonly etcdEndpoints?: string;
  readonly runtimeConfig: readonly string[];
  readonly simulate?: boolean;
  readonly nodes: string;
  readonly merge: boolean;
  readonly wait: string;
  readonly json?: boolean;
}

function storeOf({ store, etcdEndpoints }: UpCommandOptions): StoreConfig {
  switch (store) {
    case 'embedded':
    case 'memory':
      return { type: store };
    case 'etcd': {
      const endpoints = (etcdEndpoints ?? '').split(',').filter((endpoint) => endpoint !== '');
      if (endpoints.length === 0) {
        throw new CommandError('--store etcd needs --etcd-endpoints http://127.0.0.1:2379', EXIT.usage);
      }
      return { type: 'etcd', endpoints };
    }
    default:
      throw new CommandError(`--store is embedded, memory or etcd, not "${store}"`, EXIT.usage);
  }
}

function wholeNumber(text: string, option: string, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > max) {
    throw new CommandError(`${option} takes a whole number up to ${max}, not "${text}"`, EXIT.usage);
  }
  return value;
}

/** Real containers where the machine can; else says what is missing and simulates. */
function chooseMode(layout: ClusterLayout, options: UpCommandOptions): 'real' | 'simulated' {
  const known = readClusterConfig(layout.configFile);
  if (known !== undefined) return known.mode;
  if (options.simulate === true) return 'simulated';
  const gaps = machineGaps();
  if (gaps.length === 0) return 'real';
  process.stderr.write(
    `Real containers are not possible here; the same control plane runs with simulated nodes. Missing:\n${gaps
      .map(({ what, remedy }) => `  - ${what}: ${remedy}\n`)
      .join('')}`,
  );
  return 'simulated';
}

/** Adds the cluster's context to the user's kubeconfig. Returns the file. */
function mergeIntoUserKubeconfig(layout: ClusterLayout, { config, pki }: StartedCluster): string {
  const path = userKubeconfigPath();
  const existing = existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  const entry = { name: layout.name, server: serverUrl(config), caPem: pki.caPem, client: pki.admin };
  const merged = mergeKubeconfig(existing, entry);
  if (merged === existing) return path;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.k8ts`, merged, { mode: 0o600 });
  renameSync(`${path}.k8ts`, path);
  return path;
}

export interface UpResult extends StartedCluster {
  readonly layout: ClusterLayout;
  /** Undefined when nothing was merged. */
  readonly kubeconfig: string | undefined;
}

export async function up(options: UpCommandOptions, progress: Progress): Promise<UpResult> {
  const layout = layoutFor(options.name);
  const store = storeOf(options);
  const waitSeconds = wholeNumber(options.wait, '--wait', 3600);
  const mode = chooseMode(layout, options);
  progress.step(`cluster ${layout.name}: keys, folders, network`);
  const started = await bringUp(layout, {
    mode,
    simulatedNodes: Math.max(1, wholeNumber(options.nodes, '--nodes', 1000)),
    store,
    runtimeConfig: options.runtimeConfig.flatMap((text) => text.split(',')),
    apiPort: wholeNumber(options.port, '--port', 65_535),
    version: packageVersion(),
    onStep: (text) => progress.step(text),
  });
  const kubeconfig = options.merge ? mergeIntoUserKubeconfig(layout, started) : undefined;
  if (waitSeconds > 0) {
    progress.step('waiting for the nodes to be ready');
    const admin = adminClient(layout);
    try {
      await waitForNodes(admin.client, started.config.nodes, waitSeconds * 1000);
    } finally {
      admin.close();
    }
  }
  progress.done();
  return { ...started, layout, kubeconfig };
}

export function describeUp({ config, layout, kubeconfig, startedAnything }: UpResult): string {
  const nodes =
    config.mode === 'real'
      ? 'one node with real containers'
      : `${config.nodes.length} simulated ${config.nodes.length === 1 ? 'node' : 'nodes'}`;
  return [
    `Cluster ${layout.name} ${startedAnything ? 'is up' : 'was up already'}: ${serverUrl(config)}, ${nodes}.`,
    kubeconfig === undefined
      ? `Use it with: export KUBECONFIG=${layout.kubeconfig}`
      : `Context ${layout.name} is the current one in ${kubeconfig}.`,
    '',
  ].join('\n');
}
