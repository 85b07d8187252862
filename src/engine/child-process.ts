import { spawn } from 'node:child_process';

/** What a child is started with: the PATH of system programs and nothing of ours. */
export const CHILD_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
};

/** Bytes kept of a program's answer; the rest is dropped. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

export interface ProgramResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. A non-zero exit is a result. @throws when it cannot be started. */
export function runProgram(
  program: string,
  args: readonly string[],
  input?: string,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: CHILD_ENVIRONMENT,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      signal,
      killSignal: 'SIGKILL',
    });
    const gather = (stream: NodeJS.ReadableStream): (() => string) => {
      const chunks: Buffer[] = [];
      let size = 0;
      stream.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size <= ANSWER_BYTES_MAX) chunks.push(chunk);
      });
      return () => Buffer.concat(chunks).toString();
    };
    const stdout = child.stdout === null ? () => '' : gather(child.stdout);
    const stderr = child.stderr === null ? () => '' : gather(child.stderr);
    child.on('error', reject);
    child.on('close', (code) => resolve({ exitCode: code ?? 137, stdout: stdout(), stderr: stderr() }));
    // The child may leave without reading; its exit code says what happened.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}
