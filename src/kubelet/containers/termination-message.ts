/** The last words of a container: its termination message file, or the tail of its log. */
import type { ContainerStatus } from '#cri';
import type { Files } from '#platform';
import { readLogTail } from '../logs/log-tail.ts';
import type { ContainerNotes } from './labels.ts';

const MAX_MESSAGE_BYTES = 4096;
/** Upstream's limits for the fallback to the log. */
const MAX_LOG_LINES = 80;
const MAX_LOG_BYTES = 2048;

/** Returns the runtime's message joined with the container's own. */
export async function terminationMessage(
  files: Files,
  status: ContainerStatus,
  notes: ContainerNotes,
): Promise<string> {
  const own = await ownMessage(files, status, notes);
  return [status.message, own].filter((text) => text !== '').join(': ');
}

async function ownMessage(files: Files, status: ContainerStatus, notes: ContainerNotes): Promise<string> {
  const mount = status.mounts.find(({ containerPath }) => containerPath === notes.terminationMessagePath);
  const fallback = notes.fallbackToLogs && status.exitCode !== 0 && status.reason !== 'ContainerCannotRun';
  if (mount !== undefined && notes.terminationMessagePath !== '') {
    try {
      const data = await files.readFile(mount.hostPath);
      if (data.length > 0) return data.subarray(-MAX_MESSAGE_BYTES).toString();
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== 'ENOENT') {
        return `Error on reading termination log ${mount.hostPath}: ${(e as Error).message}`;
      }
    }
  }
  if (!fallback) return '';
  try {
    return await readLogTail(files, status.logPath, { lines: MAX_LOG_LINES, bytes: MAX_LOG_BYTES });
  } catch (e) {
    return `Error on reading termination message from logs: ${(e as Error).message}`;
  }
}
