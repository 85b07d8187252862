/** One at a time, across processes. */
import { readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { startTicksOf } from './process-record.ts';

/** How often a taken lock is looked at: nobody tells when it is let go. */
const LOOK_EVERY_MS = 20;

/**
 * Runs `body` while no other process runs one under the same file. The file is a symbolic link to nowhere: made in
 * one step, and its target names the process that holds it. One whose process has ended counts for nothing.
 */
export async function exclusively<T>(file: string, body: () => Promise<T>): Promise<T> {
  const own = `${process.pid}:${startTicksOf(process.pid) ?? ''}`;
  while (!take(file, own)) await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  try {
    return await body();
  } finally {
    rmSync(file, { force: true });
  }
}

function take(file: string, own: string): boolean {
  try {
    symlinkSync(own, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  if (!isHeld(file)) rmSync(file, { force: true });
  return false;
}

function isHeld(file: string): boolean {
  try {
    const [pid = '', startTicks] = readlinkSync(file).split(':');
    return startTicksOf(Number(pid)) === startTicks;
  } catch (error) {
    // It was let go between two looks.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
}
