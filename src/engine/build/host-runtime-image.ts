/**
 * An image with a language's interpreter, packed from this machine: the program, its standard library and every
 * shared library they need, on top of `k8ts.local/base`.
 */
import { execFile } from 'node:child_process';
import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { RuntimeError } from '#cri';
import { folderEntry, writeLayer } from '../archive/layer-writer.ts';
import type { LayerFile } from '../archive/layer-writer.ts';
import type { ImageRecord } from '../images/image-database.ts';
import { BASE_IMAGE, makeBaseImage } from './base-image.ts';
import type { BaseImageOptions } from './base-image.ts';
import { writeImage } from './image-writer.ts';

const run = promisify(execFile);

export type HostRuntime = 'python3' | 'node';

export const hostRuntimeImageName = (runtime: HostRuntime): string => `k8ts.local/${runtime}:latest`;

/** Files by their names in the image, symlinks followed; the folders above them come along. */
class PackedFiles {
  readonly #files = new Map<string, LayerFile>();

  add(path: string, name: string): void {
    if (this.#files.has(name)) return;
    const stats = statSync(path);
    this.#addFolders(dirname(name));
    this.#files.set(name, {
      name,
      type: 'file',
      mode: (stats.mode & 0o111) === 0 ? 0o644 : 0o755,
      sizeBytes: stats.size,
      content: () => createReadStream(path),
    });
  }

  addTree(folder: string, name: string, wanted: (entry: string) => boolean): void {
    for (const entry of readdirSync(folder).filter(wanted)) {
      const path = join(folder, entry);
      const stats = statSync(path, { throwIfNoEntry: false });
      if (stats?.isDirectory() === true) this.addTree(path, `${name}/${entry}`, wanted);
      else if (stats?.isFile() === true) this.add(path, `${name}/${entry}`);
    }
  }

  /** The shared libraries a program or library needs, at the places its loader looks for them. */
  async addLibrariesOf(program: string): Promise<void> {
    const { stdout } = await run('ldd', [program]).catch(() => ({ stdout: '' }));
    for (const [, path = ''] of stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)) {
      // The base image has its libraries below /usr, and /lib as a link to there.
      this.add(path, path.slice(1).replace(/^(lib(?:64)?)\//, 'usr/$1/'));
    }
  }

  #addFolders(name: string): void {
    if (name === '.' || this.#files.has(name)) return;
    this.#addFolders(dirname(name));
    this.#files.set(name, folderEntry(name));
  }

  /** Sorted, so that digests depend on the files alone. */
  list(): readonly LayerFile[] {
    return [...this.#files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, file]) => file);
  }
}

async function packNode(files: PackedFiles): Promise<readonly string[]> {
  files.add(process.execPath, 'usr/local/bin/node');
  await files.addLibrariesOf(process.execPath);
  return [];
}

/** Parts of Python's library that only developers of Python need. */
const PYTHON_EXTRAS = new Set([
  '__pycache__',
  'test',
  'idlelib',
  'tkinter',
  'turtledemo',
  'ensurepip',
  'site-packages',
  'dist-packages',
  'lib2to3',
  'config',
]);

async function packPython(files: PackedFiles): Promise<readonly string[]> {
  const question =
    'import os,sys,sysconfig;print(os.path.realpath(sys.executable),sysconfig.get_path("stdlib"))';
  // The distribution's own before whatever a version manager has put into the PATH.
  const interpreter = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';
  const { stdout } = await run(interpreter, ['-c', question]);
  const [program = '', library = ''] = stdout.trim().split(' ');
  files.add(program, 'usr/local/bin/python3');
  files.addTree(library, `usr/local/lib/${library.slice(library.lastIndexOf('/') + 1)}`, (entry) => {
    return !PYTHON_EXTRAS.has(entry) && !entry.startsWith('config-');
  });
  await files.addLibrariesOf(program);
  const modules = join(library, 'lib-dynload');
  for (const module of readdirSync(modules)) await files.addLibrariesOf(join(modules, module));
  return ['PYTHONHOME=/usr/local', 'PYTHONDONTWRITEBYTECODE=1', 'PYTHONUNBUFFERED=1'];
}

/** `k8ts.local/python3` or `k8ts.local/node`. @throws RuntimeError UNAVAILABLE when the machine has no such runtime. */
export async function makeHostRuntimeImage(
  options: BaseImageOptions,
  runtime: HostRuntime,
): Promise<ImageRecord> {
  const { content, images, platform } = options;
  const name = hostRuntimeImageName(runtime);
  const existing = images.find(name);
  if (existing !== undefined) return existing;
  const base = await makeBaseImage(options);
  const files = new PackedFiles();
  let environment: readonly string[];
  try {
    environment = await (runtime === 'node' ? packNode(files) : packPython(files));
  } catch (e) {
    throw new RuntimeError(
      'UNAVAILABLE',
      `no ${runtime} on this machine to make ${name} of: ${String(e)}`,
      e,
    );
  }
  const baseConfig = await images.config(base);
  const baseManifest = await images.manifest(base);
  const layer = await writeLayer(content, files.list());
  const baseLayers = baseManifest.layers.map((descriptor, i) => ({
    descriptor,
    diffId: base.diffIds[i] ?? layer.diffId,
  }));
  const image = await writeImage(content, {
    platform,
    config: {
      ...baseConfig.config,
      Env: [...(baseConfig.config?.Env ?? []), ...environment],
      Cmd: [runtime],
    },
    layers: [...baseLayers, layer],
    history: [...(baseConfig.history ?? []), { created_by: `${runtime} of the machine, on ${BASE_IMAGE}` }],
  });
  return images.register(image, name);
}
