/** COPY and ADD on a mounted root filesystem. */
import {
  chmodSync,
  copyFileSync,
  createReadStream,
  lchownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
} from 'node:fs';
import { openSync, readSync, closeSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { TarReader } from '../archive/tar-reader.ts';
import { decompressed, unpackArchive } from '../snapshots/layer-unpacking.ts';
import { scopedPath } from '../snapshots/scoped-path.ts';
import type { FileTree, FoundFile } from './build-files.ts';

export interface CopyOrder {
  readonly tree: FileTree;
  readonly files: readonly FoundFile[];
  /** Texts of heredocs, by file name. */
  readonly texts: readonly { readonly name: string; readonly content: string }[];
  /** Absolute inside the root filesystem; with a slash at the end it is a folder. */
  readonly destination: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number | undefined;
  /** ADD: archives are unpacked. */
  readonly unpacks: boolean;
}

class Copier {
  readonly #rootfs: string;
  readonly #order: CopyOrder;
  /**
   * Times of folders in seconds, by host path; set at the end, as every file written into a folder changes its time.
   * The same context gives the same layer, whenever it is copied.
   */
  readonly #folderTimes = new Map<string, number>();

  constructor(rootfs: string, order: CopyOrder) {
    this.#rootfs = rootfs;
    this.#order = order;
  }

  async copyAll(): Promise<void> {
    const { files, texts, destination, unpacks } = this.#order;
    const isFolder =
      destination.endsWith('/') || files.length + texts.length > 1 || this.#isFolder(destination);
    const into = (name: string): string => (isFolder ? join(destination, name) : destination);
    for (const file of files) {
      if (file.isFolder) this.#copyFolder(file, destination);
      else if (unpacks && (await isArchive(file.hostPath))) await this.#unpack(file, destination);
      else this.#copyFile(file, into(basename(file.path)));
    }
    for (const { name, content } of texts) this.#writeText(into(name), content);
    this.#setFolderTimes();
  }

  #setFolderTimes(): void {
    for (const [path, seconds] of this.#folderTimes) {
      // A file or an archive that came later may have taken its place.
      if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
        lutimesSync(path, seconds, seconds);
    }
  }

  #isFolder(destination: string): boolean {
    const path = scopedPath(this.#rootfs, destination);
    return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  }

  /** What is in the folder goes into the destination, which becomes a folder. */
  #copyFolder(folder: FoundFile, destination: string): void {
    const target = this.#makeFolder(destination);
    if (folder.path !== '') {
      const { mode, mtimeMs } = lstatSync(folder.hostPath);
      this.#own(target, mode & 0o7777);
      this.#folderTimes.set(target, mtimeMs / 1000);
    }
    for (const entry of this.#order.tree.entries(folder)) {
      const place = join(destination, basename(entry.path));
      if (entry.isFolder) this.#copyFolder(entry, place);
      else this.#copyFile(entry, place);
    }
  }

  #copyFile(file: FoundFile, destination: string): void {
    const target = this.#place(destination);
    const stats = lstatSync(file.hostPath);
    if (stats.isSymbolicLink()) symlinkSync(readlinkSync(file.hostPath), target);
    else if (stats.isFile()) copyFileSync(file.hostPath, target);
    else return;
    this.#finish(target, file.hostPath);
  }

  #writeText(destination: string, content: string): void {
    const target = this.#place(destination);
    writeFileSync(target, content, { flag: 'wx' });
    this.#own(target, 0o644);
    lutimesSync(target, 0, 0);
  }

  async #unpack(file: FoundFile, destination: string): Promise<void> {
    const target = this.#makeFolder(destination);
    await unpackArchive(decompressed(createReadStream(file.hostPath)), { target, parents: [] });
  }

  /** Host path for a new file; what is there goes, the folders above come. */
  #place(destination: string): string {
    this.#makeFolder(dirname(destination));
    const target = scopedPath(this.#rootfs, destination);
    rmSync(target, { recursive: true, force: true });
    return target;
  }

  #makeFolder(destination: string): string {
    const path = scopedPath(this.#rootfs, destination);
    const known = lstatSync(path, { throwIfNoEntry: false });
    if (known?.isDirectory() === true) {
      if (!this.#folderTimes.has(path)) this.#folderTimes.set(path, known.mtimeMs / 1000);
      return path;
    }
    this.#makeFolder(dirname(destination));
    mkdirSync(path);
    this.#own(path, 0o755);
    this.#folderTimes.set(path, 0);
    return path;
  }

  #own(path: string, mode: number): void {
    lchownSync(path, this.#order.uid, this.#order.gid);
    chmodSync(path, this.#order.mode ?? mode);
  }

  #finish(target: string, source: string): void {
    const stats = lstatSync(source);
    if (stats.isSymbolicLink()) lchownSync(target, this.#order.uid, this.#order.gid);
    else this.#own(target, stats.mode & 0o7777);
    lutimesSync(target, stats.mtimeMs / 1000, stats.mtimeMs / 1000);
  }
}

const MAGIC_BYTES = 6;

/** Told by the content, not the name: a tar, plain or compressed. @throws for compressions that are not supported. */
async function isArchive(path: string): Promise<boolean> {
  const magic = Buffer.alloc(MAGIC_BYTES);
  const fd = openSync(path, 'r');
  try {
    readSync(fd, magic);
  } finally {
    closeSync(fd);
  }
  const isXz = magic.toString('hex') === 'fd377a585a00';
  const isBzip2 = magic.toString('latin1', 0, 3) === 'BZh';
  if ((isXz || isBzip2) && /\.(tar\.(xz|bz2)|txz|tbz2?)$/.test(path)) {
    throw new Error(`cannot unpack ${basename(path)}: xz and bzip2 are not supported, use gzip or zstd`);
  }
  const source = createReadStream(path);
  try {
    return (await new TarReader(decompressed(source)).next()) !== undefined;
  } catch {
    return false;
  } finally {
    source.destroy();
  }
}

/** @throws when something cannot be read or written. */
export async function copyInto(rootfs: string, order: CopyOrder): Promise<void> {
  await new Copier(rootfs, order).copyAll();
}
