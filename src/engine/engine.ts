/** The container engine put together: everything one node needs to have images and run containers. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Clock, Logger, Random } from '#platform';
import type { ContainerEvent, ImageService, RuntimeService, SandboxNetwork } from '#cri';
import { BuildCache } from './build/build-cache.ts';
import { buildImage } from './build/builder.ts';
import type { BuildOptions, BuilderOptions } from './build/builder.ts';
import { BASE_IMAGE, makeBaseImage } from './build/base-image.ts';
import { hostRuntimeImageName, makeHostRuntimeImage } from './build/host-runtime-image.ts';
import type { HostRuntime } from './build/host-runtime-image.ts';
import { cleanUp } from './clean-up.ts';
import { ContainerPreparation } from './containers/container-preparation.ts';
import { Containers } from './containers/containers.ts';
import { Monitor } from './containers/monitor.ts';
import { Runc } from './containers/runc.ts';
import { ContainerStatsReader } from './containers/stats.ts';
import type { ContainerRecord } from './containers/container-record.ts';
import { ContentStore } from './content/content-store.ts';
import { isDigest, mediaTypeOf } from './content/media-types.ts';
import type { Descriptor } from './content/media-types.ts';
import { hostPlatform } from './content/platform-choice.ts';
import { LOCAL_REGISTRY, Puller } from './distribution/puller.ts';
import { pushImage } from './distribution/pusher.ts';
import type { PushOptions } from './distribution/pusher.ts';
import type { RegistryConfiguration } from './distribution/registry-configuration.ts';
import { enginePaths } from './engine-paths.ts';
import { EventHub } from './event-hub.ts';
import { EngineImageService } from './image-service.ts';
import { ImageDatabase } from './images/image-database.ts';
import type { ImageRecord } from './images/image-database.ts';
import { exportArchive, importArchive } from './images/image-archive.ts';
import { Images } from './images/images.ts';
import { assertSystemCallsWork } from './kernel/libc.ts';
import { nanosSource } from './nanos.ts';
import { RecordStore } from './record-store.ts';
import { serveRegistry } from './registry/registry-server.ts';
import type { RegistryServer, RegistryServerOptions } from './registry/registry-server.ts';
import { RegistryStore } from './registry/registry-store.ts';
import { EngineRuntimeService } from './runtime-service.ts';
import { PauseProcesses } from './sandbox/pause-processes.ts';
import { Sandboxes } from './sandbox/sandboxes.ts';
import type { SandboxRecord } from './sandbox/sandbox-record.ts';
import { SnapshotStore } from './snapshots/snapshot-store.ts';

export interface EngineOptions {
  /** On a disk: images, layers, records. One engine at a time. */
  readonly rootDir: string;
  /** On a tmpfs, such as `/run/k8ts/<cluster>/<node>`: namespaces, bundles, sockets. Short: sockets live below. */
  readonly stateDir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Absent: pods have their loopback only. */
  readonly network?: SandboxNetwork;
  readonly registries?: RegistryConfiguration;
}

/** Who may use the registry and how. */
export type RegistryOptions = Pick<RegistryServerOptions, 'credentials' | 'tls'>;

export interface Engine {
  readonly runtime: RuntimeService;
  readonly images: ImageService;
  /** `k8ts.local/base`: busybox with every applet. Made once. */
  makeBaseImage(): Promise<ImageRecord>;
  /** `k8ts.local/python3`, `k8ts.local/node`: the machine's interpreter on top of the base. Made once. */
  makeHostRuntimeImage(runtime: HostRuntime): Promise<ImageRecord>;
  /** Builds an image from a Dockerfile. */
  build(options: BuildOptions): Promise<ImageRecord>;
  /** Sends an image to its registry, or under another name to another. Returns the manifest's digest. */
  push(image: string, options?: PushOptions): Promise<string>;
  /** Takes in the images of a tar (`docker save`, OCI layout), compressed or not. */
  importArchive(
    source: Readable,
    options?: { readonly name?: string; readonly signal?: AbortSignal },
  ): Promise<readonly ImageRecord[]>;
  /** The same images as a tar. */
  exportArchive(names: readonly string[]): Readable;
  /** Serves what is pushed to it, and `k8ts.local` images that were built here, to whoever can reach it. */
  serveRegistry(
    at: { readonly host: string; readonly port: number },
    options?: RegistryOptions,
  ): Promise<RegistryServer>;
  /** Takes away content and layers that no image and no container needs, and the build cache; returns the bytes freed. */
  pruneImages(): Promise<number>;
  /** Lets go. Containers run on, and the next engine with the same folders takes them over. */
  close(): void;
  /**
   * Ends and removes everything this engine or an earlier one of the same folders made. `keepImages`: what was pulled
   * and built stays for the next engine.
   */
  cleanup(options?: { readonly keepImages?: boolean }): Promise<void>;
}

const ID_BYTES = 32;

/** @throws RuntimeError UNAVAILABLE or Error saying what the machine lacks. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  assertSystemCallsWork();
  const { rootDir, stateDir, clock, random, logger } = options;
  const paths = enginePaths(rootDir, stateDir);
  for (const folder of [rootDir, stateDir, paths.runcRoot])
    await mkdir(folder, { recursive: true, mode: 0o711 });
  const nanos = nanosSource(clock);
  const newId = (): string => Buffer.from(random.bytes(ID_BYTES)).toString('hex');
  const events = new EventHub<ContainerEvent>(logger);

  const content = new ContentStore({ directory: join(rootDir, 'content'), random });
  const snapshots = new SnapshotStore(rootDir);
  const database = new ImageDatabase(paths.images);
  const sandboxRecords = new RecordStore<SandboxRecord>(paths.sandboxRecords);
  const containerRecords = new RecordStore<ContainerRecord>(paths.containerRecords);
  await Promise.all([
    content.open(),
    snapshots.open(),
    database.open(),
    sandboxRecords.open(),
    containerRecords.open(),
  ]);

  const platform = hostPlatform();
  const images = new Images({ content, snapshots, database, platform });
  const baseOptions = { content, images, platform };
  const makeLocal = async (name: string): Promise<ImageRecord | undefined> => {
    if (name === BASE_IMAGE) return makeBaseImage(baseOptions);
    const runtime = (['python3', 'node'] as const).find(
      (candidate) => hostRuntimeImageName(candidate) === name,
    );
    return runtime === undefined ? undefined : makeHostRuntimeImage(baseOptions, runtime);
  };
  const transfer = { content, images, configuration: options.registries ?? {}, clock, logger };
  const puller = new Puller({
    content,
    images,
    configuration: options.registries ?? {},
    clock,
    logger,
    makeLocal,
  });

  const registryStore = new RegistryStore(join(rootDir, 'registry.json'), content);
  const buildCache = new BuildCache(join(rootDir, 'build-cache.json'));
  await Promise.all([registryStore.open(), buildCache.open()]);

  const runc = new Runc(paths.runcRoot);
  const monitor = new Monitor({ runcPath: runc.path, runcRoot: runc.root, exits: paths.exits });
  const pause = new PauseProcesses(paths, monitor, runc, clock);
  const sandboxes = new Sandboxes({
    paths,
    records: sandboxRecords,
    network: options.network,
    pause,
    nanos,
    newId,
    logger,
  });
  await sandboxes.open();
  const preparation = new ContainerPreparation({ paths, images, snapshots, logger });
  const containers = new Containers({
    paths,
    records: containerRecords,
    sandboxes,
    preparation,
    monitor,
    runc,
    clock,
    nanos,
    newId,
    emit: (event) => events.emit(event),
    logger,
  });
  await containers.open();
  const stats = new ContainerStatsReader({ containers, snapshots, clock, nanos });
  const imageService = new EngineImageService({
    root: rootDir,
    content,
    snapshots,
    database,
    images,
    containers,
    puller,
    contentInUse: () => [
      ...registryStore.contentInUse(),
      ...buildCache.layers().map((layer) => layer.descriptor.digest),
    ],
  });
  const builder: BuilderOptions = {
    content,
    snapshots,
    images,
    puller,
    runc,
    cache: buildCache,
    platform,
    work: join(stateDir, 'builds'),
    caches: join(rootDir, 'build-mounts'),
    newId: () => newId().slice(0, 16),
  };
  const registryImage = async (repository: string, reference: string): Promise<Descriptor | undefined> => {
    const separator = isDigest(reference) ? '@' : ':';
    const record = images.find(`${LOCAL_REGISTRY}/${repository}${separator}${reference}`);
    const digest = isDigest(reference) ? reference : record?.manifest;
    const size = record === undefined || digest === undefined ? undefined : await content.sizeOf(digest);
    if (digest === undefined || size === undefined) return undefined;
    return { digest, size, mediaType: mediaTypeOf(await content.readJson(digest)) };
  };

  return {
    runtime: new EngineRuntimeService({
      paths,
      sandboxes,
      sandboxRecords,
      containers,
      images,
      stats,
      runc,
      events,
      clock,
    }),
    images: imageService,
    makeBaseImage: () => makeBaseImage(baseOptions),
    makeHostRuntimeImage: (runtime) => makeHostRuntimeImage(baseOptions, runtime),
    build: (options) => buildImage(builder, options),
    push: (image, pushOptions) => pushImage(transfer, image, pushOptions),
    importArchive: (source, importOptions) => importArchive({ content, images }, source, importOptions),
    exportArchive: (names) => exportArchive({ content, images }, names),
    serveRegistry: (at, registryOptions) =>
      serveRegistry(
        {
          content,
          store: registryStore,
          clock,
          random,
          logger,
          findLocal: registryImage,
          ...registryOptions,
        },
        at,
      ),
    async pruneImages() {
      await buildCache.clear();
      return imageService.prune();
    },
    close: () => containers.close(),
    async cleanup({ keepImages = false } = {}) {
      containers.close();
      await cleanUp({
        paths,
        sandboxes: sandboxRecords.list(),
        containers: containerRecords.list(),
        network: options.network,
        logger,
      });
      const gone = keepImages
        ? [paths.sandboxRecords, paths.containerRecords, paths.volumes, join(rootDir, 'writable')]
        : [rootDir];
      for (const folder of gone) await rm(folder, { recursive: true, force: true });
    },
  };
}
