import { existsSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '#platform';
import { RuntimeError } from '#cri';

/** How long a monitor may take to open its new log. */
const REOPEN_WITHIN_MS = 10_000;

/** Calls `reopen` and resolves when the log at `path` exists again. @throws RuntimeError DEADLINE_EXCEEDED. */
export async function waitForNewLog(path: string, clock: Clock, reopen: () => void): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const watcher = watch(dirname(path), { persistent: false }, () => check());
    const finish = (settle: () => void): void => {
      watcher.close();
      timer.cancel();
      settle();
    };
    const timer = clock.setTimer(REOPEN_WITHIN_MS, () =>
      finish(() => reject(new RuntimeError('DEADLINE_EXCEEDED', `log ${path} was not reopened`))),
    );
    const check = (): void => {
      if (existsSync(path)) finish(resolve);
    };
    try {
      reopen();
      check();
    } catch (e) {
      finish(() => reject(e));
    }
  });
}
