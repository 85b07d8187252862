import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { RuntimeError } from '#cri';
import { runProgram } from '../child-process.ts';

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

  async start(id: string): Promise<void> {
    await this.#run(['start', id]);
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

  /** Ids of the containers it knows: folders below its root. */
  async list(): Promise<readonly string[]> {
    return readdir(this.root).catch(() => []);
  }

  async version(): Promise<string> {
    const text = await this.#run(['--version']);
    return /runc version (\S+)/.exec(text)?.[1] ?? 'unknown';
  }
}
