/**
 * Writes a set of files so that a reader sees either all old or all new ones. The layout is upstream's, and programs
 * rely on it (they watch `..data`):
 *
 *   volume/..2026_01_01_00_00_00.123/config.yaml   the files
 *   volume/..data -> ..2026_01_01_00_00_00.123     swapped by one rename
 *   volume/config.yaml -> ..data/config.yaml       what users open
 */
import type { Clock, Files } from '#platform';

export interface PayloadFile {
  readonly data: Buffer;
  /** Permission bits. */
  readonly mode: number;
  /** Owner, where it differs from the kubelet's own. */
  readonly uid?: number;
}

/** By path relative to the volume. */
export type Payload = ReadonlyMap<string, PayloadFile>;

const DATA = '..data';
const NEW_DATA = '..data_tmp';
const MAX_PATH = 4096;

/** @throws Error for a path that leaves the volume or clashes with the layout. */
export function checkPayloadPath(path: string): void {
  const parts = path.split('/');
  const bad =
    path === '' ||
    path.startsWith('/') ||
    path.length > MAX_PATH ||
    parts.includes('..') ||
    parts[0]?.startsWith('..') === true;
  if (bad) throw new Error(`invalid path: ${path}`);
}

export class AtomicWriter {
  readonly #files: Files;
  readonly #clock: Clock;

  constructor(options: { readonly files: Files; readonly clock: Clock }) {
    this.#files = options.files;
    this.#clock = options.clock;
  }

  /** `prepare` runs on the new folder before it becomes visible: ownership. */
  async write(folder: string, payload: Payload, prepare: (path: string) => Promise<void>): Promise<void> {
    const files = this.#files;
    for (const path of payload.keys()) checkPayloadPath(path);
    await files.mkdir(folder, { recursive: true, mode: 0o777 });
    const previous = await this.#current(folder);
    const name = await this.#freshName(folder);
    const fresh = `${folder}/${name}`;
    await files.mkdir(fresh, { mode: 0o755 });
    for (const [path, file] of payload) {
      const full = `${fresh}/${path}`;
      if (path.includes('/'))
        await files.mkdir(full.slice(0, full.lastIndexOf('/')), { recursive: true, mode: 0o755 });
      await files.writeFile(full, file.data, { mode: file.mode });
      if (file.uid !== undefined) await files.chown(full, file.uid, -1);
    }
    await prepare(fresh);
    await files.remove(`${folder}/${NEW_DATA}`);
    await files.symlink(name, `${folder}/${NEW_DATA}`);
    await files.rename(`${folder}/${NEW_DATA}`, `${folder}/${DATA}`);
    await this.#linkUsers(folder, payload);
    if (previous !== undefined && previous !== name) await files.remove(`${folder}/${previous}`);
  }

  async #current(folder: string): Promise<string | undefined> {
    const link = await this.#files.stat(`${folder}/${DATA}`, { follow: false });
    return link === undefined ? undefined : this.#files.readlink(`${folder}/${DATA}`);
  }

  async #freshName(folder: string): Promise<string> {
    const stamp = new Date(this.#clock.now()).toISOString().replace(/[-T:]/g, '_').replace('Z', '');
    for (let i = 0; ; i++) {
      const name = `..${stamp}${String(i).padStart(6, '0')}`;
      if ((await this.#files.stat(`${folder}/${name}`)) === undefined) return name;
    }
  }

  /** One link for each first part of a path; links of what is gone go too. */
  async #linkUsers(folder: string, payload: Payload): Promise<void> {
    const wanted = new Set(Array.from(payload.keys(), (path) => path.split('/')[0] ?? ''));
    const present = await this.#files.list(folder);
    for (const name of present) {
      if (!name.startsWith('..') && !wanted.has(name)) await this.#files.remove(`${folder}/${name}`);
    }
    for (const name of wanted) {
      if (!present.includes(name)) await this.#files.symlink(`${DATA}/${name}`, `${folder}/${name}`);
    }
  }
}

/** Same files with the same content and modes. */
export function samePayload(a: Payload | undefined, b: Payload): boolean {
  if (a === undefined || a.size !== b.size) return false;
  for (const [path, file] of b) {
    const other = a.get(path);
    if (other === undefined || other.mode !== file.mode || !other.data.equals(file.data)) return false;
  }
  return true;
}
