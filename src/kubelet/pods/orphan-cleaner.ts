/** After a restart: ends what runs here without a pod in the API, and removes what its pod left behind. */
import type { RuntimeService } from '#cri';
import type { Files, Logger } from '#platform';
import type { PodFolders } from '../pod-folders.ts';
import type { PodVolumes } from '../volumes/pod-volumes.ts';
import type { PodCgroups } from './pod-worker.ts';
import type { RuntimePods } from './runtime-pods.ts';

/** What an orphan gets to leave: its pod, and with it the pod's own period, is gone. */
const GRACE_SECONDS = 1;

export interface OrphanCleanerOptions {
  readonly runtime: RuntimeService;
  readonly pods: RuntimePods;
  readonly volumes: PodVolumes;
  readonly cgroups: PodCgroups;
  readonly files: Files;
  readonly folders: PodFolders;
  readonly logger: Logger;
  /** The pod has a worker. */
  readonly isKnown: (podUid: string) => boolean;
}

export class OrphanCleaner {
  readonly #options: OrphanCleanerOptions;

  constructor(options: OrphanCleanerOptions) {
    this.#options = options;
  }

  /** Best effort: what cannot be removed is logged and tried at the next start. */
  async clean(): Promise<void> {
    const { pods, folders, files, logger, isKnown } = this.#options;
    const listed = async (path: string): Promise<readonly string[]> =>
      (await files.stat(path)) === undefined ? [] : files.list(path);
    const onDisk = [...(await listed(folders.pods)), ...(await listed(folders.memoryPods))];
    const orphans = [...new Set([...pods.uids(), ...onDisk])].filter((uid) => !isKnown(uid));
    await Promise.all(
      orphans.map((uid) =>
        this.#remove(uid).catch((e: unknown) =>
          logger.warn({ podUid: uid, err: e }, 'could not remove an orphaned pod'),
        ),
      ),
    );
  }

  async #remove(uid: string): Promise<void> {
    const { runtime, pods, volumes, cgroups, files, folders, logger } = this.#options;
    logger.info({ podUid: uid }, 'removing an orphaned pod');
    const found = await pods.get(uid);
    const running = found.containers.filter(({ state }) => state === 'running' || state === 'unknown');
    await Promise.all(running.map(({ id }) => runtime.stopContainer(id, GRACE_SECONDS)));
    for (const { id } of found.sandboxes) {
      await runtime.stopPodSandbox(id);
      await runtime.removePodSandbox(id);
    }
    await volumes.unmount(uid);
    await cgroups.remove(uid);
    await files.remove(folders.pod(uid));
    pods.forget(uid);
  }
}
