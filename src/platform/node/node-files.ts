import { watch as watchFs } from 'node:fs';
import * as fs from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Stats } from 'node:fs';
import type { Files, FileStat } from '../files.ts';

function kindOf(stats: Stats): FileStat['kind'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isSocket()) return 'socket';
  if (stats.isFIFO()) return 'fifo';
  return stats.isBlockDevice() ? 'block' : 'char';
}

const isMissing = (e: unknown): boolean => {
  const code = (e as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
};

async function replaceFile(
  path: string,
  data: Uint8Array | string,
  options: { readonly mode?: number } = {},
): Promise<void> {
  const temporary = join(dirname(path), `.${process.pid}-${process.hrtime.bigint().toString(36)}.tmp`);
  const handle = await fs.open(temporary, 'wx', options.mode ?? 0o644);
  try {
    await handle.writeFile(data);
    // The mode given to open is cut by the umask.
    if (options.mode !== undefined) await handle.chmod(options.mode);
    await handle.sync();
  } catch (e) {
    await handle.close();
    await fs.rm(temporary, { force: true });
    throw e;
  }
  await handle.close();
  await fs.rename(temporary, path);
}

/** The machine's files. */
export const nodeFiles: Files = {
  readFile: (path) => fs.readFile(path),
  async readRange(path, offset, length) {
    const handle = await fs.open(path, 'r');
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  },
  async writeFile(path, data, { mode } = {}) {
    await fs.writeFile(path, data, mode === undefined ? {} : { mode });
    if (mode !== undefined) await fs.chmod(path, mode);
  },
  replaceFile,
  async mkdir(path, { recursive = false, mode } = {}) {
    await fs.mkdir(path, { recursive });
    if (mode !== undefined) await fs.chmod(path, mode);
  },
  remove: (path) => fs.rm(path, { recursive: true, force: true }),
  async rmdir(path) {
    try {
      await fs.rmdir(path);
    } catch (e) {
      if (!isMissing(e)) throw e;
    }
  },
  rename: (from, to) => fs.rename(from, to),
  symlink: (target, path) => fs.symlink(target, path),
  readlink: (path) => fs.readlink(path),
  list: (path) => fs.readdir(path),
  async stat(path, { follow = true } = {}) {
    try {
      const stats = follow ? await fs.stat(path) : await fs.lstat(path);
      return {
        kind: kindOf(stats),
        sizeBytes: stats.size,
        mode: stats.mode & 0o7777,
        uid: stats.uid,
        gid: stats.gid,
        mtimeMs: stats.mtimeMs,
      };
    } catch (e) {
      if (isMissing(e)) return undefined;
      throw e;
    }
  },
  chmod: (path, mode) => fs.chmod(path, mode),
  chown: (path, uid, gid) => fs.lchown(path, uid, gid),
  watch(path, onChange) {
    const watcher = watchFs(path, { persistent: false }, () => onChange());
    watcher.on('error', () => onChange());
    return { close: () => watcher.close() };
  },
};
