/** Files that COPY and ADD take: of a build context, a stage or an image, as a tree with a digest. */
import { createHash } from 'node:crypto';
import { createReadStream, lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Hash } from 'node:crypto';
import { scopedPath } from '../snapshots/scoped-path.ts';
import { IgnoreRules, hasWildcard, pathPattern } from './path-pattern.ts';

/** A source of COPY found in a tree. */
export interface FoundFile {
  /** Relative to the tree. */
  readonly path: string;
  readonly hostPath: string;
  readonly isFolder: boolean;
}

const NOTHING_IGNORED = new IgnoreRules('');

export class FileTree {
  readonly root: string;
  readonly #rules: IgnoreRules;

  /** Links inside lead nowhere but inside. */
  constructor(root: string, rules: IgnoreRules = NOTHING_IGNORED) {
    this.root = root;
    this.#rules = rules;
  }

  /** What a source path or pattern names, sorted; empty when nothing does. */
  find(source: string): readonly FoundFile[] {
    const path = normal(source);
    if (!hasWildcard(path)) {
      const found = this.#at(path);
      return found === undefined ? [] : [found];
    }
    const pattern = pathPattern(path);
    const depth = path.split('/').length;
    return this.#walk('', depth, (candidate) => pattern.test(candidate));
  }

  /** Entries of a found folder, by name. */
  entries(folder: FoundFile): readonly FoundFile[] {
    return readdirSync(folder.hostPath)
      .sort()
      .map((name) => this.#at(folder.path === '' ? name : `${folder.path}/${name}`, false))
      .filter((found) => found !== undefined);
  }

  #at(path: string, followLast = true): FoundFile | undefined {
    const hostPath = scopedPath(this.root, path, followLast);
    const stats = lstatSync(hostPath, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    const isFolder = stats.isDirectory();
    // An ignored folder may still hold files that a later rule brings back.
    if (path !== '' && !isFolder && this.#rules.ignores(path)) return undefined;
    const found = { path, hostPath, isFolder };
    if (path !== '' && isFolder && this.#rules.ignores(path) && this.entries(found).length === 0)
      return undefined;
    return found;
  }

  #walk(folder: string, depth: number, wanted: (path: string) => boolean): FoundFile[] {
    const found: FoundFile[] = [];
    const at = this.#at(folder);
    if (at === undefined || !at.isFolder || depth === 0) return found;
    for (const entry of this.entries(at)) {
      if (wanted(entry.path)) found.push(entry);
      else if (entry.isFolder) found.push(...this.#walk(entry.path, depth - 1, wanted));
    }
    return found;
  }

  /** Of names, kinds, permissions and contents; not of times or owners, which a checkout changes. */
  async digest(files: readonly FoundFile[]): Promise<string> {
    const hash = createHash('sha256');
    for (const file of files) await this.#hash(file, hash, basename(file.path));
    return hash.digest('hex');
  }

  async #hash(file: FoundFile, hash: Hash, name: string): Promise<void> {
    const stats = lstatSync(file.hostPath);
    if (stats.isSymbolicLink()) {
      hash.update(JSON.stringify([name, 'link', readlinkSync(file.hostPath)]));
    } else if (file.isFolder) {
      hash.update(JSON.stringify([name, 'folder', stats.mode & 0o7777]));
      for (const entry of this.entries(file))
        await this.#hash(entry, hash, `${name}/${basename(entry.path)}`);
    } else if (stats.isFile()) {
      hash.update(JSON.stringify([name, 'file', stats.mode & 0o7777, stats.size]));
      for await (const chunk of createReadStream(file.hostPath)) hash.update(chunk as Buffer);
    }
  }
}

const normal = (path: string): string =>
  path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');

/** The context in a folder, without what its `.dockerignore` leaves out. */
export function contextTree(folder: string, dockerfile: string): FileTree {
  for (const name of [`${dockerfile}.dockerignore`, join(folder, '.dockerignore')]) {
    try {
      return new FileTree(folder, new IgnoreRules(readFileSync(name, 'utf8')));
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== 'ENOENT') throw e;
    }
  }
  return new FileTree(folder);
}
