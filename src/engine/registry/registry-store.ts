import { readFile, rename, writeFile } from 'node:fs/promises';
import type { ContentStore } from '../content/content-store.ts';
import { isIndexType, mediaTypeOf } from '../content/media-types.ts';
import type { Descriptor, Digest, ImageIndex, ImageManifest } from '../content/media-types.ts';

interface ManifestRecord {
  readonly mediaType: string;
  readonly size: number;
  /** What it refers to. */
  readonly content: readonly Digest[];
}

interface Repository {
  readonly tags: Record<string, Digest>;
  readonly manifests: Record<string, ManifestRecord>;
}

/** Names of a registry: which repository has which manifests, and what they are tagged. The bytes are in the store. */
export class RegistryStore {
  readonly #path: string;
  readonly #content: ContentStore;
  #repositories: Record<string, Repository> = {};
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, content: ContentStore) {
    this.#path = path;
    this.#content = content;
  }

  async open(): Promise<void> {
    try {
      this.#repositories = JSON.parse(await readFile(this.#path, 'utf8')) as Record<string, Repository>;
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== 'ENOENT') throw e;
    }
  }

  /** Undefined when the repository has no such tag or digest. */
  find(repository: string, reference: string): Descriptor | undefined {
    const known = this.#repositories[repository];
    if (known === undefined || !Object.hasOwn(this.#repositories, repository)) return undefined;
    const digest = Object.hasOwn(known.tags, reference) ? known.tags[reference] : (reference as Digest);
    if (digest === undefined || !Object.hasOwn(known.manifests, digest)) return undefined;
    const manifest = known.manifests[digest];
    return manifest === undefined
      ? undefined
      : { digest, mediaType: manifest.mediaType, size: manifest.size };
  }

  /**
   * Takes in a manifest whose blobs are here.
   * @throws Error naming the first blob that is missing.
   */
  async put(
    repository: string,
    reference: string,
    bytes: Buffer,
    mediaType: string | undefined,
  ): Promise<Digest> {
    const document = JSON.parse(bytes.toString()) as ImageManifest | ImageIndex;
    const type = mediaType ?? mediaTypeOf(document);
    const content = isIndexType(type)
      ? (document as ImageIndex).manifests.map((entry) => entry.digest)
      : [(document as ImageManifest).config, ...(document as ImageManifest).layers].map(
          (blob) => blob.digest,
        );
    for (const digest of content) {
      if ((await this.#content.sizeOf(digest)) === undefined)
        throw new Error(`blob unknown to registry: ${digest}`);
    }
    const { digest, size } = await this.#content.writeBytes(bytes, type);
    const repositoryRecord = Object.hasOwn(this.#repositories, repository)
      ? this.#repositories[repository]
      : undefined;
    const known = repositoryRecord ?? { tags: {}, manifests: {} };
    known.manifests[digest] = { mediaType: type, size, content };
    if (reference !== digest) known.tags[reference] = digest;
    this.#repositories[repository] = known;
    await this.#save();
    return digest;
  }

  async removeManifest(repository: string, digest: Digest): Promise<boolean> {
    const known = this.#repositories[repository];
    if (known === undefined || !Object.hasOwn(known.manifests, digest)) return false;
    delete known.manifests[digest];
    for (const [tag, target] of Object.entries(known.tags)) if (target === digest) delete known.tags[tag];
    await this.#save();
    return true;
  }

  tags(repository: string): readonly string[] | undefined {
    const known = Object.hasOwn(this.#repositories, repository) ? this.#repositories[repository] : undefined;
    return known === undefined ? undefined : Object.keys(known.tags).sort();
  }

  repositories(): readonly string[] {
    return Object.keys(this.#repositories).sort();
  }

  /** Everything that must stay in the store. */
  contentInUse(): readonly Digest[] {
    return Object.values(this.#repositories).flatMap(({ manifests }) =>
      Object.entries(manifests).flatMap(([digest, { content }]) => [digest as Digest, ...content]),
    );
  }

  #save(): Promise<void> {
    const write = async (): Promise<void> => {
      await writeFile(`${this.#path}.tmp`, JSON.stringify(this.#repositories), { flush: true });
      await rename(`${this.#path}.tmp`, this.#path);
    };
    this.#writing = this.#writing.then(write, write);
    return this.#writing;
  }
}
