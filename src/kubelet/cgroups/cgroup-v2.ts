/** cgroup v2: one tree. https://docs.kernel.org/admin-guide/cgroup-v2.html */
import type { Files } from '#platform';
import { QUOTA_PERIOD_US } from '../resources/container-resources.ts';
import { type CgroupTree, removeTree, subfolders } from './cgroup-tree.ts';
import type { CgroupLimits } from './pod-limits.ts';

const CONTROLLERS = ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids'];

export class CgroupV2 implements CgroupTree {
  readonly #files: Files;
  readonly #root: string;

  constructor(files: Files, root: string) {
    this.#files = files;
    this.#root = root;
  }

  /** Every ancestor has to hand its controllers down before a child can use them. */
  async make(path: string): Promise<void> {
    const parts = path.split('/');
    for (let depth = 0; depth <= parts.length; depth++) {
      const folder = [this.#root, ...parts.slice(0, depth)].join('/');
      await this.#files.mkdir(folder, { recursive: true });
      await this.#handDown(folder);
    }
  }

  async limit(path: string, limits: CgroupLimits): Promise<void> {
    const { cpuShares, cpuQuotaUs, memoryBytes, pids } = limits;
    await this.#write(path, 'cpu.weight', weightOfShares(cpuShares));
    await this.#write(path, 'cpu.max', `${cpuQuotaUs ?? 'max'} ${QUOTA_PERIOD_US}`);
    await this.#write(path, 'memory.max', memoryBytes ?? 'max');
    await this.#write(path, 'pids.max', pids ?? 'max');
  }

  remove(path: string): Promise<void> {
    return removeTree(this.#files, `${this.#root}/${path}`);
  }

  children(path: string): Promise<readonly string[]> {
    return subfolders(this.#files, `${this.#root}/${path}`);
  }

  async #handDown(folder: string): Promise<void> {
    const read = async (file: string): Promise<readonly string[]> =>
      (await this.#files.readFile(`${folder}/${file}`)).toString().trim().split(/\s+/);
    const available = await read('cgroup.controllers');
    const given = await read('cgroup.subtree_control');
    const missing = CONTROLLERS.filter((name) => available.includes(name) && !given.includes(name));
    if (missing.length === 0) return;
    const text = missing.map((name) => `+${name}`).join(' ');
    await this.#files.writeFile(`${folder}/cgroup.subtree_control`, text);
  }

  async #write(path: string, file: string, value: number | string): Promise<void> {
    await this.#files.writeFile(`${this.#root}/${path}/${file}`, String(value));
  }
}

/** 2 … 262144 shares onto 1 … 10000, as upstream and runc convert. */
export const weightOfShares = (shares: number): number => 1 + Math.floor(((shares - 2) * 9999) / 262_142);
