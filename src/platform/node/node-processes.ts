import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Processes, ProcessResult } from '../processes.ts';

const DEFAULT_MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Keeps the first `limit` bytes and counts on: a child that prints without end cannot fill the memory. */
class BoundedOutput {
  readonly #chunks: Buffer[] = [];
  #left: number;

  constructor(limit: number) {
    this.#left = limit;
  }

  push(chunk: Buffer): void {
    if (this.#left <= 0) return;
    const kept = chunk.length <= this.#left ? chunk : chunk.subarray(0, this.#left);
    this.#left -= kept.length;
    this.#chunks.push(kept);
  }

  toBuffer(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** The machine's processes. */
export const nodeProcesses: Processes = {
  run(program, args, options = {}) {
    const { signal, maxOutputBytes = DEFAULT_MAX_OUTPUT_BYTES } = options;
    return new Promise<ProcessResult>((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const child = spawn(program, args, {
        cwd: options.cwd,
        env: { ...(options.env ?? { PATH: process.env['PATH'] ?? DEFAULT_PATH }) },
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      const stdout = new BoundedOutput(maxOutputBytes);
      const stderr = new BoundedOutput(maxOutputBytes);
      const onAbort = (): void => {
        child.kill('SIGKILL');
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
      child.on('error', (e) => {
        signal?.removeEventListener('abort', onAbort);
        reject(e);
      });
      child.on('close', (code, endSignal) => {
        signal?.removeEventListener('abort', onAbort);
        const exitCode = code ?? 128 + (endSignal === null ? 0 : constants.signals[endSignal]);
        resolve({ exitCode, stdout: stdout.toBuffer(), stderr: stderr.toBuffer() });
      });
      // A child that ends without reading its input closes the pipe: its exit code tells the story.
      child.stdin.on('error', () => undefined);
      child.stdin.end(options.input ?? '');
    });
  },
};
