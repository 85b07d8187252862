/**
 * One JSON file per record, replaced by rename. Not synced to the disk: what the records describe (processes, mounts)
 * does not outlive the machine either; a record cut by a crash is dropped.
 */
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export class RecordStore<T extends { readonly id: string }> {
  readonly #directory: string;
  readonly #records = new Map<string, T>();
  /** The last write of each record: one at a time, in order. */
  readonly #writes = new Map<string, Promise<void>>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  async open(): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    for (const name of await readdir(this.#directory)) {
      if (!name.endsWith('.json')) continue;
      const record = await this.#read(name);
      if (record !== undefined) this.#records.set(record.id, record);
    }
  }

  async #read(name: string): Promise<T | undefined> {
    try {
      return JSON.parse(await readFile(join(this.#directory, name), 'utf8')) as T;
    } catch (e) {
      if (!(e instanceof SyntaxError)) throw e;
      await rm(join(this.#directory, name), { force: true });
      return undefined;
    }
  }

  get(id: string): T | undefined {
    return this.#records.get(id);
  }

  list(): readonly T[] {
    return [...this.#records.values()];
  }

  /** In memory at once; resolves when it is in the file. */
  put(record: T): Promise<void> {
    this.#records.set(record.id, record);
    return this.#enqueue(record.id, async () => {
      const path = join(this.#directory, `${record.id}.json`);
      // Environments have secrets in them.
      await writeFile(`${path}.tmp`, JSON.stringify(record), { mode: 0o600 });
      await rename(`${path}.tmp`, path);
    });
  }

  remove(id: string): Promise<void> {
    this.#records.delete(id);
    return this.#enqueue(id, () => rm(join(this.#directory, `${id}.json`), { force: true }));
  }

  #enqueue(id: string, write: () => Promise<void>): Promise<void> {
    const previous = this.#writes.get(id) ?? Promise.resolve();
    const next = previous.then(write, write);
    this.#writes.set(id, next);
    const forget = (): void => {
      if (this.#writes.get(id) === next) this.#writes.delete(id);
    };
    next.then(forget, forget);
    return next;
  }
}
