import { readFile, rename, writeFile } from 'node:fs/promises';
import type { Descriptor, Digest } from '../content/media-types.ts';

/** A layer that an instruction made. */
export interface BuiltLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  readonly sizeBytes: number;
  readonly entries: number;
}

/** Instructions remembered; the ones longest unused are forgotten. */
const ENTRIES_MAX = 1000;

/** Which instruction on top of what made which layer. A key holds everything the layer depends on. */
export class BuildCache {
  readonly #path: string;
  /** In order of use. */
  readonly #entries = new Map<string, BuiltLayer | null>();

  #writing: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  async open(): Promise<void> {
    try {
      const entries = JSON.parse(await readFile(this.#path, 'utf8')) as [string, BuiltLayer | null][];
      for (const [key, layer] of entries) this.#entries.set(key, layer);
    } catch (e) {
      // Absent, or cut by a crash: builds start anew.
      if ((e as NodeJS.ErrnoException).code !== 'ENOENT' && !(e instanceof SyntaxError)) throw e;
    }
  }

  /** Null: the instruction was done and changed no file. Undefined: never done. */
  get(key: string): BuiltLayer | null | undefined {
    const layer = this.#entries.get(key);
    if (layer === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, layer);
    return layer;
  }

  async put(key: string, layer: BuiltLayer | null): Promise<void> {
    this.#entries.delete(key);
    this.#entries.set(key, layer);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= ENTRIES_MAX) break;
      this.#entries.delete(oldest);
    }
    await this.#save();
  }

  async clear(): Promise<void> {
    this.#entries.clear();
    await this.#save();
  }

  /** One write at a time; builds may run side by side. */
  #save(): Promise<void> {
    const write = async (): Promise<void> => {
      await writeFile(`${this.#path}.tmp`, JSON.stringify([...this.#entries]));
      await rename(`${this.#path}.tmp`, this.#path);
    };
    this.#writing = this.#writing.then(write, write);
    return this.#writing;
  }

  layers(): readonly BuiltLayer[] {
    return [...this.#entries.values()].filter((layer) => layer !== null);
  }
}
