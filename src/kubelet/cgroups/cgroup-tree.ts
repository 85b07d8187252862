/** Making and removing cgroups, the same for both versions of the kernel's interface. */
import type { Files } from '#platform';
import type { CgroupLimits } from './pod-limits.ts';

/** One version of the kernel's interface. Paths are like `k8ts/burstable/pod1`, relative to the root. */
export interface CgroupTree {
  /** Idempotent; parents must be there. */
  make(path: string): Promise<void>;
  limit(path: string, limits: CgroupLimits): Promise<void>;
  /** With everything below; nothing may run in it any more. Idempotent. */
  remove(path: string): Promise<void>;
  /** Names of the cgroups right below. */
  children(path: string): Promise<readonly string[]>;
}

/** Removes a folder of cgroups, deepest first: the kernel's files in them go with their folder. */
export async function removeTree(files: Files, folder: string): Promise<void> {
  for (const name of await subfolders(files, folder)) await removeTree(files, `${folder}/${name}`);
  await files.rmdir(folder);
}

export async function subfolders(files: Files, folder: string): Promise<readonly string[]> {
  if ((await files.stat(folder)) === undefined) return [];
  const found: string[] = [];
  for (const name of await files.list(folder)) {
    const stat = await files.stat(`${folder}/${name}`, { follow: false });
    if (stat?.kind === 'directory') found.push(name);
  }
  return found;
}
