/**
 * A host of its own for network tests: a network namespace in which every command of a test runs, so that the
 * machine's own interfaces and tables are never touched. Root only.
 */
import { spawnSync } from 'node:child_process';
import type { Processes } from '#platform';
import { nodeProcesses } from '#platform/node';

/** Undefined when namespaces can be made; else why not, for `skip`. */
export function whyNoNamespaces(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces need Linux';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  for (const program of ['ip', 'nft', 'nsenter']) {
    if (spawnSync(program, ['--version']).error !== undefined) return `${program} is not installed`;
  }
  return undefined;
}

export class TestNamespace {
  readonly name: string;
  readonly processes: Processes;

  private constructor(name: string) {
    this.name = name;
    this.processes = {
      run: (program, args, options) =>
        nodeProcesses.run('ip', ['netns', 'exec', name, program, ...args], options),
    };
  }

  static create(name: string): TestNamespace {
    // A killed run may have left it.
    spawnSync('ip', ['netns', 'delete', name]);
    const made = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`cannot make the namespace ${name}: ${made.stderr}`);
    spawnSync('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    return new TestNamespace(name);
  }

  get path(): string {
    return `/run/netns/${this.name}`;
  }

  /** Runs a shell script inside; returns what it printed, or throws with both outputs. */
  async shell(script: string): Promise<string> {
    const result = await this.processes.run('sh', ['-c', script]);
    if (result.exitCode !== 0) {
      throw new Error(`exit ${result.exitCode}: ${result.stdout.toString()}${result.stderr.toString()}`);
    }
    return result.stdout.toString();
  }

  delete(): void {
    spawnSync('ip', ['netns', 'delete', this.name]);
  }
}
