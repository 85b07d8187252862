/**
 * Keeps container logs small: a log beyond the size limit is moved aside and the runtime told to reopen it; only so
 * many old ones stay. Looked at now and then, which is enough for a limit that is about disk space.
 */
import type { RuntimeService } from '#cri';
import type { Clock, Files, Logger, Timer } from '#platform';
import type { RuntimeContainer } from '../pods/runtime-pod.ts';

const MAX_SIZE_BYTES = 10 * 1024 * 1024;
/** The current one included. */
const MAX_FILES = 5;
const CHECK_MS = 30_000;

export interface LogRotationOptions {
  readonly runtime: RuntimeService;
  readonly files: Files;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly running: () => Promise<readonly RuntimeContainer[]>;
}

export class LogRotation {
  readonly #options: LogRotationOptions;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: LogRotationOptions) {
    this.#options = options;
  }

  start(): void {
    this.#plan();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #plan(): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.setTimer(CHECK_MS, () => {
      void this.rotate().finally(() => this.#plan());
    });
  }

  /** One look at all running containers' logs. */
  async rotate(): Promise<void> {
    const { files, logger, running } = this.#options;
    for (const { id, logPath } of await running()) {
      try {
        const stat = await files.stat(logPath);
        if (stat !== undefined && stat.sizeBytes > MAX_SIZE_BYTES) await this.#rotateOne(id, logPath);
      } catch (e) {
        logger.warn({ err: e, path: logPath }, 'could not rotate a container log');
      }
    }
  }

  async #rotateOne(id: string, path: string): Promise<void> {
    const { files, runtime, clock } = this.#options;
    const slash = path.lastIndexOf('/');
    const [folder, base] = [path.slice(0, slash), path.slice(slash + 1)];
    const old = (await files.list(folder)).filter((name) => name.startsWith(`${base}.`)).sort();
    for (const name of old.slice(0, Math.max(0, old.length - (MAX_FILES - 2))))
      await files.remove(`${folder}/${name}`);
    const stamp = new Date(clock.now()).toISOString().replace(/[-:]/g, '').replace(/\..*/, '');
    const aside = `${path}.${stamp}`;
    await files.rename(path, aside);
    try {
      await runtime.reopenContainerLog(id);
    } catch (e) {
      await files.rename(aside, path);
      throw e;
    }
  }
}
