/**
 * Which images are here and how they are called. One JSON file, replaced as a whole at every change: a node has tens
 * of images and changes them rarely, and a file can be read by people.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { isDigest, parseDigest } from '../content/media-types.ts';
import { parseReference, referenceName, repositoryName } from './reference.ts';
import type { Digest } from '../content/media-types.ts';

export interface ImageRecord {
  /** Digest of the config: the image id. */
  readonly id: Digest;
  /** Digests of what must stay for this image: index, manifest, config, layers. */
  readonly content: readonly Digest[];
  readonly manifest: Digest;
  readonly layers: readonly Digest[];
  /** Uncompressed layers, bottom first. */
  readonly diffIds: readonly Digest[];
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  /** Of the blobs. */
  readonly sizeBytes: number;
  readonly user: string;
  readonly pinned: boolean;
}

/** What is known of an image apart from its names. */
export type ImageFacts = Omit<ImageRecord, 'repoTags' | 'repoDigests' | 'pinned'> & {
  readonly pinned?: boolean;
};

export class ImageDatabase {
  readonly #path: string;
  readonly #images = new Map<Digest, ImageRecord>();
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  async open(): Promise<void> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw e;
    }
    for (const record of JSON.parse(text) as ImageRecord[]) this.#images.set(record.id, record);
  }

  list(): readonly ImageRecord[] {
    return [...this.#images.values()];
  }

  /** By id (with or without `sha256:`), tag or digest reference. */
  find(image: string): ImageRecord | undefined {
    const id = /^[0-9a-f]{64}$/.test(image) ? `sha256:${image}` : image;
    if (isDigest(id)) return this.#images.get(id);
    let name: string;
    try {
      name = referenceName(parseReference(image));
    } catch {
      return undefined;
    }
    return this.list().find((r) => r.repoTags.includes(name) || r.repoDigests.includes(name));
  }

  /** Adds names to an image; a tag moves here from the image that had it. */
  async put(facts: ImageFacts, image: string, resolved: Digest): Promise<ImageRecord> {
    const reference = parseReference(image);
    const digestName = `${repositoryName(reference)}@${resolved}`;
    const tags = reference.digest === undefined ? [referenceName(reference)] : [];
    for (const other of this.list()) {
      if (other.id === facts.id || !tags.some((tag) => other.repoTags.includes(tag))) continue;
      this.#images.set(other.id, { ...other, repoTags: other.repoTags.filter((tag) => !tags.includes(tag)) });
    }
    const known = this.#images.get(facts.id);
    const record: ImageRecord = {
      ...facts,
      content: [...new Set([...(known?.content ?? []), ...facts.content])],
      repoTags: [...new Set([...(known?.repoTags ?? []), ...tags])],
      repoDigests: [...new Set([...(known?.repoDigests ?? []), digestName])],
      pinned: facts.pinned ?? known?.pinned ?? false,
    };
    this.#images.set(record.id, record);
    await this.#save();
    return record;
  }

  async remove(id: string): Promise<void> {
    if (this.#images.delete(parseDigest(id))) await this.#save();
  }

  /** One write at a time; each writes what is true when its turn comes. */
  #save(): Promise<void> {
    this.#writing = this.#writing.then(
      () => this.#write(),
      () => this.#write(),
    );
    return this.#writing;
  }

  async #write(): Promise<void> {
    const temporary = `${this.#path}.tmp`;
    await writeFile(temporary, JSON.stringify(this.list(), null, 1), { flush: true });
    await rename(temporary, this.#path);
  }
}
