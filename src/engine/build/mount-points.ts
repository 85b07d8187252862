import { lstatSync, readdirSync, rmSync, rmdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { scopedPath } from '../snapshots/scoped-path.ts';

/**
 * Places that a container's mounts will make in its root filesystem because they are not there. The returned function
 * takes away those that stayed empty, so that they do not end up in the layer.
 */
export function watchMountPoints(rootfs: string, destinations: readonly string[]): () => void {
  const missing: string[] = [];
  for (const destination of destinations) {
    for (let path = scopedPath(rootfs, destination); path.length > rootfs.length; path = dirname(path)) {
      if (lstatSync(path, { throwIfNoEntry: false }) === undefined) missing.push(path);
    }
  }
  return () => {
    // Longer paths first: a folder is empty once what was made in it is gone.
    for (const path of [...new Set(missing)].sort((a, b) => b.length - a.length)) removeIfEmpty(path);
  };
}

function removeIfEmpty(path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (stats.isDirectory() && readdirSync(path).length === 0) rmdirSync(path);
  else if (stats.isFile() && stats.size === 0) rmSync(path);
}
