/** What was written into an overlay's upper folder, as the entries of an image layer. */
import { createReadStream, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { BigIntStats } from 'node:fs';
import type { LayerFile } from '../archive/layer-writer.ts';
import { deviceParts, getXattr, listXattrs } from '../kernel/libc.ts';

const OVERLAY_ATTRIBUTES = 'trusted.overlay.';
const OPAQUE = 'trusted.overlay.opaque';

/** In order of names, parents first. Sockets are nobody's any more and left out. */
export function* layerDiff(upper: string): Generator<LayerFile> {
  yield* folderDiff(upper, '', new Map());
}

function* folderDiff(folder: string, prefix: string, links: Map<bigint, string>): Generator<LayerFile> {
  if (getXattr(folder, OPAQUE)?.toString() === 'y') {
    yield { name: `${prefix}.wh..wh..opq`, type: 'file', mode: 0o600, content: () => Buffer.alloc(0) };
  }
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    const stats = lstatSync(path, { bigint: true });
    const entry = toEntry(path, `${prefix}${name}`, prefix, name, stats, links);
    if (entry !== undefined) yield entry;
    if (stats.isDirectory()) yield* folderDiff(path, `${prefix}${name}/`, links);
  }
}

function toEntry(
  path: string,
  name: string,
  prefix: string,
  base: string,
  stats: BigIntStats,
  links: Map<bigint, string>,
): LayerFile | undefined {
  if (stats.isCharacterDevice() && stats.rdev === 0n) {
    return { name: `${prefix}.wh.${base}`, type: 'file', mode: 0o600, content: () => Buffer.alloc(0) };
  }
  const common = {
    name,
    mode: Number(stats.mode & 0o7777n),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    // Whole seconds: a tar header has no more, and the unpacked layer shall be what the tar says.
    mtimeMs: Math.floor(Number(stats.mtimeMs) / 1000) * 1000,
    xattrs: xattrsOf(path),
  };
  if (stats.isDirectory()) return { ...common, type: 'directory' };
  if (stats.isSymbolicLink()) return { ...common, type: 'symlink', linkName: readlinkSync(path) };
  if (stats.nlink > 1n) {
    const first = links.get(stats.ino);
    if (first !== undefined) return { ...common, type: 'link', linkName: first, xattrs: new Map() };
    links.set(stats.ino, name);
  }
  if (stats.isFile()) {
    const sizeBytes = Number(stats.size);
    const content = (): AsyncIterable<Uint8Array> => createReadStream(path);
    return sizeBytes === 0
      ? { ...common, type: 'file', content: () => Buffer.alloc(0) }
      : { ...common, type: 'file', sizeBytes, content };
  }
  if (stats.isFIFO()) return { ...common, type: 'fifo' };
  const { major, minor } = deviceParts(stats.rdev);
  const device = { deviceMajor: major, deviceMinor: minor };
  if (stats.isCharacterDevice()) return { ...common, ...device, type: 'character' };
  if (stats.isBlockDevice()) return { ...common, ...device, type: 'block' };
  return undefined;
}

function xattrsOf(path: string): ReadonlyMap<string, Buffer> {
  const xattrs = new Map<string, Buffer>();
  for (const name of listXattrs(path)) {
    const value = name.startsWith(OVERLAY_ATTRIBUTES) ? undefined : getXattr(path, name);
    if (value !== undefined) xattrs.set(name, value);
  }
  return xattrs;
}
