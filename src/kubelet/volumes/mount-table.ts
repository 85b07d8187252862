/** Mounts the kubelet makes itself: tmpfs for emptyDir in memory. */
import type { Files, Processes } from '#platform';

const TABLE = '/proc/self/mounts';

export class MountTable {
  readonly #files: Files;
  readonly #processes: Processes;

  constructor(options: { readonly files: Files; readonly processes: Processes }) {
    this.#files = options.files;
    this.#processes = options.processes;
  }

  /** Mount points at or below `folder`, deepest first. */
  async below(folder: string): Promise<readonly string[]> {
    let table: string;
    try {
      table = (await this.#files.readFile(TABLE)).toString();
    } catch {
      return [];
    }
    return table
      .split('\n')
      .map((line) => unescapePath(line.split(' ')[1] ?? ''))
      .filter((path) => path === folder || path.startsWith(`${folder}/`))
      .sort((a, b) => b.length - a.length);
  }

  /** Idempotent. @throws Error with what `mount` said. */
  async mountTmpfs(path: string, sizeBytes: number | undefined): Promise<void> {
    if ((await this.below(path)).includes(path)) return;
    await this.#files.mkdir(path, { recursive: true });
    const options = sizeBytes === undefined ? [] : ['-o', `size=${sizeBytes}`];
    await this.#run('mount', ['-t', 'tmpfs', ...options, 'tmpfs', path]);
  }

  /** Everything at or below `folder`. @throws Error with what `umount` said. */
  async unmountAll(folder: string): Promise<void> {
    for (const path of await this.below(folder)) await this.#run('umount', [path]);
  }

  async #run(program: string, args: readonly string[]): Promise<void> {
    const { exitCode, stderr } = await this.#processes.run(program, args);
    if (exitCode !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr.toString().trim()}`);
  }
}

/** The kernel writes blanks and such as octal escapes. */
const unescapePath = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
