/** Carries the instructions of one stage out. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { writeLayer } from '../archive/layer-writer.ts';
import { resolveUser } from '../containers/user.ts';
import type { Digest } from '../content/media-types.ts';
import { unmountBelow } from '../kernel/mounts.ts';
import { chainIds } from '../snapshots/snapshot-store.ts';
import { scopedPath } from '../snapshots/scoped-path.ts';
import type { BuildServices } from './build-services.ts';
import { BuildError } from './build-error.ts';
import type { FileTree, FoundFile } from './build-files.ts';
import type { BuiltLayer } from './build-cache.ts';
import { copyInto } from './copy-step.ts';
import { execForm } from './dockerfile-parser.ts';
import type { Instruction } from './dockerfile-parser.ts';
import { layerDiff } from './layer-diff.ts';
import { configure } from './metadata-instructions.ts';
import { watchMountPoints } from './mount-points.ts';
import { hasWildcard } from './path-pattern.ts';
import { parseRunMount, toRunMount } from './run-mounts.ts';
import type { RunMountRequest } from './run-mounts.ts';
import { runInRootfs } from './run-step.ts';
import { PREDEFINED_ARGUMENTS } from './stage.ts';
import type { Stage } from './stage.ts';
import { expand, expandHeredoc, splitWords } from './variable-expansion.ts';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Places of every container's own filesystems and files, which must not become part of a layer. */
const RUNTIME_PLACES = ['/proc', '/dev', '/sys', '/etc/resolv.conf', '/etc/hosts'];

export class StageBuilder {
  readonly #stage: Stage;
  readonly #services: BuildServices;

  constructor(stage: Stage, services: BuildServices) {
    this.#stage = stage;
    this.#services = services;
  }

  /** @throws BuildError naming file and line. */
  async carryOut(instruction: Instruction): Promise<void> {
    try {
      switch (instruction.name) {
        case 'RUN':
          return await this.#run(instruction);
        case 'COPY':
        case 'ADD':
          return await this.#copy(instruction);
        case 'WORKDIR':
          return await this.#workingDir(instruction);
        default:
          configure(this.#stage, instruction, this.#services);
          this.#stage.add(
            this.#stage.keyOf(instruction.name, JSON.stringify(this.#stage.config)),
            instruction.original,
            null,
          );
      }
    } catch (e) {
      this.#services.signal?.throwIfAborted();
      if (e instanceof BuildError) throw e;
      throw new BuildError(instruction, e instanceof Error ? e.message : String(e), e);
    }
  }

  async #workingDir(instruction: Instruction): Promise<void> {
    const stage = this.#stage;
    const path = posix.resolve(stage.workingDir, expand(instruction.text, stage.variables()));
    stage.config = { ...stage.config, WorkingDir: path };
    await this.#layered(instruction, stage.keyOf('WORKDIR', path), (rootfs) => {
      mkdirSync(scopedPath(rootfs, path), { recursive: true, mode: 0o755 });
      return Promise.resolve();
    });
  }

  async #run(instruction: Instruction): Promise<void> {
    const stage = this.#stage;
    const services = this.#services;
    const network = runNetwork(instruction, services.network);
    const mounts = (instruction.flags.get('mount') ?? []).map((text) =>
      parseRunMount(expand(text, stage.variables()), stage.workingDir),
    );
    const { command, script } = this.#command(instruction);
    const environment = this.#runEnvironment();
    const trees = await Promise.all(mounts.map((mount) => this.#mountSource(mount)));
    const digests = await Promise.all(mounts.map((mount, i) => mountDigest(mount, trees[i])));
    const key = stage.keyOf('RUN', network, script ?? '', ...command, '', ...environment, '', ...digests);
    await this.#layered(instruction, key, async (rootfs, id) => {
      const scriptFile = join(services.folder, `script-${id}`);
      if (script !== undefined) writeFileSync(scriptFile, script, { mode: 0o755 });
      const runMounts = mounts.map((mount, i) => toRunMount(mount, trees[i], services.caches));
      if (script !== undefined)
        runMounts.push({ destination: SCRIPT_PLACE, type: 'bind', source: scriptFile, readonly: true });
      const places = [...RUNTIME_PLACES, ...mounts.map((mount) => mount.target)];
      const removePlaces = watchMountPoints(rootfs, places);
      await runInRootfs(services.runc, {
        id,
        bundle: join(services.folder, `bundle-${id}`),
        rootfs,
        command,
        environment,
        workingDir: stage.workingDir,
        user: resolveUser(rootfs, { imageUser: stage.config.User ?? '', supplementalGroups: [] }),
        network,
        mounts: runMounts,
        onOutput: (text) => services.onEvent({ type: 'output', text }),
        signal: services.signal,
      });
      removePlaces();
    });
  }

  /** The program to run. A heredoc alone is a script of the shell, or of the program its first line names. */
  #command(instruction: Instruction): { readonly command: readonly string[]; readonly script?: string } {
    const { text, heredocs } = instruction;
    const exec = execForm(text);
    if (exec !== undefined) return { command: exec };
    const [only] = heredocs;
    if (only !== undefined && heredocs.length === 1 && /^<<-?\s*["']?\w+["']?$/.test(text)) {
      const script = only.expands ? expandHeredoc(only.content, this.#stage.variables()) : only.content;
      if (script.startsWith('#!')) return { command: [SCRIPT_PLACE], script };
      return { command: [...this.#stage.shell, script] };
    }
    const bodies = heredocs.map(({ content, name }) => `${content}${name}\n`).join('');
    return { command: [...this.#stage.shell, heredocs.length === 0 ? text : `${text}\n${bodies}`] };
  }

  #runEnvironment(): readonly string[] {
    const stage = this.#stage;
    const variables = new Map([['PATH', DEFAULT_PATH]]);
    for (const name of PREDEFINED_ARGUMENTS) {
      const value = this.#services.args.get(name);
      if (value !== undefined) variables.set(name, value);
    }
    for (const [name, value] of stage.variables()) variables.set(name, value);
    return [...variables].map(([name, value]) => `${name}=${value}`);
  }

  #mountSource(mount: RunMountRequest): Promise<FileTree | undefined> {
    if (mount.type !== 'bind') return Promise.resolve(undefined);
    return this.#services.tree(mount.from);
  }

  async #copy(instruction: Instruction): Promise<void> {
    const stage = this.#stage;
    const { name, flags, heredocs } = instruction;
    for (const flag of flags.keys()) {
      if (!['from', 'chown', 'chmod', 'link'].includes(flag))
        throw new Error(`${name} --${flag} is not supported`);
    }
    const variables = stage.variables();
    const flag = (key: string): string | undefined => {
      const value = flags.get(key)?.[0];
      return value === undefined ? undefined : expand(value, variables);
    };
    const words =
      execForm(instruction.text)?.map((word) => expand(word, variables)) ??
      splitWords(instruction.text, variables);
    const destination = words.at(-1);
    const texts = heredocs.map((doc) => ({
      name: doc.name,
      content: doc.expands ? expandHeredoc(doc.content, variables) : doc.content,
    }));
    const sources = words.slice(0, -1).filter((word) => !/^<<-?["']?\w/.test(word));
    if (destination === undefined || sources.length + texts.length === 0) {
      throw new Error(`${name} requires at least one source and a destination`);
    }
    const tree = await this.#services.tree(flag('from'));
    const files = sources.flatMap((source) => findSource(name, source, tree));
    const isFolder = destination.endsWith('/') || destination === '.' || destination === '..';
    if (sources.length + texts.length > 1 && !isFolder) {
      throw new Error(
        `using ${name} with more than one source, the destination must be a directory and end with a /`,
      );
    }
    const mode = parseMode(flag('chmod'));
    const [chown = '', place] = [
      flag('chown'),
      posix.resolve(stage.workingDir, destination) + (isFolder ? '/' : ''),
    ];
    const content = await tree.digest(files);
    const key = stage.keyOf(
      name,
      chown,
      String(mode),
      place,
      content,
      JSON.stringify(texts),
      JSON.stringify(sources),
    );
    await this.#layered(instruction, key, async (rootfs) => {
      const { uid, gid } = ownerOf(chown, rootfs);
      const order = { tree, files, texts, destination: place, uid, gid, mode, unpacks: name === 'ADD' };
      await copyInto(rootfs, order);
    });
  }

  /** Does `work` on the stage's root filesystem and makes a layer of what it changed, unless that is known. */
  async #layered(
    instruction: Instruction,
    key: string,
    work: (rootfs: string, id: string) => Promise<void>,
  ): Promise<void> {
    const { cache, content, onEvent, usesCache } = this.#services;
    const known = usesCache ? cache.get(key) : undefined;
    const isWhole =
      known === null ||
      (known !== undefined && (await content.sizeOf(known.descriptor.digest)) !== undefined);
    if (known !== undefined && isWhole) {
      onEvent({ type: 'cached', instruction: instruction.original });
      this.#stage.add(key, instruction.original, known);
      return;
    }
    const layer = await this.#work(work);
    await cache.put(key, layer);
    this.#stage.add(key, instruction.original, layer);
  }

  async #work(work: (rootfs: string, id: string) => Promise<void>): Promise<BuiltLayer | null> {
    const { snapshots, content, folder, newId, signal } = this.#services;
    const stage = this.#stage;
    await this.#services.unpack(stage.layers);
    const id = `build-${newId()}`;
    const rootfs = join(folder, id);
    try {
      await snapshots.mountWritable(id, stage.diffIds, rootfs);
      await work(rootfs, id);
      unmountBelow(rootfs);
      const upper = snapshots.upperPath(id);
      if (layerDiff(upper).next().done === true) return null;
      const layer = await writeLayer(content, layerDiff(upper), { signal });
      const chainId = chainIds([...stage.diffIds, layer.diffId]).at(-1) as Digest;
      await snapshots.adopt({ chainId, ...layer }, upper);
      return layer;
    } finally {
      unmountBelow(rootfs);
      await rm(rootfs, { recursive: true, force: true });
      await snapshots.removeWritable(id);
    }
  }
}

/** Below /dev, which is a filesystem of the container's own. */
const SCRIPT_PLACE = '/dev/k8ts-script';

function runNetwork({ flags }: Instruction, fallback: 'none' | 'host'): 'none' | 'host' {
  for (const flag of flags.keys()) {
    if (flag !== 'network' && flag !== 'mount') throw new Error(`RUN --${flag} is not supported`);
  }
  const asked = flags.get('network')?.[0] ?? 'default';
  if (asked === 'default') return fallback;
  if (asked === 'none' || asked === 'host') return asked;
  throw new Error(`unknown network "${asked}"`);
}

async function mountDigest(mount: RunMountRequest, tree: FileTree | undefined): Promise<string> {
  const files = tree?.find(mount.source) ?? [];
  return JSON.stringify([mount, tree === undefined ? '' : await tree.digest(files)]);
}

function findSource(name: string, source: string, tree: FileTree): readonly FoundFile[] {
  if (/^(https?:\/\/|git@)/.test(source)) throw new Error(`${name} from a URL is not supported: "${source}"`);
  const found = tree.find(source);
  if (found.length > 0) return found;
  throw new Error(
    hasWildcard(source) ? `no source files were found for "${source}"` : `"${source}" not found`,
  );
}

function parseMode(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[0-7]{3,5}$/.test(text)) throw new Error(`invalid chmod "${text}": octal digits are wanted`);
  return Number.parseInt(text, 8);
}

/** `user[:group]`, names or numbers; a lone number is the group, too. */
function ownerOf(chown: string, rootfs: string): { readonly uid: number; readonly gid: number } {
  if (chown === '') return { uid: 0, gid: 0 };
  const full = /^\d+$/.test(chown) ? `${chown}:${chown}` : chown;
  const { uid, gid } = resolveUser(rootfs, { imageUser: full, supplementalGroups: [] });
  return { uid, gid };
}
