/** Control groups, versions 1 (and hybrid) and 2. Paths of groups are absolute below the hierarchy's mount. */
import { existsSync, readFileSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

const MOUNT = '/sys/fs/cgroup';

export type CgroupVersion = 1 | 2;

export function cgroupVersion(): CgroupVersion {
  return existsSync(`${MOUNT}/cgroup.controllers`) ? 2 : 1;
}

/** Folders of a group: one per hierarchy. */
function foldersOf(path: string): readonly string[] {
  if (cgroupVersion() === 2) return [join(MOUNT, path)];
  return readdirSync(MOUNT).map((hierarchy) => join(MOUNT, hierarchy, path));
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

const folderFor = (controller: string, path: string): string =>
  cgroupVersion() === 2 ? join(MOUNT, path) : join(MOUNT, controller, path);

const field = (text: string | undefined, name: string): number =>
  Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text ?? '')?.[1] ?? 0);

/** How often the kernel has ended a process of the group for want of memory. Must be asked before the group goes. */
export function oomKills(path: string): number {
  const folder = folderFor('memory', path);
  const text = cgroupVersion() === 2 ? read(`${folder}/memory.events`) : read(`${folder}/memory.oom_control`);
  return field(text, 'oom_kill');
}

export interface CgroupUsage {
  readonly cpuUsageNanos: bigint;
  readonly memoryUsageBytes: number;
  readonly memoryWorkingSetBytes: number;
  readonly memoryRssBytes: number;
}

/** Undefined when the group is gone. The working set is what the kernel could not easily take back. */
export function cgroupUsage(path: string): CgroupUsage | undefined {
  const memory = folderFor('memory', path);
  const stat = read(`${memory}/memory.stat`);
  if (stat === undefined) return undefined;
  if (cgroupVersion() === 2) {
    const usage = Number(read(`${memory}/memory.current`) ?? 0);
    return {
      cpuUsageNanos: BigInt(field(read(`${memory}/cpu.stat`), 'usage_usec')) * 1000n,
      memoryUsageBytes: usage,
      memoryWorkingSetBytes: Math.max(0, usage - field(stat, 'inactive_file')),
      memoryRssBytes: field(stat, 'anon'),
    };
  }
  const usage = Number(read(`${memory}/memory.usage_in_bytes`) ?? 0);
  return {
    cpuUsageNanos: BigInt((read(`${folderFor('cpuacct', path)}/cpuacct.usage`) ?? '0').trim()),
    memoryUsageBytes: usage,
    memoryWorkingSetBytes: Math.max(0, usage - field(stat, 'total_inactive_file')),
    memoryRssBytes: field(stat, 'total_rss'),
  };
}

/** Processes of the group and of all below it. */
export function processesOf(path: string): readonly number[] {
  const pids = new Set<number>();
  const walk = (folder: string): void => {
    for (const pid of (read(`${folder}/cgroup.procs`) ?? '').split('\n'))
      if (pid !== '') pids.add(Number(pid));
    for (const entry of listFolders(folder)) walk(join(folder, entry));
  };
  for (const folder of foldersOf(path)) walk(folder);
  return [...pids];
}

const listFolders = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
};

/**
 * Takes away the group and empty groups below it, in every hierarchy; groups with processes stay. True when nothing
 * is left.
 */
export function removeCgroup(path: string): boolean {
  if (path === '' || path === '/') return true;
  const remove = (folder: string): void => {
    for (const entry of listFolders(folder)) remove(join(folder, entry));
    try {
      rmdirSync(folder);
    } catch {
      // Not there, or in use.
    }
  };
  for (const folder of foldersOf(path)) remove(folder);
  return foldersOf(path).every((folder) => !existsSync(folder));
}
