import { readFileSync } from 'node:fs';
import { unmount } from './libc.ts';

/** Mount points at or below `prefix`, the last mounted first: the order to take them away in. */
export function mountsBelow(prefix: string): readonly string[] {
  const inside = `${prefix}/`;
  const points: string[] = [];
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const point = line.split(' ')[4];
    if (point === undefined) continue;
    // The kernel writes space, tab, newline and backslash as three octal digits.
    const path = point.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(parseInt(octal, 8)),
    );
    if (path === prefix || path.startsWith(inside)) points.push(path);
  }
  return points.reverse();
}

/** Unmounts everything at or below `prefix`; returns how many mounts there were. */
export function unmountBelow(prefix: string): number {
  const points = mountsBelow(prefix);
  for (const point of points) unmount(point);
  return points.length;
}
