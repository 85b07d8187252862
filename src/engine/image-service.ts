import { RuntimeError } from '#cri';
import type { CallOptions, Image, ImageService, RegistryAuth } from '#cri';
import type { ContainerRecord } from './containers/container-record.ts';
import type { ContentStore } from './content/content-store.ts';
import type { Digest } from './content/media-types.ts';
import type { Puller } from './distribution/puller.ts';
import type { ImageDatabase, ImageRecord } from './images/image-database.ts';
import type { Images } from './images/images.ts';
import { chainIds } from './snapshots/snapshot-store.ts';
import type { SnapshotStore } from './snapshots/snapshot-store.ts';

export interface ImageServiceOptions {
  readonly root: string;
  readonly content: ContentStore;
  readonly snapshots: SnapshotStore;
  readonly database: ImageDatabase;
  readonly images: Images;
  readonly puller: Puller;
  readonly containers: { list(): readonly ContainerRecord[] };
  /** What others keep in the content store: the registry, the build cache. */
  readonly contentInUse: () => readonly Digest[];
}

/** Images as the kubelet sees them. */
export class EngineImageService implements ImageService {
  readonly #options: ImageServiceOptions;

  constructor(options: ImageServiceOptions) {
    this.#options = options;
  }

  listImages(): Promise<readonly Image[]> {
    return Promise.resolve(this.#options.images.list().map(imageView));
  }

  imageStatus(image: string): Promise<Image | undefined> {
    const record = this.#options.images.find(image);
    return Promise.resolve(record === undefined ? undefined : imageView(record));
  }

  async pullImage(image: string, auth?: RegistryAuth, options?: CallOptions): Promise<string> {
    return (await this.#options.puller.pull(image, auth, options)).id;
  }

  async removeImage(image: string): Promise<void> {
    const { images, database, containers } = this.#options;
    const record = images.find(image);
    if (record === undefined) return;
    const user = containers
      .list()
      .find((c) => c.imageId === record.id || c.mountedImages.includes(record.id));
    if (user !== undefined) {
      throw new RuntimeError('FAILED_PRECONDITION', `image "${image}" is in use by container "${user.id}"`);
    }
    await database.remove(record.id);
    await this.prune();
  }

  /** Takes away content and layers that no image and no container needs. Returns the bytes freed. */
  async prune(): Promise<number> {
    const { images, containers, content, snapshots } = this.#options;
    // What is being pulled or built has no image yet.
    if (images.isHeld) return 0;
    const digests = new Set<Digest>([
      ...images.list().flatMap((image) => image.content),
      ...this.#options.contentInUse(),
    ]);
    const chains = new Set<Digest>([
      ...images.list().flatMap((image) => chainIds(image.diffIds)),
      ...containers.list().flatMap((container) => chainIds(container.diffIds)),
    ]);
    return (await content.sweep(digests)) + (await snapshots.sweep(chains));
  }

  async imageFsInfo(): ReturnType<ImageService['imageFsInfo']> {
    const { root, content, snapshots } = this.#options;
    const blobs = await content.usage();
    const layers = snapshots.usage();
    return {
      mountpoint: root,
      usedBytes: blobs.bytes + layers.bytes,
      inodesUsed: blobs.count + layers.inodes,
    };
  }
}

function imageView({ id, repoTags, repoDigests, sizeBytes, user, pinned }: ImageRecord): Image {
  const [name = ''] = user.split(':');
  const isNumber = /^\d+$/.test(name);
  return {
    id,
    repoTags,
    repoDigests,
    sizeBytes,
    ...(isNumber ? { uid: Number(name) } : {}),
    username: isNumber ? '' : name,
    pinned,
  };
}
