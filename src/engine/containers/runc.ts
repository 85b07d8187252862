import { constants, existsSync, openSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '#platform';
import { RuntimeError } from '#cri';
import { runProgram } from '../child-process.ts';
import { removeCgroup } from './cgroups.ts';

const PLACES = ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin'];

/** Absolute path of a program: conmon takes no other. @throws RuntimeError naming what is missing. */
export function findProgram(name: string): string {
  const found = PLACES.map((folder) => `${folder}/${name}`).find((path) => existsSync(path));
  if (found === undefined) throw new RuntimeError('UNAVAILABLE', `${name} is not installed`);
  return found;
}

/** What is worth reading of what runc says: the last line, without its log dressing. */
export function runcMessage(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  const last = lines.at(-1) ?? '';
  return (/msg="((?:[^"\\]|\\.)*)"/.exec(last)?.[1]?.replaceAll('\\"', '"') ?? last).trim();
}

/** The OCI runtime, one process per call. */
export class Runc {
  readonly path: string;
  readonly root: string;

  constructor(root: string) {
    this.path = findProgram('runc');
    this.root = root;
  }

  async #run(args: readonly string[], input?: string): Promise<string> {
    const result = await runProgram(this.path, ['--root', this.root, ...args], input);
    if (result.exitCode === 0) return result.stdout;
    const message = runcMessage(result.stderr);
    const missing = message.includes('container does not exist');
    throw new RuntimeError(missing ? 'NOT_FOUND' : 'UNKNOWN', message);
  }

  /**
   * Lets a created container run. `runc init` waits for somebody to open its `exec.fifo`; that is all `runc start`
   * does, and a process less at every start. Falls back to it when the container does not answer.
   */
  async start(id: string, clock: Clock): Promise<void> {
    const fifo = join(this.root, id, 'exec.fifo');
    if (await openStartGate(fifo, clock)) await rm(fifo, { force: true });
    else await this.#run(['start', id]);
  }

  /** Signals the first process; one that is gone is fine. */
  async kill(id: string, signal: string): Promise<void> {
    try {
      await this.#run(['kill', id, signal]);
    } catch (e) {
      const text = e instanceof Error ? e.message : '';
      if (!/does not exist|not running|process already finished|no such process/.test(text)) throw e;
    }
  }

  /** The container must have ended; one that is gone is fine. */
  async delete(id: string): Promise<void> {
    try {
      await this.#run(['delete', id]);
    } catch (e) {
      if (!(e instanceof RuntimeError && e.code === 'NOT_FOUND')) throw e;
    }
  }

  /** Kills what still runs and waits for it (100 ms): for leftovers, where nobody looks at the exit. */
  async deleteForced(id: string): Promise<void> {
    try {
      await this.#run(['delete', '--force', id]);
    } catch (e) {
      if (!(e instanceof RuntimeError && e.code === 'NOT_FOUND')) throw e;
    }
  }

  async update(id: string, resources: object): Promise<void> {
    await this.#run(['update', '--resources', '-', id], JSON.stringify(resources));
  }

  /**
   * What `runc delete` does for a container whose processes have ended: its control groups and its state go. True
   * when all is gone; else `delete` may know why.
   */
  async free(id: string, cgroup: string): Promise<boolean> {
    if (!removeCgroup(cgroup)) return false;
    await rm(join(this.root, id), { recursive: true, force: true });
    return true;
  }

  /** Ids of the containers it knows: folders below its root. */
  async list(): Promise<readonly string[]> {
    return readdir(this.root).catch(() => []);
  }

  async version(): Promise<string> {
    const text = await this.#run(['--version']);
    return /runc version (\S+)/.exec(text)?.[1] ?? 'unknown';
  }
}

/** A container that has been created answers within microseconds. */
const START_ANSWER_WITHIN_MS = 2000;

/** True when the container's first process has gone on to its program. */
async function openStartGate(fifo: string, clock: Clock): Promise<boolean> {
  let fd: number;
  try {
    // Non-blocking: a container that has died meanwhile would never open the other end.
    fd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return false;
  }
  const gate = new Socket({ fd, readable: true, writable: false });
  try {
    return await new Promise<boolean>((resolve) => {
      const timer = clock.setTimer(START_ANSWER_WITHIN_MS, () => resolve(false));
      const answer = (opened: boolean) => (): void => {
        timer.cancel();
        resolve(opened);
      };
      gate.once('data', answer(true));
      gate.once('error', answer(false));
      gate.once('close', answer(false));
    });
  } finally {
    gate.destroy();
  }
}
