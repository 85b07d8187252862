/**
 * Paths inside a root filesystem that is not ours: every symlink, absolute or with `..`, is followed as if the root
 * were `/`, so that nothing leads out. Only for trees that nobody else changes meanwhile (layers being unpacked,
 * containers not yet started): a racing writer could swap a folder for a link after it was looked at.
 */
import { lstatSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** As in the kernel's own lookup (ELOOP). */
const SYMLINKS_MAX = 40;

/**
 * The host path of `path` in `root`. Parts that do not exist stay as they are. `followLast` false leaves a symlink
 * at the end alone.
 * @throws when there are too many symlinks.
 */
export function scopedPath(root: string, path: string, followLast = true): string {
  const pending = path.split('/').reverse();
  const resolved: string[] = [];
  let links = 0;
  while (pending.length > 0) {
    const part = pending.pop() ?? '';
    if (part === '' || part === '.') continue;
    if (part === '..') {
      resolved.pop();
      continue;
    }
    const isLast = pending.every((rest) => rest === '' || rest === '.');
    const target = isLast && !followLast ? undefined : linkTarget(join(root, ...resolved, part));
    if (target === undefined) {
      resolved.push(part);
      continue;
    }
    if (++links > SYMLINKS_MAX) throw new Error(`too many symlinks in ${path}`);
    if (target.startsWith('/')) resolved.length = 0;
    pending.push(...target.split('/').reverse());
  }
  return join(root, ...resolved);
}

function linkTarget(path: string): string | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats?.isSymbolicLink() === true ? readlinkSync(path) : undefined;
}
