/**
 * A cluster of a test's own: made by the real command line, in folders of its own, taken down with everything it
 * made. A killed run leaves a cluster of the same name behind; the next run takes that down first.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kubectlPath } from './kubectl.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Default two minutes; then SIGKILL. */
  readonly timeoutMs?: number;
}

export function runCommand(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, env: { ...process.env, ...options.env }, stdio: 'pipe' });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 120_000);
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({
        code: code ?? 137,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      });
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

export class TestCluster implements AsyncDisposable {
  readonly name: string;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;

  constructor(name: string) {
    this.name = name;
    this.folder = join(tmpdir(), `k8ts-test-${name}`);
    this.env = {
      K8TS_CLUSTER: name,
      K8TS_DATA_DIR: join(this.folder, 'data'),
      K8TS_RUN_DIR: join(this.folder, 'run'),
      KUBECONFIG: join(this.folder, 'kubeconfig'),
    };
  }

  get kubeconfig(): string {
    return join(this.folder, 'kubeconfig');
  }

  /** `k8ts …` on this cluster. */
  k8ts(args: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    const env = { ...this.env, ...options.env };
    return runCommand(process.execPath, [join(root, 'src/cli/main.ts'), ...args], { ...options, env });
  }

  /** `kubectl …` on this cluster. */
  kubectl(args: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    return runCommand(kubectlPath(), args, { ...options, env: { ...this.env, ...options.env } });
  }

  /** Like `kubectl`, but a failure throws with everything it printed. */
  async mustKubectl(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return must(`kubectl ${args.join(' ')}`, await this.kubectl(args, options));
  }

  async mustK8ts(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return must(`k8ts ${args.join(' ')}`, await this.k8ts(args, options));
  }

  /** Takes down what a killed run left, then brings the cluster up. */
  async up(args: readonly string[] = []): Promise<void> {
    await this.clear();
    mkdirSync(this.folder, { recursive: true });
    await this.mustK8ts(['up', ...args]);
  }

  /** The last lines of a process's log, for messages of failed tests. */
  log(role: 'server' | 'agent', lines = 40): string {
    try {
      const path = join(this.folder, 'data', this.name, 'logs', `${role}.log`);
      return readFileSync(path, 'utf8').split('\n').slice(-lines).join('\n');
    } catch {
      return '';
    }
  }

  /** Nothing of the cluster is left, its data neither. */
  async clear(): Promise<void> {
    await this.k8ts(['down', '--purge']);
    rmSync(this.folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.clear();
  }
}

function must(what: string, result: CommandResult): string {
  if (result.code !== 0) throw new Error(`${what}: exit ${result.code}\n${result.stdout}${result.stderr}`);
  return result.stdout;
}
