/** What the runtime needs to make a container. */
import type { coreV1 } from '#api';
import type { ContainerConfig, Image, Mount, SecurityProfile } from '#cri';
import type { Files, Random } from '#platform';
import { hostNetworkHosts, managedHosts } from '../dns/hosts-file.ts';
import { podHostname } from '../dns/pod-hostname.ts';
import type { DownwardFacts } from '../environment/downward.ts';
import { containerEnvironment, type Environment } from '../environment/environment.ts';
import { expand } from '../environment/expansion.ts';
import type { ReferencedObjects } from '../objects/referenced-objects.ts';
import type { PodFolders } from '../pod-folders.ts';
import { type Container, isHostNetwork, type Pod, podUid } from '../pods/pod-spec.ts';
import { containerResources } from '../resources/container-resources.ts';
import type { PodVolumes } from '../volumes/pod-volumes.ts';
import { containerAnnotations, containerLabels } from './labels.ts';
import { podLogFolder } from './sandbox-config.ts';
import { securityContext } from './security-context.ts';

export interface ContainerInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly image: Image;
  readonly restartCount: number;
  readonly podIps: readonly string[];
  readonly imageVolumes: ReadonlyMap<string, string>;
  /** The container whose processes an ephemeral container joins. */
  readonly targetId?: string;
}

export interface ContainerConfigsOptions {
  readonly files: Files;
  readonly random: Random;
  readonly folders: PodFolders;
  readonly volumes: PodVolumes;
  readonly objects: ReferencedObjects;
  readonly services: () => readonly coreV1.Service[];
  readonly hostIps: readonly string[];
  readonly allocatable: Readonly<Record<string, string>>;
  readonly memoryCapacityBytes: number;
  readonly clusterDomain: string;
  readonly logRoot: string;
  readonly seccompDefault: SecurityProfile['type'];
}

const ETC_HOSTS = '/etc/hosts';

export class ContainerConfigs {
  readonly #options: ContainerConfigsOptions;

  constructor(options: ContainerConfigsOptions) {
    this.#options = options;
  }

  /** @throws Error whose message becomes the one of `CreateContainerConfigError`. */
  async build(input: ContainerInput): Promise<ContainerConfig> {
    const { pod, container, image, restartCount } = input;
    const podIps = isHostNetwork(pod) ? this.#options.hostIps : input.podIps;
    const { files, logRoot, volumes } = this.#options;
    const env = await containerEnvironment({
      pod,
      container,
      objects: this.#options.objects,
      services: this.#options.services(),
      facts: this.facts(podIps),
    });
    const mounts = await this.#mounts(input, env);
    const security = securityContext({
      pod,
      container,
      image,
      seccompDefault: this.#options.seccompDefault,
      seccompFolder: `${this.#options.folders.root}/seccomp`,
      extraGroups: volumes.groupsOf(pod),
      ...(input.targetId === undefined ? {} : { targetId: input.targetId }),
    });
    await files.mkdir(`${podLogFolder(logRoot, pod)}/${container.name}`, { recursive: true });
    const known = (name: string): string | undefined => env.get(name);
    return {
      metadata: { name: container.name, attempt: restartCount },
      image: image.id,
      command: (container.command ?? []).map((word) => expand(word, known)),
      args: (container.args ?? []).map((word) => expand(word, known)),
      workingDir: container.workingDir ?? '',
      env: Array.from(env, ([key, value]) => ({ key, value })),
      mounts,
      devices: [],
      labels: containerLabels(pod, container),
      annotations: containerAnnotations(pod, container, restartCount),
      logPath: `${container.name}/${restartCount}.log`,
      stdin: container.stdin === true,
      stdinOnce: container.stdinOnce === true,
      tty: container.tty === true,
      ...(container.lifecycle?.stopSignal === undefined
        ? {}
        : { stopSignal: container.lifecycle.stopSignal }),
      linux: {
        resources: containerResources(pod, container, this.#options.memoryCapacityBytes),
        security,
      },
    };
  }

  facts(podIps: readonly string[]): DownwardFacts {
    return { podIps, hostIps: this.#options.hostIps, allocatable: this.#options.allocatable };
  }

  async #mounts(input: ContainerInput, env: Environment): Promise<readonly Mount[]> {
    const { pod, container, imageVolumes } = input;
    const mounts = [...(await this.#options.volumes.mountsOf({ pod, container, env, imageVolumes }))];
    const ownHosts = (container.volumeMounts ?? []).some(({ mountPath }) => mountPath === ETC_HOSTS);
    if (!ownHosts && (input.podIps.length > 0 || isHostNetwork(pod))) {
      mounts.push(fileMount(ETC_HOSTS, await this.#hostsFile(pod, input.podIps)));
    }
    const messagePath = container.terminationMessagePath ?? '';
    if (messagePath !== '') mounts.push(fileMount(messagePath, await this.#messageFile(pod, container)));
    return mounts;
  }

  async #hostsFile(pod: Pod, podIps: readonly string[]): Promise<string> {
    const { files, folders, clusterDomain } = this.#options;
    const path = folders.etcHosts(podUid(pod));
    const aliases = pod.spec.hostAliases ?? [];
    const text = isHostNetwork(pod)
      ? hostNetworkHosts((await files.readFile(ETC_HOSTS)).toString(), aliases)
      : managedHosts(podIps, podHostname(pod, clusterDomain), aliases);
    await files.mkdir(folders.pod(podUid(pod)), { recursive: true });
    await files.writeFile(path, text, { mode: 0o644 });
    return path;
  }

  /** An empty file of its own for each incarnation, writable by whoever runs in the container. */
  async #messageFile(pod: Pod, container: Container): Promise<string> {
    const { files, folders, random } = this.#options;
    const folder = folders.container(podUid(pod), container.name);
    const path = `${folder}/${Buffer.from(random.bytes(4)).toString('hex')}`;
    await files.mkdir(folder, { recursive: true });
    await files.writeFile(path, '', { mode: 0o666 });
    return path;
  }
}

const fileMount = (containerPath: string, hostPath: string): Mount => ({
  containerPath,
  hostPath,
  readonly: false,
  propagation: 'PRIVATE',
});
