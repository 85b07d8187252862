import { rm } from 'node:fs/promises';
import type { Logger } from '#platform';
import type { SandboxNetwork } from '#cri';
import { processesOf, removeCgroup } from './containers/cgroups.ts';
import type { ContainerRecord } from './containers/container-record.ts';
import { signalProcess } from './containers/host-process.ts';
import { Runc } from './containers/runc.ts';
import type { EnginePaths } from './engine-paths.ts';
import { unmountBelow } from './kernel/mounts.ts';
import type { SandboxRecord } from './sandbox/sandbox-record.ts';

export interface CleanUpOptions {
  readonly paths: EnginePaths;
  readonly sandboxes: readonly SandboxRecord[];
  readonly containers: readonly ContainerRecord[];
  readonly network: SandboxNetwork | undefined;
  readonly logger: Logger;
}

/**
 * Takes away whatever an engine has made: processes, networks, control groups, mounts, state. Works from what is on
 * the machine as well as from the records, so that it also cleans up after an engine that was killed at any point.
 */
export async function cleanUp({
  paths,
  sandboxes,
  containers,
  network,
  logger,
}: CleanUpOptions): Promise<void> {
  const runc = new Runc(paths.runcRoot);
  for (const { cgroup } of containers) for (const pid of processesOf(cgroup)) signalProcess(pid, 'SIGKILL');
  for (const id of await runc.list()) await runc.deleteForced(id);
  for (const { id, namespaces } of sandboxes) {
    if (network === undefined || namespaces.net === undefined) continue;
    await network.detach({ id, networkNamespace: namespaces.net }).catch((e: unknown) => {
      logger.warn({ sandbox: id, error: String(e) }, 'network of a sandbox not taken down');
    });
  }
  for (const { config } of sandboxes) removeCgroup(config.linux.cgroupParent);
  unmountBelow(paths.state);
  unmountBelow(paths.root);
  await rm(paths.state, { recursive: true, force: true });
}
