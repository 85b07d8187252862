/** A file system in memory behind `Files`: volumes of a simulated node, and what volume tests look at. */
import type { Clock, Files, FileStat } from '#platform';

interface Node {
  readonly kind: FileStat['kind'];
  mode: number;
  uid: number;
  gid: number;
  mtimeMs: number;
  data: Buffer;
  target: string;
  readonly entries: Map<string, Node>;
}

/** Symlinks followed in one path before it counts as a loop, as Linux does. */
const MAX_SYMLINKS = 40;

export function createMemoryFiles(clock: Clock): Files {
  return new MemoryFiles(clock);
}

class MemoryFiles implements Files {
  readonly #clock: Clock;
  readonly #root: Node;
  readonly #watchers = new Set<{ readonly path: string; readonly onChange: () => void }>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#root = this.#node('directory', 0o755);
  }

  async readFile(path: string): Promise<Buffer> {
    const node = this.#find(path);
    if (node.kind === 'directory') throw fail('EISDIR', 'read', path);
    return node.data;
  }

  async readRange(path: string, offset: number, length: number): Promise<Buffer> {
    return (await this.readFile(path)).subarray(offset, offset + length);
  }

  async writeFile(
    path: string,
    data: Uint8Array | string,
    options?: { readonly mode?: number },
  ): Promise<void> {
    const { parent, name } = this.#parentOf(path);
    const link = parent.entries.get(name);
    if (link?.kind === 'symlink') {
      await this.writeFile(join(dirname(path), link.target), data, options);
      return;
    }
    if (link?.kind === 'directory') throw fail('EISDIR', 'open', path);
    const node = link ?? this.#node('file', options?.mode ?? 0o644);
    node.data = Buffer.from(data);
    node.mtimeMs = this.#clock.now();
    parent.entries.set(name, node);
    this.#changed(path);
  }

  async replaceFile(
    path: string,
    data: Uint8Array | string,
    options?: { readonly mode?: number },
  ): Promise<void> {
    const { parent, name } = this.#parentOf(path);
    const node = this.#node('file', options?.mode ?? 0o644);
    node.data = Buffer.from(data);
    parent.entries.set(name, node);
    this.#changed(path);
  }

  async mkdir(
    path: string,
    options?: { readonly recursive?: boolean; readonly mode?: number },
  ): Promise<void> {
    if (options?.recursive !== true) {
      const { parent, name } = this.#parentOf(path);
      if (parent.entries.has(name)) throw fail('EEXIST', 'mkdir', path);
      parent.entries.set(name, this.#node('directory', options?.mode ?? 0o755));
    } else {
      this.#makeAll(path, options.mode ?? 0o755);
    }
    this.#changed(path);
  }

  async remove(path: string): Promise<void> {
    const place = this.#tryParentOf(path);
    if (place?.parent.entries.delete(place.name) === true) this.#changed(path);
  }

  async rmdir(path: string): Promise<void> {
    const node = this.#lookup(path, false);
    if (node !== undefined && node.entries.size > 0) throw fail('ENOTEMPTY', 'rmdir', path);
    await this.remove(path);
  }

  async rename(from: string, to: string): Promise<void> {
    const source = this.#parentOf(from);
    const node = source.parent.entries.get(source.name);
    if (node === undefined) throw fail('ENOENT', 'rename', from);
    const target = this.#parentOf(to);
    source.parent.entries.delete(source.name);
    target.parent.entries.set(target.name, node);
    this.#changed(from);
    this.#changed(to);
  }

  async symlink(target: string, path: string): Promise<void> {
    const { parent, name } = this.#parentOf(path);
    if (parent.entries.has(name)) throw fail('EEXIST', 'symlink', path);
    const node = this.#node('symlink', 0o777);
    node.target = target;
    parent.entries.set(name, node);
    this.#changed(path);
  }

  async readlink(path: string): Promise<string> {
    const { parent, name } = this.#parentOf(path);
    const node = parent.entries.get(name);
    if (node === undefined) throw fail('ENOENT', 'readlink', path);
    if (node.kind !== 'symlink') throw fail('EINVAL', 'readlink', path);
    return node.target;
  }

  async list(path: string): Promise<readonly string[]> {
    const node = this.#find(path);
    if (node.kind !== 'directory') throw fail('ENOTDIR', 'scandir', path);
    return [...node.entries.keys()].sort();
  }

  async stat(path: string, options?: { readonly follow?: boolean }): Promise<FileStat | undefined> {
    const node = this.#lookup(path, options?.follow ?? true);
    if (node === undefined) return undefined;
    const { kind, mode, uid, gid, mtimeMs, data } = node;
    return { kind, mode, uid, gid, mtimeMs, sizeBytes: data.length };
  }

  async chmod(path: string, mode: number): Promise<void> {
    this.#find(path).mode = mode;
  }

  async chown(path: string, uid: number, gid: number): Promise<void> {
    const node = this.#find(path);
    if (uid >= 0) node.uid = uid;
    if (gid >= 0) node.gid = gid;
  }

  watch(path: string, onChange: () => void): { close(): void } {
    const watcher = { path: join('/', path), onChange };
    this.#watchers.add(watcher);
    return { close: () => this.#watchers.delete(watcher) };
  }

  #node(kind: FileStat['kind'], mode: number): Node {
    const mtimeMs = this.#clock.now();
    return { kind, mode, uid: 0, gid: 0, mtimeMs, data: Buffer.alloc(0), target: '', entries: new Map() };
  }

  #makeAll(path: string, mode: number): void {
    let made = '';
    for (const part of parts(path)) {
      made = `${made}/${part}`;
      const found = this.#lookup(made, true);
      if (found === undefined) {
        const { parent, name } = this.#parentOf(made);
        parent.entries.set(name, this.#node('directory', mode));
      } else if (found.kind !== 'directory') {
        throw fail('ENOTDIR', 'mkdir', path);
      }
    }
  }

  #find(path: string): Node {
    const node = this.#lookup(path, true);
    if (node === undefined) throw fail('ENOENT', 'open', path);
    return node;
  }

  #lookup(path: string, follow: boolean, depth = 0): Node | undefined {
    if (depth > MAX_SYMLINKS) throw fail('ELOOP', 'open', path);
    const names = parts(path);
    let node = this.#root;
    for (let i = 0; i < names.length; i++) {
      const next = node.entries.get(names[i] ?? '');
      if (next === undefined) return undefined;
      if (next.kind === 'symlink' && (follow || i < names.length - 1)) {
        const here = `/${names.slice(0, i).join('/')}`;
        const rest = names.slice(i + 1).join('/');
        return this.#lookup(join(join(here, next.target), rest), follow, depth + 1);
      }
      node = next;
    }
    return node;
  }

  #tryParentOf(path: string): { readonly parent: Node; readonly name: string } | undefined {
    const parent = this.#lookup(dirname(path), true);
    const name = parts(path).at(-1);
    return parent?.kind === 'directory' && name !== undefined ? { parent, name } : undefined;
  }

  #parentOf(path: string): { readonly parent: Node; readonly name: string } {
    const place = this.#tryParentOf(path);
    if (place === undefined) throw fail('ENOENT', 'open', path);
    return place;
  }

  #changed(path: string): void {
    const full = join('/', path);
    for (const { path: watched, onChange } of this.#watchers) {
      if (full === watched || full.startsWith(watched === '/' ? '/' : `${watched}/`)) onChange();
    }
  }
}

/** The names of a path with `.` and `..` resolved. */
function parts(path: string): string[] {
  const out: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') out.pop();
    else if (part !== '' && part !== '.') out.push(part);
  }
  return out;
}

const join = (base: string, path: string): string =>
  `/${parts(path.startsWith('/') ? path : `${base}/${path}`).join('/')}`;

const dirname = (path: string): string => `/${parts(path).slice(0, -1).join('/')}`;

function fail(code: string, syscall: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${syscall} '${path}'`), { code, syscall, path });
}
