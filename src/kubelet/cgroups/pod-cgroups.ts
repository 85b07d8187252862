/**
 * A pod's cgroup stands below its class of service: `k8ts/pod<uid>` when Guaranteed, `k8ts/burstable/pod<uid>`,
 * `k8ts/besteffort/pod<uid>`. So a class can be held back as a whole.
 */
import type { Files } from '#platform';
import { type Pod, podUid } from '../pods/pod-spec.ts';
import { cpuShares, MIN_SHARES } from '../resources/container-resources.ts';
import { podRequests } from '../resources/pod-requests.ts';
import { type QosClass, qosClass } from '../status/qos-class.ts';
import type { CgroupManager } from './cgroup-manager.ts';
import type { CgroupTree } from './cgroup-tree.ts';
import { CgroupV1 } from './cgroup-v1.ts';
import { CgroupV2 } from './cgroup-v2.ts';
import { podCgroupLimits } from './pod-limits.ts';

export interface CgroupManagerOptions {
  readonly files: Files;
  /** Default `/sys/fs/cgroup`. */
  readonly mountPoint?: string;
  /** The node's cgroup below it, e.g. `/k8ts`. */
  readonly root: string;
  /** Processes a pod may have. Default: no limit of its own. */
  readonly podPids?: number;
}

const PARENT: Readonly<Record<QosClass, string>> = {
  Guaranteed: '',
  Burstable: '/burstable',
  BestEffort: '/besteffort',
};
const POD = 'pod';

export async function createCgroupManager(options: CgroupManagerOptions): Promise<CgroupManager> {
  const { files, mountPoint = '/sys/fs/cgroup' } = options;
  const unified = (await files.stat(`${mountPoint}/cgroup.controllers`)) !== undefined;
  return new PodCgroups(unified ? new CgroupV2(files, mountPoint) : new CgroupV1(files, mountPoint), options);
}

class PodCgroups implements CgroupManager {
  readonly #tree: CgroupTree;
  readonly #name: string;
  readonly #podPids: number | undefined;
  /** Where each pod's cgroup is and what it was last given. */
  readonly #made = new Map<
    string,
    { readonly path: string; readonly limits: string; readonly milliCpu: number }
  >();

  constructor(tree: CgroupTree, options: CgroupManagerOptions) {
    this.#tree = tree;
    this.#name = options.root.replace(/^\/+/, '');
    this.#podPids = options.podPids;
  }

  async start(): Promise<void> {
    for (const parent of Object.values(PARENT)) await this.#tree.make(`${this.#name}${parent}`);
    await this.#limitClass('BestEffort', MIN_SHARES);
  }

  pathOf(pod: Pod): string {
    return `/${this.#path(pod)}`;
  }

  async ensure(pod: Pod): Promise<void> {
    const uid = podUid(pod);
    const path = this.#path(pod);
    const wanted = podCgroupLimits(pod, this.#podPids);
    const limits = JSON.stringify(wanted);
    const known = this.#made.get(uid);
    if (known?.limits === limits) return;
    if (known === undefined) await this.#tree.make(path);
    await this.#tree.limit(path, wanted);
    this.#made.set(uid, { path, limits, milliCpu: podRequests(pod).get('cpu') ?? 0 });
    await this.#limitBurstable();
  }

  async remove(uid: string): Promise<void> {
    const known = this.#made.get(uid);
    const paths =
      known === undefined ? Object.values(PARENT).map((parent) => this.#child(parent, uid)) : [known.path];
    for (const path of paths) await this.#tree.remove(path);
    if (this.#made.delete(uid)) await this.#limitBurstable();
  }

  async podUids(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const parent of Object.values(PARENT)) {
      for (const name of await this.#tree.children(`${this.#name}${parent}`)) {
        if (name.startsWith(POD)) found.push(name.slice(POD.length));
      }
    }
    return found;
  }

  #path(pod: Pod): string {
    return this.#child(PARENT[qosClass(pod)], podUid(pod));
  }

  #child(parent: string, uid: string): string {
    return `${this.#name}${parent}/${POD}${uid}`;
  }

  /** The class weighs as much as its pods asked for together. */
  async #limitBurstable(): Promise<void> {
    let milliCpu = 0;
    for (const pod of this.#made.values()) if (pod.path.includes('/burstable/')) milliCpu += pod.milliCpu;
    await this.#limitClass('Burstable', cpuShares(milliCpu));
  }

  async #limitClass(qos: QosClass, shares: number): Promise<void> {
    await this.#tree.limit(`${this.#name}${PARENT[qos]}`, {
      cpuShares: shares,
      cpuQuotaUs: undefined,
      memoryBytes: undefined,
      pids: undefined,
    });
  }
}
