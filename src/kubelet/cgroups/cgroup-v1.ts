/** cgroup v1: one tree per controller. https://docs.kernel.org/admin-guide/cgroup-v1/ */
import type { Files } from '#platform';
import { QUOTA_PERIOD_US } from '../resources/container-resources.ts';
import { type CgroupTree, removeTree, subfolders } from './cgroup-tree.ts';
import type { CgroupLimits } from './pod-limits.ts';

const LIMITED = ['cpu', 'memory', 'pids'] as const;
/** Not a controller but the folder of the unified tree on hybrid systems. */
const UNIFIED = 'unified';

export class CgroupV1 implements CgroupTree {
  readonly #files: Files;
  readonly #root: string;

  constructor(files: Files, root: string) {
    this.#files = files;
    this.#root = root;
  }

  async make(path: string): Promise<void> {
    for (const controller of LIMITED) {
      await this.#files.mkdir(`${this.#root}/${controller}/${path}`, { recursive: true });
    }
  }

  async limit(path: string, limits: CgroupLimits): Promise<void> {
    const { cpuShares, cpuQuotaUs, memoryBytes, pids } = limits;
    await this.#write('cpu', path, 'cpu.shares', cpuShares);
    await this.#write('cpu', path, 'cpu.cfs_period_us', QUOTA_PERIOD_US);
    await this.#write('cpu', path, 'cpu.cfs_quota_us', cpuQuotaUs ?? -1);
    await this.#write('memory', path, 'memory.limit_in_bytes', memoryBytes ?? -1);
    await this.#write('pids', path, 'pids.max', pids ?? 'max');
  }

  /** In every controller: the runtime makes its containers' cgroups in all of them. */
  async remove(path: string): Promise<void> {
    for (const controller of await this.#files.list(this.#root)) {
      if (controller !== UNIFIED) await removeTree(this.#files, `${this.#root}/${controller}/${path}`);
    }
  }

  children(path: string): Promise<readonly string[]> {
    return subfolders(this.#files, `${this.#root}/cpu/${path}`);
  }

  async #write(controller: string, path: string, file: string, value: number | string): Promise<void> {
    await this.#files.writeFile(`${this.#root}/${controller}/${path}/${file}`, String(value));
  }
}
