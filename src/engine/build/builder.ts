/** Images from Dockerfiles. */
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { mkdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { RegistryAuth } from '#cri';
import type { ContentStore } from '../content/content-store.ts';
import { parsePlatform, platformName } from '../content/platform-choice.ts';
import type { Platform } from '../content/media-types.ts';
import type { Runc } from '../containers/runc.ts';
import type { Puller } from '../distribution/puller.ts';
import type { ImageRecord } from '../images/image-database.ts';
import type { Images } from '../images/images.ts';
import { parseReference } from '../images/reference.ts';
import { unmountBelow } from '../kernel/mounts.ts';
import type { SnapshotStore } from '../snapshots/snapshot-store.ts';
import type { BuildCache } from './build-cache.ts';
import { BuildError } from './build-error.ts';
import { FileTree, contextTree } from './build-files.ts';
import { findStage, planBuild } from './build-plan.ts';
import type { BuildPlan, PlannedStage } from './build-plan.ts';
import type { BuildEvent, BuildServices } from './build-services.ts';
import { parseDockerfile } from './dockerfile-parser.ts';
import { writeImage } from './image-writer.ts';
import { Stage } from './stage.ts';
import type { StageLayer } from './stage.ts';
import { StageBuilder } from './stage-builder.ts';

export interface BuildOptions {
  /** Folder of the files that COPY takes. */
  readonly context: string;
  /** Absolute, or relative to the context. Default `Dockerfile`. */
  readonly dockerfile?: string;
  /** Names the image gets. */
  readonly tags: readonly string[];
  /** The stage to stop at; default the last. */
  readonly target?: string;
  readonly args?: Readonly<Record<string, string>>;
  /** Of RUN. Default `host`: packages have to come from somewhere. */
  readonly network?: 'none' | 'host';
  readonly noCache?: boolean;
  /** For base images. */
  readonly auth?: RegistryAuth;
  readonly onEvent?: (event: BuildEvent) => void;
  readonly signal?: AbortSignal;
}

export interface BuilderOptions {
  readonly content: ContentStore;
  readonly snapshots: SnapshotStore;
  readonly images: Images;
  readonly puller: Puller;
  readonly runc: Runc;
  readonly cache: BuildCache;
  readonly platform: Platform;
  /** Folder for the mounts of builds. */
  readonly work: string;
  readonly caches: string;
  readonly newId: () => string;
}

/** @throws BuildError naming file and line; RuntimeError for base images; the signal's reason. */
export async function buildImage(builder: BuilderOptions, options: BuildOptions): Promise<ImageRecord> {
  for (const tag of options.tags) parseReference(tag);
  const release = builder.images.hold();
  const build = new Build(builder, options);
  try {
    return await build.run();
  } finally {
    release();
    await build.dispose();
  }
}

class Build {
  readonly #builder: BuilderOptions;
  readonly #options: BuildOptions;
  readonly #folder: string;
  readonly #stages = new Map<number, Stage>();
  readonly #trees = new Map<string, Promise<FileTree>>();

  constructor(builder: BuilderOptions, options: BuildOptions) {
    this.#builder = builder;
    this.#options = options;
    this.#folder = join(builder.work, builder.newId());
  }

  async run(): Promise<ImageRecord> {
    const { context, target, onEvent } = this.#options;
    const file = resolve(context, this.#options.dockerfile ?? 'Dockerfile');
    const name = relative(context, file).startsWith('..') ? file : relative(context, file);
    const text = await readFile(file, 'utf8').catch((e: unknown) => {
      throw new BuildError({ file: name, line: 1 }, 'cannot be read', e);
    });
    const given = new Map(Object.entries(this.#options.args ?? {}));
    const plan = planBuild(parseDockerfile(text, name), given, this.#platformArguments(), target);
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const steps = plan.stages.reduce((sum, stage) => sum + 1 + stage.instructions.length, 0);
    let step = 0;
    for (const planned of plan.stages) {
      const stageName = planned.name ?? String(planned.index);
      const announce = (instruction: string): void =>
        onEvent?.({ type: 'step', stage: stageName, step: ++step, steps, instruction });
      await this.#buildStage(planned, plan, file, given, announce);
    }
    const last = plan.stages.at(-1);
    const stage = last === undefined ? undefined : this.#stages.get(last.index);
    if (stage === undefined) throw new Error('a plan has at least one stage');
    return this.#finish(stage);
  }

  #platformArguments(): Map<string, string> {
    const { platform } = this.#builder;
    const values = {
      PLATFORM: platformName(platform),
      OS: platform.os,
      ARCH: platform.architecture,
      VARIANT: platform.variant ?? '',
    };
    return new Map(
      Object.entries(values).flatMap(([key, value]) => [
        [`TARGET${key}`, value],
        [`BUILD${key}`, value],
      ]),
    );
  }

  async #buildStage(
    planned: PlannedStage,
    plan: BuildPlan,
    file: string,
    given: ReadonlyMap<string, string>,
    announce: (instruction: string) => void,
  ): Promise<void> {
    announce(planned.from.original);
    const stage = await this.#startStage(planned);
    this.#stages.set(planned.index, stage);
    const { content, snapshots, runc, cache, caches, newId } = this.#builder;
    const { context, network = 'host', noCache = false, onEvent, signal } = this.#options;
    const services: BuildServices = {
      content,
      snapshots,
      runc,
      cache,
      caches,
      newId,
      usesCache: !noCache,
      network,
      args: given,
      globalArguments: plan.globalArguments,
      folder: this.#folder,
      onEvent: (event) => onEvent?.(event),
      signal,
      tree: (from) => (from === undefined ? this.#context(context, file) : this.#source(from, planned, plan)),
      unpack: (layers) => this.#unpack(layers),
    };
    const stageBuilder = new StageBuilder(stage, services);
    for (const instruction of planned.instructions) {
      signal?.throwIfAborted();
      announce(instruction.original);
      await stageBuilder.carryOut(instruction);
    }
  }

  async #startStage(planned: PlannedStage): Promise<Stage> {
    const { index, name, base, platform, from } = planned;
    const own = this.#builder.platform;
    if (
      platform !== undefined &&
      platform !== '' &&
      platformName(parsePlatform(platform)) !== platformName(own)
    ) {
      throw new BuildError(from, `cannot build for ${platform} on ${platformName(own)}`);
    }
    if (base === 'scratch')
      return new Stage({ index, name, key: 'scratch', layers: [], history: [], config: {} });
    if ('stage' in base) {
      const before = this.#stages.get(base.stage);
      if (before === undefined) throw new BuildError(from, 'the stage it is based on was not built');
      const { key, layers, history, config } = before;
      return new Stage({ index, name, key, layers, history, config });
    }
    const image = await this.#image(base.image).catch((e: unknown) => {
      throw new BuildError(from, e instanceof Error ? e.message : String(e), e);
    });
    const { config, history = [] } = await this.#builder.images.config(image);
    const layers = await this.#layersOf(image);
    return new Stage({ index, name, key: image.id, layers, history, config: config ?? {} });
  }

  async #image(name: string): Promise<ImageRecord> {
    const { images, puller } = this.#builder;
    return (
      images.find(name) ?? (await puller.pull(name, this.#options.auth, { signal: this.#options.signal }))
    );
  }

  async #layersOf(image: ImageRecord): Promise<readonly StageLayer[]> {
    const manifest = await this.#builder.images.manifest(image);
    return manifest.layers.flatMap((descriptor, i) => {
      const diffId = image.diffIds[i];
      return diffId === undefined ? [] : [{ descriptor, diffId }];
    });
  }

  async #unpack(layers: readonly StageLayer[]): Promise<void> {
    const { snapshots, content } = this.#builder;
    for (const [i, { descriptor }] of layers.entries()) {
      const diffIds = layers.slice(0, i + 1).map((layer) => layer.diffId);
      await snapshots.unpack(diffIds, () => content.read(descriptor.digest), {
        signal: this.#options.signal,
      });
    }
  }

  #context(folder: string, dockerfile: string): Promise<FileTree> {
    return this.#once('.', () => Promise.resolve(contextTree(folder, dockerfile)));
  }

  /** A stage before, or else an image. */
  #source(from: string, planned: PlannedStage, plan: BuildPlan): Promise<FileTree> {
    const before = plan.stages.filter((stage) => stage.index < planned.index);
    const found = findStage(before, from);
    const stage = found === undefined ? undefined : this.#stages.get(found.index);
    if (stage !== undefined) return this.#once(`stage ${stage.index}`, () => this.#mounted(stage.layers));
    return this.#once(`image ${from}`, async () =>
      this.#mounted(await this.#layersOf(await this.#image(from))),
    );
  }

  #once(key: string, make: () => Promise<FileTree>): Promise<FileTree> {
    const tree = this.#trees.get(key) ?? make();
    this.#trees.set(key, tree);
    return tree;
  }

  async #mounted(layers: readonly StageLayer[]): Promise<FileTree> {
    await this.#unpack(layers);
    const place = join(this.#folder, `source-${this.#trees.size}`);
    await this.#builder.snapshots.mountReadonly(
      layers.map((layer) => layer.diffId),
      place,
    );
    return new FileTree(place);
  }

  async #finish(stage: Stage): Promise<ImageRecord> {
    const { content, images, platform } = this.#builder;
    const { tags, onEvent } = this.#options;
    await this.#unpack(stage.layers);
    const { config, layers, history } = stage;
    const image = await writeImage(content, { platform, config, layers, history });
    const fallback = `k8ts.local/untagged:${createHash('sha256').update(image.resolved).digest('hex').slice(0, 12)}`;
    const names = tags.length === 0 ? [fallback] : tags;
    let record: ImageRecord | undefined;
    for (const name of names) record = await images.register(image, name);
    if (record === undefined) throw new Error('an image has at least one name');
    onEvent?.({ type: 'built', id: record.id, names });
    return record;
  }

  async dispose(): Promise<void> {
    unmountBelow(this.#folder);
    await rm(this.#folder, { recursive: true, force: true });
  }
}
