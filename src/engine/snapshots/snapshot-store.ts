/**
 * Root filesystems by overlayfs: each layer is unpacked once, in a folder named by its chain (the layer and all below
 * it), read-only and shared by every container; a container adds one writable folder.
 *
 * ```
 * layers/fs/<chain>/…      the content of one layer
 * layers/info/<chain>.json its chain, diff id and size; written last: without it the layer is garbage
 * writable/<key>/upper     what a container wrote      writable/<key>/work   overlayfs' own
 * ```
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { runProgram } from '../child-process.ts';
import { mount } from '../kernel/libc.ts';
import { unpackLayer } from './layer-unpacking.ts';
import type { Digest } from '../content/media-types.ts';

/** Identity of a stack of layers: the bottom one's diff id, then sha256 of `<chain> <diff id>`. */
export function chainIds(diffIds: readonly Digest[]): readonly Digest[] {
  const chains: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chains.at(-1);
    chains.push(
      below === undefined
        ? diffId
        : `sha256:${createHash('sha256').update(`${below} ${diffId}`).digest('hex')}`,
    );
  }
  return chains;
}

export interface LayerInfo {
  readonly chainId: Digest;
  readonly diffId: Digest;
  readonly sizeBytes: number;
  readonly entries: number;
}

/** Digits of a chain in a folder's name; long enough to be unique, short enough for many layers in one mount. */
const FOLDER_DIGITS = 16;
const folderOf = (chainId: Digest): string =>
  chainId.slice('sha256:'.length, 'sha256:'.length + FOLDER_DIGITS);

/** mount(2) takes one page of options. */
const MOUNT_OPTIONS_BYTES_MAX = 4095;

export class SnapshotStore {
  readonly #layers: string;
  readonly #info: string;
  readonly #writable: string;
  readonly #known = new Map<Digest, LayerInfo>();
  /** One unpacking per chain at a time. */
  readonly #unpacking = new Map<Digest, Promise<LayerInfo>>();

  constructor(directory: string) {
    this.#layers = join(directory, 'layers', 'fs');
    this.#info = join(directory, 'layers', 'info');
    this.#writable = join(directory, 'writable');
  }

  async open(): Promise<void> {
    for (const folder of [this.#layers, this.#info, this.#writable]) await mkdir(folder, { recursive: true });
    for (const name of await readdir(this.#info)) {
      if (!name.endsWith('.json')) continue;
      const info = JSON.parse(await readFile(join(this.#info, name), 'utf8')) as LayerInfo;
      this.#known.set(info.chainId, info);
    }
    const whole = new Set([...this.#known.keys()].map(folderOf));
    for (const name of await readdir(this.#layers)) {
      if (!whole.has(name)) await rm(join(this.#layers, name), { recursive: true, force: true });
    }
  }

  layer(chainId: Digest): LayerInfo | undefined {
    return this.#known.get(chainId);
  }

  layerPath(chainId: Digest): string {
    return join(this.#layers, folderOf(chainId));
  }

  /**
   * Unpacks the top layer of a chain unless it is there.
   * @throws when the archive's uncompressed digest is not `diffIds`' last, or it is broken.
   */
  async unpack(
    diffIds: readonly Digest[],
    source: () => Readable,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<LayerInfo> {
    const chains = chainIds(diffIds);
    const chainId = chains.at(-1);
    const diffId = diffIds.at(-1);
    if (chainId === undefined || diffId === undefined) throw new Error('no layer to unpack');
    const known = this.#known.get(chainId);
    if (known !== undefined) return known;
    const running = this.#unpacking.get(chainId);
    if (running !== undefined) {
      try {
        return await running;
      } catch {
        // Another's attempt, which may have been abandoned; this one is not.
        signal?.throwIfAborted();
        return this.unpack(diffIds, source, { signal });
      }
    }
    const unpacking = this.#unpack(chains, diffId, source, signal);
    this.#unpacking.set(chainId, unpacking);
    try {
      return await unpacking;
    } finally {
      this.#unpacking.delete(chainId);
    }
  }

  async #unpack(
    chains: readonly Digest[],
    diffId: Digest,
    source: () => Readable,
    signal: AbortSignal | undefined,
  ): Promise<LayerInfo> {
    const chainId = chains[chains.length - 1] ?? diffId;
    const target = this.layerPath(chainId);
    await rm(target, { recursive: true, force: true });
    await mkdir(target, { mode: 0o755 });
    try {
      const parents = chains
        .slice(0, -1)
        .reverse()
        .map((chain) => this.layerPath(chain));
      const result = await unpackLayer(source(), { target, parents, signal });
      if (result.diffId !== diffId) {
        throw new Error(`wrong diff id calculated on extraction "${result.diffId}", want "${diffId}"`);
      }
      return await this.#register({ chainId, ...result });
    } catch (e) {
      await rm(target, { recursive: true, force: true });
      throw e;
    }
  }

  /** Makes a folder that a builder filled the layer of `chainId`. The folder must be on this filesystem. */
  async adopt(info: LayerInfo, folder: string): Promise<void> {
    if (this.#known.has(info.chainId)) return;
    await rm(this.layerPath(info.chainId), { recursive: true, force: true });
    await rename(folder, this.layerPath(info.chainId));
    await this.#register(info);
  }

  async #register(info: LayerInfo): Promise<LayerInfo> {
    const path = join(this.#info, `${folderOf(info.chainId)}.json`);
    // The layer must be on the disk before anything says that it is.
    const synced = await runProgram('sync', ['-f', this.layerPath(info.chainId)]);
    if (synced.exitCode !== 0) throw new Error(`layer not written: ${synced.stderr.trim()}`);
    await writeFile(`${path}.tmp`, JSON.stringify(info));
    await rename(`${path}.tmp`, path);
    this.#known.set(info.chainId, info);
    return info;
  }

  /** Where the writes of snapshot `key` land. */
  upperPath(key: string): string {
    return join(this.#writable, key, 'upper');
  }

  /** A writable root filesystem over an image's layers, mounted at `target` (made if missing). */
  async mountWritable(key: string, diffIds: readonly Digest[], target: string): Promise<void> {
    const work = join(this.#writable, key, 'work');
    await mkdir(this.upperPath(key), { recursive: true, mode: 0o755 });
    await mkdir(work, { recursive: true });
    await mkdir(target, { recursive: true });
    // An empty image still needs something below.
    const lower = diffIds.length === 0 ? await this.#emptyLayer('.empty') : undefined;
    // redirect_dir: a renamed folder must be whole in the upper folder, for that may become a layer.
    // volatile: what a container writes beside its volumes does not outlive it, so nothing waits for the disk.
    const upper = `upperdir=${this.upperPath(key)},workdir=${work},redirect_dir=off,metacopy=off,volatile`;
    this.#mount(lower === undefined ? this.#folders(diffIds) : [lower], upper, target);
  }

  /** The layers alone, read-only: image volumes, COPY --from. */
  async mountReadonly(diffIds: readonly Digest[], target: string): Promise<void> {
    await mkdir(target, { recursive: true });
    const folders = this.#folders(diffIds);
    // overlayfs wants two lower folders when there is no upper one.
    for (const name of ['.empty', '.empty-too'])
      if (folders.length < 2) folders.push(await this.#emptyLayer(name));
    this.#mount(folders, undefined, target);
  }

  async #emptyLayer(name: string): Promise<string> {
    const empty = join(this.#writable, name);
    await mkdir(empty, { recursive: true });
    return empty;
  }

  #folders(diffIds: readonly Digest[]): string[] {
    return chainIds(diffIds)
      .map((chain) => this.layerPath(chain))
      .reverse();
  }

  #mount(folders: readonly string[], upper: string | undefined, target: string): void {
    const options = (lower: readonly string[]): string =>
      [`lowerdir=${lower.join(':')}`, ...(upper === undefined ? [] : [upper])].join(',');
    const plain = options(folders);
    if (Buffer.byteLength(plain) <= MOUNT_OPTIONS_BYTES_MAX) {
      mount('overlay', target, 'overlay', 0, plain);
      return;
    }
    // Too many layers for the page: name the folder of layers by a descriptor, which is a short path.
    const fd = openSync(this.#layers, 'r');
    try {
      const short = folders.map((path) => path.replace(this.#layers, `/proc/self/fd/${fd}`));
      mount('overlay', target, 'overlay', 0, options(short));
    } finally {
      closeSync(fd);
    }
  }

  /** The writes of `key` are gone for good. It must not be mounted. */
  async removeWritable(key: string): Promise<void> {
    await rm(join(this.#writable, key), { recursive: true, force: true });
  }

  hasWritable(key: string): boolean {
    return existsSync(this.upperPath(key));
  }

  async writableKeys(): Promise<readonly string[]> {
    return (await readdir(this.#writable)).filter((key) => !key.startsWith('.'));
  }

  /** Removes every layer not in `keep` and not being unpacked. */
  async sweep(keep: ReadonlySet<Digest>): Promise<number> {
    let freed = 0;
    for (const [chainId, info] of this.#known) {
      if (keep.has(chainId)) continue;
      this.#known.delete(chainId);
      await rm(join(this.#info, `${folderOf(chainId)}.json`), { force: true });
      await rm(this.layerPath(chainId), { recursive: true, force: true });
      freed += info.sizeBytes;
    }
    return freed;
  }

  usage(): { readonly bytes: number; readonly inodes: number } {
    let bytes = 0;
    let inodes = 0;
    for (const info of this.#known.values()) {
      bytes += info.sizeBytes;
      inodes += info.entries;
    }
    return { bytes, inodes };
  }
}
