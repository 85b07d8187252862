/**
 * A second process in a running container: `runc exec`, our child, which hands on stdio and the exit code. With a
 * terminal the engine holds the outer end of a pseudo terminal of its own.
 */
import { spawn } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ReadStream } from 'node:tty';
import type { ChildProcess } from 'node:child_process';
import type { Clock } from '#platform';
import { RuntimeError } from '#cri';
import type { StreamIo } from '#cri';
import { CHILD_ENVIRONMENT } from '../child-process.ts';
import { openPseudoTerminal, setTerminalSize } from '../kernel/libc.ts';
import { signalProcess } from './host-process.ts';

/** Bytes kept of each output of execSync; what comes after is dropped. */
const SYNC_OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

export interface ExecTarget {
  readonly id: string;
  readonly bundle: string;
  readonly runcPath: string;
  readonly runcRoot: string;
}

interface Session {
  readonly child: ChildProcess;
  /** Exit code of the process in the container. @throws RuntimeError when it could not be started. */
  readonly exitCode: Promise<number>;
  /** SIGKILL to the process in the container. */
  kill(): void;
}

type Stdio = 'ignore' | 'pipe' | number;

function startExec(target: ExecTarget, command: readonly string[], tty: boolean, stdio: Stdio[]): Session {
  const { id, bundle, runcPath, runcRoot } = target;
  const folder = mkdtempSync(join(bundle, 'exec-'));
  const file = (name: string): string => join(folder, name);
  const spec = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')) as { readonly process: object };
  writeFileSync(file('process.json'), JSON.stringify({ ...spec.process, terminal: tty, args: command }));
  const globals = ['--root', runcRoot, '--log', file('log'), '--log-format', 'json'];
  const child = spawn(
    runcPath,
    [...globals, 'exec', '--process', file('process.json'), '--pid-file', file('pid'), id],
    { env: CHILD_ENVIRONMENT, stdio },
  );
  let killed = false;
  const exitCode = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      const failure = code === 0 || killed ? undefined : startFailure(file('log'), file('pid'));
      rmSync(folder, { recursive: true, force: true });
      if (failure === undefined) resolve(killed ? 137 : (code ?? 137));
      else
        reject(
          new RuntimeError('UNKNOWN', `failed to start exec: OCI runtime exec failed: ${failure}: unknown`),
        );
    });
  });
  const kill = (): void => {
    killed = true;
    killExec(child, folder, file('pid'));
  };
  return { child, exitCode, kill };
}

/** runc's own words when it could not start the process; undefined when the process ran and ended by itself. */
function startFailure(log: string, pidFile: string): string | undefined {
  const read = (path: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  };
  if (read(pidFile) !== '') return undefined;
  const lines = read(log).trim().split('\n').filter(Boolean);
  const last = lines.at(-1);
  if (last === undefined) return 'runc exec failed';
  return (JSON.parse(last) as { readonly msg?: string }).msg ?? last;
}

/**
 * Kills the process in the container. While runc has not told its pid it may run already, so runc itself is left
 * alone until it has: killed earlier, it would leave the process behind.
 */
function killExec(child: ChildProcess, folder: string, pidFile: string): void {
  const tryKill = (): boolean => {
    try {
      const pid = Number(readFileSync(pidFile, 'utf8'));
      if (pid > 0) signalProcess(pid, 'SIGKILL');
      return pid > 0;
    } catch {
      return false;
    }
  };
  if (tryKill() || child.exitCode !== null || child.signalCode !== null) return;
  const watcher = watch(folder, () => {
    if (tryKill()) watcher.close();
  });
  child.once('close', () => watcher.close());
  // It may have come between the first look and the watch.
  if (tryKill()) watcher.close();
}

export interface SyncResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly timedOut: boolean;
}

export async function execSync(
  target: ExecTarget,
  command: readonly string[],
  timeoutSeconds: number,
  clock: Clock,
): Promise<SyncResult> {
  const session = startExec(target, command, false, ['ignore', 'pipe', 'pipe']);
  const stdout = gather(session.child.stdout);
  const stderr = gather(session.child.stderr);
  let timedOut = false;
  const timer =
    timeoutSeconds > 0
      ? clock.setTimer(timeoutSeconds * 1000, () => {
          timedOut = true;
          session.kill();
          // A child of the process may hold the pipes: the answer does not wait for it.
          session.child.stdout?.destroy();
          session.child.stderr?.destroy();
          session.child.kill('SIGKILL');
        })
      : undefined;
  try {
    const exitCode = await session.exitCode;
    return { exitCode, stdout: stdout(), stderr: stderr(), timedOut };
  } catch (e) {
    if (!timedOut) throw e;
    return { exitCode: 137, stdout: stdout(), stderr: stderr(), timedOut };
  } finally {
    timer?.cancel();
  }
}

function gather(stream: NodeJS.ReadableStream | null): () => Buffer {
  const chunks: Buffer[] = [];
  let size = 0;
  stream?.on('data', (chunk: Buffer) => {
    if (size >= SYNC_OUTPUT_BYTES_MAX) return;
    chunks.push(chunk.subarray(0, SYNC_OUTPUT_BYTES_MAX - size));
    size += chunk.length;
  });
  return () => Buffer.concat(chunks);
}

/** Resolves with the exit code once all output is handed on. The signal kills the process. */
export async function exec(
  target: ExecTarget,
  command: readonly string[],
  io: StreamIo,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<number> {
  signal?.throwIfAborted();
  const session = io.tty ? startTerminal(target, command, io) : startPiped(target, command, io);
  const onAbort = (): void => session.kill();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await session.exitCode;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    io.stdout?.end();
    io.stderr?.end();
  }
}

function startPiped(target: ExecTarget, command: readonly string[], io: StreamIo): Session {
  const wanted = (stream: unknown): Stdio => (stream === undefined ? 'ignore' : 'pipe');
  const session = startExec(target, command, false, [wanted(io.stdin), wanted(io.stdout), wanted(io.stderr)]);
  const { stdin, stdout, stderr } = session.child;
  if (io.stdin !== undefined && stdin !== null) {
    // The process may end without reading; then its pipe breaks, which is nobody's failure.
    stdin.on('error', () => undefined);
    io.stdin.pipe(stdin);
  }
  // Ended by exec when the exit code is known, so that the last bytes are out before it.
  if (io.stdout !== undefined) stdout?.pipe(io.stdout, { end: false });
  if (io.stderr !== undefined) stderr?.pipe(io.stderr, { end: false });
  return session;
}

function startTerminal(target: ExecTarget, command: readonly string[], io: StreamIo): Session {
  const { master, slavePath } = openPseudoTerminal();
  const slave = openSync(slavePath, constants.O_RDWR | constants.O_NOCTTY);
  let session: Session;
  try {
    session = startExec(target, command, true, [slave, slave, slave]);
  } catch (e) {
    closeSync(master);
    throw e;
  } finally {
    closeSync(slave);
  }
  const terminal = new ReadStream(master);
  // EIO is how a terminal says that nobody is on its other end any more.
  terminal.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => terminal.on('close', () => resolve()));
  if (io.stdout !== undefined) terminal.pipe(io.stdout, { end: false });
  else terminal.resume();
  io.stdin?.pipe(terminal);
  if (io.resize !== undefined) {
    followSizes(terminal, master, session.child, io.resize).catch(() => undefined);
  }
  return { ...session, exitCode: allOutput(session.exitCode, closed) };
}

/** What the terminal still holds comes before the answer, whatever that is. */
async function allOutput(exitCode: Promise<number>, closed: Promise<void>): Promise<number> {
  try {
    return await exitCode;
  } finally {
    await closed;
  }
}

async function followSizes(
  terminal: ReadStream,
  master: number,
  child: ChildProcess,
  sizes: NonNullable<StreamIo['resize']>,
): Promise<void> {
  for await (const size of sizes) {
    if (terminal.destroyed) return;
    setTerminalSize(master, size);
    // Our terminal is not the child's controlling one, so the kernel does not tell it.
    child.kill('SIGWINCH');
  }
}
