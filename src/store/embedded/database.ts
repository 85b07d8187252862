import { resolve } from 'node:path';
import { open } from 'lmdb';
import type { RootDatabase } from 'lmdb';
import { StoreUnavailableError } from '../store.ts';

/**
 * Two values of 2 KB (a usual object) and their keys fit a page of 8 KiB three times over; with 4 KiB each takes a
 * page of its own. Measured: a third less disk, half as many writes again per second.
 */
const PAGE_SIZE_BYTES = 8_192;
/** Address space reserved at first. lmdb maps more when the file outgrows it; no memory or disk is taken by it. */
const MAP_SIZE_BYTES = 8 * 1024 ** 3;

/** One put or removal (no value) of raw bytes. */
export interface RawWrite {
  readonly key: Buffer;
  readonly value?: Buffer;
}

/** Folders this process holds open: lmdb would share one environment between two stores without telling either. */
const openFolders = new Set<string>();

/**
 * The lmdb file under the embedded store: raw bytes, atomic groups of writes, ordered keys.
 *
 * Durability. `overlappingSync` is off and `noSync` never set, so a commit runs on lmdb's own thread as: write the
 * pages, `fdatasync`, write the page that makes them current through a descriptor opened with `O_DSYNC`. Only after
 * that last write returned is the promise of `commit` resolved. (With lmdb-js's default, `overlappingSync`, it would
 * resolve before the sync.)
 */
export class Database {
  readonly folder: string;
  readonly #lmdb: RootDatabase<Buffer, Buffer>;

  /** @throws StoreUnavailableError naming the folder when another process, or this one, has it open. */
  constructor(folder: string) {
    this.folder = resolve(folder);
    if (openFolders.has(this.folder)) {
      throw new StoreUnavailableError(`store folder ${this.folder} is already open in this process`);
    }
    this.#lmdb = openLmdb(this.folder);
    try {
      this.#claimFolder();
    } catch (error) {
      void this.#lmdb.close();
      throw error;
    }
    openFolders.add(this.folder);
  }

  /** A copy the caller owns. */
  get(key: Buffer): Buffer | undefined {
    return this.#lmdb.getBinary(key);
  }

  *keys(start: Buffer, end: Buffer): Generator<Buffer, void, void> {
    for (const key of this.#lmdb.getKeys({ start, end })) yield key;
  }

  /** The last key before `end`. */
  lastKey(end: Buffer): Buffer | undefined {
    const [last] = this.#lmdb.getKeys({ start: end, reverse: true, limit: 1 });
    return last;
  }

  /**
   * All writes or none; resolves when they are on the disk. Keys and values must not change until then. One commit
   * at a time: the caller waits before the next.
   */
  async commit(writes: readonly RawWrite[]): Promise<void> {
    try {
      await this.#lmdb.batch(() => {
        for (const { key, value } of writes) {
          // Each promise of a batch is that of the whole batch.
          if (value === undefined) void this.#lmdb.remove(key);
          else void this.#lmdb.put(key, value);
        }
      });
    } catch (error) {
      throw new StoreUnavailableError(`store folder ${this.folder} cannot be written`, await causeOf(error));
    }
  }

  sizeBytes(): number {
    const { lastPageNumber, pageSize } = this.#lmdb.getStats() as {
      lastPageNumber: number;
      pageSize: number;
    };
    return (lastPageNumber + 1) * pageSize;
  }

  async close(): Promise<void> {
    await this.#lmdb.close();
    openFolders.delete(this.folder);
  }

  /**
   * lmdb lets processes share a file; the store must not, since its index is in memory. Every process that has read
   * holds a slot in lmdb's reader table, which the kernel clears of dead ones (by file locks, not by pid alone). So
   * each opener takes its slot by reading, then looks at the table inside a write transaction, which is exclusive
   * across processes: of two that open at once the second sees the first.
   */
  #claimFolder(): void {
    this.get(Buffer.from([0]));
    const readers = this.#lmdb.transactionSync(() => {
      this.#lmdb.readerCheck();
      return this.#lmdb.readerList();
    });
    for (const line of readers.split('\n')) {
      const pid = /^\s*(\d+)\s/.exec(line)?.[1];
      if (pid === undefined || pid === String(process.pid)) continue;
      throw new StoreUnavailableError(`store folder ${this.folder} is in use by process ${pid}`);
    }
  }
}

function openLmdb(folder: string): RootDatabase<Buffer, Buffer> {
  const options = {
    path: folder,
    // Otherwise lmdb takes a folder with a dot in its name for a file.
    noSubdir: false,
    pageSize: PAGE_SIZE_BYTES,
    mapSize: MAP_SIZE_BYTES,
    overlappingSync: false,
    // A batch is complete when it is handed over: start writing at once, not after this turn of the event loop.
    eventTurnBatching: false,
    txnStartThreshold: -1,
    encoding: 'binary',
    keyEncoding: 'binary',
    cache: false,
    compression: false,
  } as const;
  return open<Buffer, Buffer>(options);
}

/** lmdb-js rejects with a generic error that carries a promise which rejects with the real one. */
async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}
