/**
 * Which processes belong to a cluster: one small JSON file each in the run folder.
 *
 * A pid alone is not an identity (it is used again after the process ends), so the record also holds the process's
 * start time as the kernel counts it. Nothing is signalled unless both match.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#platform';

export interface ProcessRecord {
  /** `server`, `agent`. */
  readonly role: string;
  readonly pid: number;
  /** Field 22 of `/proc/<pid>/stat`; '' where there is no /proc. */
  readonly startTicks: string;
  readonly startedAt: string;
  readonly version: string;
}

const fileOf = (run: string, role: string): string => join(run, `${role}.process.json`);

/** Undefined when there is no such process, '' when the system cannot tell. */
export function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended: only its parent has not looked yet.
    return fields[0] === 'Z' ? undefined : (fields[19] ?? '');
  } catch {
    if (process.platform === 'linux') return undefined;
    return signalReaches(pid) ? '' : undefined;
  }
}

function signalReaches(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export function writeProcessRecord(run: string, record: ProcessRecord): void {
  mkdirSync(run, { recursive: true });
  const file = fileOf(run, record.role);
  writeFileSync(`${file}.tmp`, `${JSON.stringify(record)}\n`);
  renameSync(`${file}.tmp`, file);
}

export function removeProcessRecord(run: string, role: string): void {
  rmSync(fileOf(run, role), { force: true });
}

export const isAlive = (record: ProcessRecord): boolean => startTicksOf(record.pid) === record.startTicks;

/** All records of a cluster, those of ended processes included. */
export function readProcessRecords(run: string): readonly ProcessRecord[] {
  let names: readonly string[];
  try {
    names = readdirSync(run);
  } catch {
    return [];
  }
  return names
    .filter((name) => name.endsWith('.process.json'))
    .flatMap((name) => {
      try {
        return [JSON.parse(readFileSync(join(run, name), 'utf8')) as ProcessRecord];
      } catch {
        return [];
      }
    });
}

export function readProcessRecord(run: string, role: string): ProcessRecord | undefined {
  return readProcessRecords(run).find((record) => record.role === role);
}

/** How often an ending process is looked at: it is not our child, so nobody tells us. */
const END_CHECK_MS = 20;

/** SIGTERM, then SIGKILL after `graceMs`. Resolves when the process is gone. */
export async function endProcess(
  record: ProcessRecord,
  { clock, graceMs }: { readonly clock: Clock; readonly graceMs: number },
): Promise<void> {
  const deadline = clock.monotonic() + graceMs;
  let signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM';
  if (isAlive(record)) process.kill(record.pid, signal);
  while (isAlive(record)) {
    if (signal === 'SIGTERM' && clock.monotonic() > deadline) {
      signal = 'SIGKILL';
      process.kill(record.pid, signal);
    }
    // The clock's timers do not keep the process alive; this wait must.
    await new Promise((resolve) => setTimeout(resolve, END_CHECK_MS));
  }
}
