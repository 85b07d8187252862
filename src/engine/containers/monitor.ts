/**
 * conmon: one small process per container that holds its stdio and terminal, writes its log and leaves its exit code
 * in a file. It outlives us, so containers do not notice when the engine is restarted.
 *
 * It answers on the descriptor named by `_OCI_SYNCPIPE` once `runc create` is done: `{"data": <pid>}`, or a negative
 * number with `message`, runc's words.
 */
import { spawn } from 'node:child_process';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { RuntimeError } from '#cri';
import { CHILD_ENVIRONMENT } from '../child-process.ts';
import { findProgram, runcMessage } from './runc.ts';

export interface MonitoredContainer {
  readonly id: string;
  readonly name: string;
  readonly bundle: string;
  /** Absolute, or empty for none. */
  readonly logPath: string;
  readonly terminal: boolean;
  readonly stdin: boolean;
  /** Whether stdin stays open when the one who writes to it leaves. */
  readonly keepsStdinOpen: boolean;
}

export interface MonitorOptions {
  readonly runcPath: string;
  readonly runcRoot: string;
  readonly exits: string;
}

/** Folder entries conmon makes in a bundle. */
export const ATTACH_SOCKET = 'attach';
const CONTROL_FIFO = 'ctl';

export class Monitor {
  readonly #conmon = findProgram('conmon');
  readonly #options: MonitorOptions;

  constructor(options: MonitorOptions) {
    this.#options = options;
  }

  /** Creates the container (`runc create`) under a monitor of its own. Returns its first process's id. */
  async create(container: MonitoredContainer): Promise<number> {
    const child = spawn(this.#conmon, this.#arguments(container), {
      env: { ...CHILD_ENVIRONMENT, _OCI_SYNCPIPE: '3' },
      cwd: container.bundle,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    });
    const exited = new Promise<void>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', () => resolve());
    });
    // stdio index 3 was asked for as a pipe.
    const answer = firstLine(child.stdio[3] as Readable);
    const complaints = child.stderr === null ? Promise.resolve('') : text(child.stderr);
    await exited;
    const line = await answer;
    if (line === '') throw new RuntimeError('UNKNOWN', `conmon: ${(await complaints).trim()}`);
    const { data, message } = JSON.parse(line) as { readonly data: number; readonly message?: string };
    if (data <= 0) throw new RuntimeError('UNKNOWN', runcMessage(message ?? ''));
    return data;
  }

  #arguments(container: MonitoredContainer): string[] {
    const { runcPath, runcRoot, exits } = this.#options;
    const { id, name, bundle, logPath } = container;
    const log = `k8s-file:${logPath === '' ? '/dev/null' : logPath}`;
    const args = ['--api-version', '1', '-c', id, '-u', id, '-n', name, '-b', bundle, '-r', runcPath];
    args.push('-p', join(bundle, 'pid'), '-P', join(bundle, 'conmon.pid'), '--exit-dir', exits);
    args.push('-l', log, '--full-attach', '--no-sync-log', '--log-level', 'warning');
    args.push('--runtime-arg', `--root=${runcRoot}`);
    if (container.terminal) args.push('-t');
    if (container.stdin) args.push('-i');
    if (container.keepsStdinOpen) args.push('--leave-stdin-open');
    return args;
  }
}

/** What arrives up to the first newline or the end. */
async function firstLine(stream: Readable): Promise<string> {
  let received = '';
  for await (const chunk of stream) {
    received += String(chunk);
    const end = received.indexOf('\n');
    if (end !== -1) return received.slice(0, end);
  }
  return received.trim();
}

/** Commands on the control pipe: `<command> <rows> <columns>`. */
function control(bundle: string, line: string): void {
  // Non-blocking: without a reader (the monitor has ended) this fails instead of waiting.
  const fd = openSync(join(bundle, CONTROL_FIFO), constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    writeSync(fd, line);
  } finally {
    closeSync(fd);
  }
}

export const resizeTerminal = (
  bundle: string,
  size: { readonly width: number; readonly height: number },
): void => control(bundle, `1 ${size.height} ${size.width}\n`);

/** The monitor closes its log and opens the path anew: after a rotation. */
export const reopenLog = (bundle: string): void => control(bundle, '2 0 0\n');
