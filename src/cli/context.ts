/** What every command needs to know of where it runs. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import {
  type ClusterConfig,
  type ClusterLayout,
  layoutOf,
  type MissingCapability,
  missingCapabilities,
  readClusterConfig,
} from '#launcher';

/** An error of use or circumstance: shown as it is, without a stack. */
export class CommandError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode = 1) {
    super(message);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}

export const EXIT = { ok: 0, failed: 1, usage: 2, notRunning: 3 } as const;
export const DEFAULT_CLUSTER = 'k8ts';

const currentUid = (): number => process.getuid?.() ?? -1;

export function layoutFor(name: string): ClusterLayout {
  return layoutOf(name, { uid: currentUid(), env: process.env });
}

/** @throws CommandError when there is no such cluster. */
export function requireConfig(layout: ClusterLayout): ClusterConfig {
  const config = readClusterConfig(layout.configFile);
  if (config !== undefined) return config;
  const option = layout.name === DEFAULT_CLUSTER ? '' : ` --name ${layout.name}`;
  throw new CommandError(
    `there is no cluster "${layout.name}": make one with k8ts up${option}`,
    EXIT.notRunning,
  );
}

/** What this machine lacks for real containers. */
export function machineGaps(): readonly MissingCapability[] {
  return missingCapabilities({
    platform: process.platform,
    uid: currentUid(),
    path: process.env['PATH'] ?? '',
  });
}

/** Where kubectl looks: the first file of KUBECONFIG, or `~/.kube/config`. */
export function userKubeconfigPath(): string {
  const [first] = (process.env['KUBECONFIG'] ?? '').split(':').filter((path) => path !== '');
  return first ?? join(homedir(), '.kube', 'config');
}

export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}
