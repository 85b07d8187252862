/** Where the kubelet keeps what belongs to a pod. The layout is upstream's. */
export class PodFolders {
  readonly root: string;
  readonly #memoryRoot: string;

  /** `memoryRoot`: a folder on a tmpfs, for what must not touch the disk. */
  constructor(root: string, memoryRoot: string) {
    this.root = root;
    this.#memoryRoot = memoryRoot;
  }

  get pods(): string {
    return `${this.root}/pods`;
  }

  pod(uid: string): string {
    return `${this.pods}/${uid}`;
  }

  etcHosts(uid: string): string {
    return `${this.pod(uid)}/etc-hosts`;
  }

  /** Termination messages of one container. */
  container(uid: string, name: string): string {
    return `${this.pod(uid)}/containers/${name}`;
  }

  /** `plugin` as upstream escapes it: `kubernetes.io~empty-dir`. */
  volume(uid: string, plugin: string, name: string): string {
    return `${this.pod(uid)}/volumes/${plugin}/${name}`;
  }

  volumes(uid: string): string {
    return `${this.pod(uid)}/volumes`;
  }

  /** Same, in memory: secrets and tokens. One tmpfs for all pods, since a mount each would cost a process each. */
  memoryVolume(uid: string, plugin: string, name: string): string {
    return `${this.memoryVolumes(uid)}/${plugin}/${name}`;
  }

  memoryVolumes(uid: string): string {
    return `${this.#memoryRoot}/pods/${uid}`;
  }

  get memoryPods(): string {
    return `${this.#memoryRoot}/pods`;
  }
}
