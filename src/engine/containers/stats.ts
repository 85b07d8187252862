import { lstatSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, MonotonicMs } from '#platform';
import type { ContainerStats } from '#cri';
import type { SnapshotStore } from '../snapshots/snapshot-store.ts';
import { cgroupUsage } from './cgroups.ts';
import type { ContainerRecord } from './container-record.ts';
import { stateOf } from './container-view.ts';

/** A writable layer is measured at most this often: it means looking at every file in it. */
const MEASURE_EVERY_MS = 30_000;

export interface ContainerStatsOptions {
  readonly containers: { list(): readonly ContainerRecord[] };
  readonly snapshots: SnapshotStore;
  readonly clock: Clock;
  readonly nanos: () => bigint;
}

/** What running containers use; asked on demand, nothing is measured meanwhile. */
export class ContainerStatsReader {
  readonly #options: ContainerStatsOptions;
  readonly #layers = new Map<string, { readonly at: MonotonicMs; readonly bytes: number }>();

  constructor(options: ContainerStatsOptions) {
    this.#options = options;
  }

  async list(): Promise<readonly ContainerStats[]> {
    const { containers, nanos } = this.#options;
    const running = containers.list().filter((record) => stateOf(record) === 'CONTAINER_RUNNING');
    const alive = new Set(running.map((record) => record.id));
    for (const id of this.#layers.keys()) if (!alive.has(id)) this.#layers.delete(id);
    const stats: ContainerStats[] = [];
    for (const { id, sandboxId, config, cgroup } of running) {
      const usage = cgroupUsage(cgroup);
      if (usage === undefined) continue;
      const writableLayerBytes = await this.#writableBytes(id);
      stats.push({
        id,
        podSandboxId: sandboxId,
        name: config.metadata.name,
        timestamp: nanos(),
        ...usage,
        writableLayerBytes,
      });
    }
    return stats;
  }

  async #writableBytes(id: string): Promise<number> {
    const now = this.#options.clock.monotonic();
    const known = this.#layers.get(id);
    if (known !== undefined && now - known.at < MEASURE_EVERY_MS) return known.bytes;
    const bytes = await folderBytes(this.#options.snapshots.upperPath(id));
    this.#layers.set(id, { at: now, bytes });
    return bytes;
  }
}

const BLOCK_BYTES = 512;

/** Bytes on the disk below a folder that others may be changing. */
export async function folderBytes(folder: string): Promise<number> {
  let bytes = 0;
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const path = join(folder, entry.name);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) continue;
    bytes += (stats.blocks ?? 0) * BLOCK_BYTES;
    if (stats.isDirectory()) bytes += await folderBytes(path);
  }
  return bytes;
}
