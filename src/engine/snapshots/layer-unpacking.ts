/**
 * A layer's tar becomes a folder that overlayfs can stack: whiteouts (https://github.com/opencontainers/image-spec,
 * "Layer Filesystem Changeset") turn into the character devices and attributes overlayfs knows them by, everything
 * else is made as the tar says, owner, mode, times and extended attributes included.
 *
 * The tar is not trusted: every name and every hard link is resolved inside the layer's own folder. Writes are
 * synchronous for small files: a layer has thousands of them and a trip through the thread pool costs more than the
 * write.
 */
import { closeSync, copyFileSync, createWriteStream, lstatSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { chmodSync, lchownSync, linkSync, lutimesSync, symlinkSync, writeSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { createHash } from 'node:crypto';
import type { Readable, Transform } from 'node:stream';
import { TarReader } from '../archive/tar-reader.ts';
import type { TarEntry } from '../archive/tar-entry.ts';
import { S_IFBLK, S_IFCHR, deviceNumber, mkfifo, mknod, setXattr } from '../kernel/libc.ts';
import { scopedPath } from './scoped-path.ts';
import type { Digest } from '../content/media-types.ts';

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
/** Files of up to this size are gathered in memory and written at once. */
const SMALL_FILE_BYTES = 256 * 1024;

export interface UnpackOptions {
  /** An empty folder. */
  readonly target: string;
  /** Folders of the layers below, the nearest first: folders the tar only implies take owner and mode from there. */
  readonly parents: readonly string[];
  readonly signal?: AbortSignal;
}

export interface UnpackResult {
  /** Digest of the uncompressed tar. */
  readonly diffId: Digest;
  /** Bytes of file contents. */
  readonly sizeBytes: number;
  readonly entries: number;
}

/** Plain, gzip or zstd, told by the first bytes: media types are not always right. */
export async function* decompressed(source: Readable): AsyncGenerator<Buffer> {
  const iterator = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const first = await iterator.next();
  if (first.done === true) return;
  const rest = async function* (): AsyncGenerator<Buffer> {
    yield first.value;
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
  };
  const magic = first.value.toString('hex', 0, 4);
  if (magic.startsWith('1f8b')) yield* through(rest(), createGunzip());
  else if (magic === '28b52ffd') yield* through(rest(), createZstdDecompress());
  else yield* rest();
}

async function* through(source: AsyncIterable<Buffer>, transform: Transform): AsyncGenerator<Buffer> {
  const done = pipeline(source, transform).catch((e: unknown) => transform.destroy(e as Error));
  for await (const chunk of transform) yield chunk as Buffer;
  await done;
}

/** @throws when the archive is broken or names something outside of itself. */
export async function unpackLayer(source: Readable, options: UnpackOptions): Promise<UnpackResult> {
  const hash = createHash('sha256');
  const hashed = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of decompressed(source)) {
      options.signal?.throwIfAborted();
      hash.update(chunk);
      yield chunk;
    }
  };
  try {
    const result = await unpackArchive(hashed(), options);
    return { diffId: `sha256:${hash.digest('hex')}`, ...result };
  } finally {
    source.destroy();
  }
}

/** As `unpackLayer` for a tar that is decompressed already, without its digest. */
export async function unpackArchive(
  source: AsyncIterable<Buffer>,
  options: UnpackOptions,
): Promise<Omit<UnpackResult, 'diffId'>> {
  const archive = new TarReader(source);
  const writer = new LayerWriter(options);
  let entries = 0;
  let sizeBytes = 0;
  for (let entry = await archive.next(); entry !== undefined; entry = await archive.next()) {
    entries++;
    sizeBytes += entry.sizeBytes;
    await writer.write(entry, archive.content());
  }
  writer.finish();
  return { entries, sizeBytes };
}

class LayerWriter {
  readonly #root: string;
  readonly #parents: readonly string[];
  /** Times of folders, set at the end: every file written into them would change them. */
  readonly #folderTimes: { readonly path: string; readonly mtime: number }[] = [];

  constructor({ target, parents }: UnpackOptions) {
    this.#root = target;
    this.#parents = parents;
  }

  async write(header: TarEntry, content: AsyncIterable<Buffer>): Promise<void> {
    const path = this.#place(header.name);
    if (path === this.#root) {
      if (header.type === 'directory') this.#setAttributes(path, header);
      return;
    }
    const name = basename(path);
    if (name === OPAQUE) {
      setXattr(dirname(path), 'trusted.overlay.opaque', Buffer.from('y'));
      return;
    }
    if (name.startsWith(WHITEOUT)) {
      this.#whiteout(join(dirname(path), name.slice(WHITEOUT.length)));
      return;
    }
    await this.#make(path, header, content);
  }

  finish(): void {
    for (const { path, mtime } of this.#folderTimes.reverse()) lutimesSync(path, mtime, mtime);
  }

  /** Host path of an entry, its parent folders made. */
  #place(entryName: string): string {
    const path = scopedPath(this.#root, entryName, false);
    this.#makeParents(dirname(path));
    return path;
  }

  #makeParents(folder: string): void {
    if (!folder.startsWith(`${this.#root}/`)) return;
    const stats = lstatSync(folder, { throwIfNoEntry: false });
    if (stats?.isDirectory() === true) return;
    this.#makeParents(dirname(folder));
    if (stats !== undefined) rmSync(folder);
    mkdirSync(folder);
    const inside = relative(this.#root, folder);
    for (const parent of this.#parents) {
      const below = lstatSync(join(parent, inside), { throwIfNoEntry: false });
      if (below === undefined) continue;
      if (below.isDirectory()) {
        lchownSync(folder, below.uid, below.gid);
        chmodSync(folder, below.mode & 0o7777);
      }
      return;
    }
  }

  #whiteout(path: string): void {
    if (path === this.#root || basename(path) === '' || basename(path) === '..') {
      throw new Error('invalid whiteout');
    }
    // A whiteout speaks of the layers below; what this layer itself has put there wins.
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return;
    mknod(path, S_IFCHR, deviceNumber(0, 0));
  }

  async #make(path: string, header: TarEntry, content: AsyncIterable<Buffer>): Promise<void> {
    const existing = lstatSync(path, { throwIfNoEntry: false });
    const keepsFolder = existing?.isDirectory() === true && header.type === 'directory';
    if (existing !== undefined && !keepsFolder) rmSync(path, { recursive: true, force: true });
    switch (header.type) {
      case 'directory':
        if (!keepsFolder) mkdirSync(path);
        break;
      case 'file':
        await writeFile(path, header.sizeBytes, content);
        break;
      case 'symlink':
        symlinkSync(header.linkName, path);
        break;
      case 'link':
        this.#hardLink(path, header.linkName);
        return;
      case 'character':
        mknod(path, S_IFCHR, deviceNumber(header.deviceMajor, header.deviceMinor));
        break;
      case 'block':
        mknod(path, S_IFBLK, deviceNumber(header.deviceMajor, header.deviceMinor));
        break;
      case 'fifo':
        mkfifo(path, 0o600);
        break;
      default:
        header.type satisfies never;
    }
    this.#setAttributes(path, header);
  }

  /** The target is mostly in this layer; some builders link to a file of a layer below, which is then copied. */
  #hardLink(path: string, linkName: string): void {
    const target = scopedPath(this.#root, linkName, false);
    if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) {
      linkSync(target, path);
      return;
    }
    for (const parent of this.#parents) {
      const below = scopedPath(parent, linkName, false);
      const stats = lstatSync(below, { throwIfNoEntry: false });
      if (stats?.isFile() !== true) continue;
      copyFileSync(below, path);
      lchownSync(path, stats.uid, stats.gid);
      chmodSync(path, stats.mode & 0o7777);
      return;
    }
    throw new Error(`hard link target ${linkName} does not exist`);
  }

  #setAttributes(path: string, header: TarEntry): void {
    lchownSync(path, header.uid, header.gid);
    const isLink = header.type === 'symlink';
    // After chown, which takes setuid and setgid away.
    if (!isLink) chmodSync(path, header.mode);
    for (const [name, value] of header.xattrs) {
      // overlayfs' own attributes decide what lies under what: a layer must not speak for it.
      if (!name.startsWith('trusted.') && !(isLink && name.startsWith('user.'))) setXattr(path, name, value);
    }
    const mtime = header.mtimeMs / 1000;
    if (header.type === 'directory') this.#folderTimes.push({ path, mtime });
    else lutimesSync(path, mtime, mtime);
  }
}

async function writeFile(path: string, sizeBytes: number, content: AsyncIterable<Buffer>): Promise<void> {
  if (sizeBytes > SMALL_FILE_BYTES) {
    await pipeline(content, createWriteStream(path, { flags: 'wx' }));
    return;
  }
  const fd = openSync(path, 'wx');
  try {
    if (sizeBytes > 0) for await (const chunk of content) writeSync(fd, chunk);
  } finally {
    closeSync(fd);
  }
}
