/** The images of this machine: content, unpacked layers and names together. */
import type { Readable } from 'node:stream';
import type { ContentStore } from '../content/content-store.ts';
import { isIndexType, mediaTypeOf } from '../content/media-types.ts';
import { assertRunsOn, choosePlatform } from '../content/platform-choice.ts';
import type {
  Descriptor,
  Digest,
  ImageConfig,
  ImageIndex,
  ImageManifest,
  Platform,
} from '../content/media-types.ts';
import type { ImageDatabase, ImageRecord } from './image-database.ts';
import type { SnapshotStore } from '../snapshots/snapshot-store.ts';

export interface ImagesOptions {
  readonly content: ContentStore;
  readonly snapshots: SnapshotStore;
  readonly database: ImageDatabase;
  readonly platform: Platform;
}

/** An image whose documents are here; its layers may not be. */
export interface ResolvedImage {
  /** What a name led to: an index or the manifest itself. */
  readonly resolved: Digest;
  readonly manifestDescriptor: Descriptor;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
}

/** Configs kept decoded; containers of the same few images are made over and over. */
const CONFIG_CACHE_SIZE = 64;

export class Images {
  readonly #options: ImagesOptions;
  readonly #configs = new Map<Digest, ImageConfig>();
  #holders = 0;

  constructor(options: ImagesOptions) {
    this.#options = options;
  }

  /** While held, content that no image names yet (of a pull, a build, an import) is not taken for garbage. */
  hold(): () => void {
    this.#holders++;
    let held = true;
    return () => {
      if (held) this.#holders--;
      held = false;
    };
  }

  get isHeld(): boolean {
    return this.#holders > 0;
  }

  find(image: string): ImageRecord | undefined {
    return this.#options.database.find(image);
  }

  list(): readonly ImageRecord[] {
    return this.#options.database.list();
  }

  async config(image: ImageRecord): Promise<ImageConfig> {
    const cached = this.#configs.get(image.id);
    if (cached !== undefined) return cached;
    const config = await this.#options.content.readJson<ImageConfig>(image.id);
    const [oldest] = this.#configs.keys();
    if (oldest !== undefined && this.#configs.size >= CONFIG_CACHE_SIZE) this.#configs.delete(oldest);
    this.#configs.set(image.id, config);
    return config;
  }

  manifest(image: ImageRecord): Promise<ImageManifest> {
    return this.#options.content.readJson<ImageManifest>(image.manifest);
  }

  /**
   * Follows an index to the manifest of this machine's platform. `fetch` brings a document that is not here yet.
   * @throws PlatformError when the image is not for this machine.
   */
  async resolve(
    root: Descriptor,
    fetch: (document: Descriptor) => Promise<void>,
    platform: Platform = this.#options.platform,
  ): Promise<ResolvedImage> {
    const { content } = this.#options;
    await fetch(root);
    let descriptor = root;
    let document = await content.readJson<ImageIndex | ImageManifest>(root.digest);
    // An index may list indexes; nobody nests them deeper than this.
    for (let depth = 0; isIndexType(mediaTypeOf(document)) && depth < 3; depth++) {
      descriptor = choosePlatform(document as ImageIndex, platform);
      await fetch(descriptor);
      document = await content.readJson(descriptor.digest);
    }
    const manifest = document as ImageManifest;
    await fetch(manifest.config);
    const config = await content.readJson<ImageConfig>(manifest.config.digest);
    assertRunsOn(config, platform);
    return { resolved: root.digest, manifestDescriptor: descriptor, manifest, config };
  }

  /** Unpacks layers whose blobs are here, bottom first, and gives the image its name. */
  async register(
    image: ResolvedImage,
    name: string,
    options: { readonly pinned?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<ImageRecord> {
    const { database } = this.#options;
    const { manifest, manifestDescriptor, config, resolved } = image;
    for (const index of manifest.layers.keys()) await this.unpackLayer(image, index, options.signal);
    const layers = manifest.layers.map((layer) => layer.digest);
    const blobs = [manifestDescriptor, manifest.config, ...manifest.layers];
    return database.put(
      {
        id: manifest.config.digest,
        content: [...new Set([resolved, ...blobs.map((blob) => blob.digest)])],
        manifest: manifestDescriptor.digest,
        layers,
        diffIds: config.rootfs.diff_ids,
        sizeBytes: blobs.reduce((sum, blob) => sum + blob.size, 0),
        user: config.config?.User ?? '',
        ...(options.pinned === undefined ? {} : { pinned: options.pinned }),
      },
      name,
      resolved,
    );
  }

  async unpackLayer({ manifest, config }: ResolvedImage, index: number, signal?: AbortSignal): Promise<void> {
    const { content, snapshots } = this.#options;
    const layer = manifest.layers[index];
    if (layer === undefined || config.rootfs.diff_ids[index] === undefined) {
      throw new Error(`the image's config does not know layer ${index}`);
    }
    const source = (): Readable => content.read(layer.digest);
    await snapshots.unpack(config.rootfs.diff_ids.slice(0, index + 1), source, { signal });
  }
}
