import { readFileSync } from 'node:fs';

/** Field 22 of /proc/<pid>/stat: with the pid it names a process for as long as the machine runs. */
const START_TIME_FIELD = 22;

/** Undefined when there is no such process, or only its zombie. */
export function processStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything, spaces included.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[START_TIME_FIELD - 3];
  } catch {
    return undefined;
  }
}

/** Whether `pid` is still the process that was started at `startTime`. */
export const isSameProcess = (pid: number, startTime: string | undefined): boolean =>
  startTime !== undefined && processStartTime(pid) === startTime;

/** Signals a process; one that is gone is fine. */
export function signalProcess(pid: number, signal: NodeJS.Signals | number): void {
  try {
    process.kill(pid, signal);
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'ESRCH') throw e;
  }
}
