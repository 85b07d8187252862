/** The container engine put together: everything one node needs to have images and run containers. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Logger, Random } from '#platform';
import type { ContainerEvent, ImageService, RuntimeService, SandboxNetwork } from '#cri';
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
import { hostPlatform } from './content/platform-choice.ts';
import { Puller } from './distribution/puller.ts';
import type { RegistryConfiguration } from './distribution/registry-configuration.ts';
import { enginePaths } from './engine-paths.ts';
import { EventHub } from './event-hub.ts';
import { EngineImageService } from './image-service.ts';
import { ImageDatabase } from './images/image-database.ts';
import type { ImageRecord } from './images/image-database.ts';
import { Images } from './images/images.ts';
import { assertSystemCallsWork } from './kernel/libc.ts';
import { nanosSource } from './nanos.ts';
import { RecordStore } from './record-store.ts';
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

export interface Engine {
  readonly runtime: RuntimeService;
  readonly images: ImageService;
  /** `k8ts.local/base`: busybox with every applet. Made once. */
  makeBaseImage(): Promise<ImageRecord>;
  /** `k8ts.local/python3`, `k8ts.local/node`: the machine's interpreter on top of the base. Made once. */
  makeHostRuntimeImage(runtime: HostRuntime): Promise<ImageRecord>;
  /** Takes away content and layers that no image and no container needs; returns the bytes freed. */
  pruneImages(): Promise<number>;
  /** Lets go. Containers run on, and the next engine with the same folders takes them over. */
  close(): void;
  /** Ends and removes everything this engine or an earlier one of the same folders made, the images too. */
  cleanup(): Promise<void>;
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
  const puller = new Puller({
    content,
    images,
    configuration: options.registries ?? {},
    clock,
    logger,
    makeLocal,
  });

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
    puller,
    containers,
  });

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
    pruneImages: () => imageService.prune(),
    close: () => containers.close(),
    async cleanup() {
      containers.close();
      await cleanUp({
        paths,
        sandboxes: sandboxRecords.list(),
        containers: containerRecords.list(),
        network: options.network,
        logger,
      });
      await rm(rootDir, { recursive: true, force: true });
    },
  };
}
