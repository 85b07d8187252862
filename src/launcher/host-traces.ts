/** Removing what the containers of a cluster left on the host: processes, mounts, namespaces, cgroups. */
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '#platform';
import { nodeProcesses, systemClock, systemRandom } from '#platform/node';
import type { ClusterLayout } from './layout.ts';
import { nodeFolders } from './node-folders.ts';

const CGROUP_MOUNT = '/sys/fs/cgroup';

export async function removeHostTraces(layout: ClusterLayout): Promise<void> {
  const folders = nodeFolders(layout);
  // Loaded only here: most commands need no engine.
  const { createEngine } = await import('#engine');
  const engine = await createEngine({
    rootDir: folders.engine,
    stateDir: folders.engineState,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
  });
  await engine.cleanup({ keepImages: true });
  await unmountBelow([layout.data, layout.run]);
  removeCgroups(folders.cgroup);
}

/** Deepest first; lazily, since a process that ends just now may still hold one. */
async function unmountBelow(folders: readonly string[]): Promise<void> {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replaceAll('\\040', ' '))
    .filter((point) => folders.some((folder) => point.startsWith(`${folder}/`)));
  for (const point of points.sort().toReversed()) await nodeProcesses.run('umount', ['--lazy', point]);
}

/** The node's cgroup in every hierarchy (v1) or in the one there is (v2). Its processes are gone by now. */
function removeCgroups(path: string): void {
  const roots = [CGROUP_MOUNT, ...subfolders(CGROUP_MOUNT).map((name) => join(CGROUP_MOUNT, name))];
  for (const root of roots) {
    const folder = join(root, path);
    if (existsSync(folder)) removeTree(folder);
  }
}

function removeTree(folder: string): void {
  for (const name of subfolders(folder)) removeTree(join(folder, name));
  try {
    rmdirSync(folder);
  } catch (error) {
    // Busy: a process is still ending. What stays is empty and is removed by the next `down`.
    if (!['EBUSY', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

function subfolders(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}
