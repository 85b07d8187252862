import { readFileSync, statSync, watch } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { FSWatcher } from 'node:fs';
import type { Logger } from '#platform';

export interface ExitFile {
  readonly exitCode: number;
  /** When the monitor wrote it, in nanoseconds of wall time. */
  readonly at: bigint;
}

/** The folder where monitors leave exit codes: one watch for all containers of the engine, no polling. */
export class ExitFiles {
  readonly #directory: string;
  readonly #logger: Logger;
  #watcher: FSWatcher | undefined;

  constructor(directory: string, logger: Logger) {
    this.#directory = directory;
    this.#logger = logger;
  }

  /** Tells every exit from now on, some more than once, and those that are there already. */
  async open(onExit: (containerId: string) => void): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    // Keeps the process alive until `close`: an engine that waits for an exit has nothing else to do so.
    this.#watcher = watch(this.#directory, (_event, name) => {
      if (name !== null && this.read(name) !== undefined) onExit(name);
    });
    this.#watcher.on('error', (error) =>
      this.#logger.error({ error: String(error) }, 'watch of container exits ended'),
    );
    for (const name of await readdir(this.#directory)) onExit(name);
  }

  /** Undefined while the container runs. */
  read(containerId: string): ExitFile | undefined {
    const path = join(this.#directory, containerId);
    try {
      const text = readFileSync(path, 'utf8');
      if (!/^-?\d+/.test(text)) return undefined;
      return { exitCode: Number.parseInt(text, 10), at: statSync(path, { bigint: true }).mtimeNs };
    } catch {
      return undefined;
    }
  }

  close(): void {
    this.#watcher?.close();
  }
}
