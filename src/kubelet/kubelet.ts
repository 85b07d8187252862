/**
 * The node's agent: takes the pods bound to this node, has the runtime run them, and tells the API how they are.
 * This file only puts the parts together and hands pods to their workers.
 */
import type { coreV1 } from '#api';
import { type Informer, resources } from '#client';
import type { DnsConfig } from '#cri';
import { formatTime, type Timer } from '#platform';
import { ContainerConfigs } from './containers/container-config.ts';
import { ContainerKiller } from './containers/container-killer.ts';
import { ContainerStarter } from './containers/container-starter.ts';
import { createLifecycleHooks } from './containers/lifecycle-hooks.ts';
import { PodRunner } from './containers/pod-runner.ts';
import { podLogFolder } from './containers/sandbox-config.ts';
import { parseResolvConf } from './dns/pod-dns.ts';
import { podTarget } from './events.ts';
import { ImagePuller } from './images/image-puller.ts';
import { LogRotation } from './logs/log-rotation.ts';
import { NodeAgent } from './node/node-agent.ts';
import type { NodeFacts } from './node/node-status.ts';
import { WatchedObjects } from './objects/referenced-objects.ts';
import {
  DEFAULT_KUBELET_PORT,
  DEFAULT_LOG_DIR,
  DEFAULT_MAX_PODS,
  DEFAULT_MEMORY_DIR,
  DEFAULT_ROOT_DIR,
  DEFAULT_VERSION,
  type KubeletOptions,
} from './options.ts';
import { PodFolders } from './pod-folders.ts';
import { admissionFailure } from './pods/admission.ts';
import { OrphanCleaner } from './pods/orphan-cleaner.ts';
import { isTerminalPhase, type Pod, podNamespace, podUid } from './pods/pod-spec.ts';
import { PodWorker, type PodWorkerOptions } from './pods/pod-worker.ts';
import type { RuntimeContainer } from './pods/runtime-pod.ts';
import { RuntimePods } from './pods/runtime-pods.ts';
import { createNetworkProbes } from './probes/network-probes.ts';
import { PodProbes } from './probes/pod-probes.ts';
import { qosClass } from './status/qos-class.ts';
import { StatusManager } from './status/status-manager.ts';
import { createPodVolumes } from './volumes/volume-manager.ts';

/** How often the runtime is asked for everything, to repair what a lost event broke. */
const RELIST_MS = 60_000;

export interface Kubelet {
  /** Resolves when the node is registered and its pods are in the hands of their workers. */
  start(): Promise<void>;
  /** Lets go of the pods; their containers run on. */
  stop(): Promise<void>;
  /** The pods of this node with the status the kubelet has decided. */
  pods(): readonly Pod[];
  podByName(namespace: string, name: string): Pod | undefined;
  readonly nodeName: string;
  readonly runtimePods: RuntimePods;
}

export function createKubelet(options: KubeletOptions): Kubelet {
  return new NodeKubelet(options);
}

class NodeKubelet implements Kubelet {
  readonly nodeName: string;
  readonly runtimePods: RuntimePods;
  readonly #options: KubeletOptions;
  readonly #podInformer: Informer<Pod>;
  readonly #nodeInformer: Informer<coreV1.Node>;
  readonly #serviceInformer: Informer<coreV1.Service>;
  readonly #workers = new Map<string, PodWorker>();
  readonly #objects: WatchedObjects;
  readonly #statuses: StatusManager;
  readonly #folders: PodFolders;
  readonly #logRoot: string;
  readonly #now: () => string;
  #runtimeName = '';
  #workerOptions: PodWorkerOptions | undefined;
  #agent: NodeAgent | undefined;
  #orphans: OrphanCleaner | undefined;
  #relist: Timer | undefined;
  readonly #rotation: LogRotation;
  #unsubscribe: () => void = () => undefined;
  #stopped = false;

  constructor(options: KubeletOptions) {
    const { nodeName, informers, client, clock, random, logger } = options;
    this.#options = options;
    this.nodeName = nodeName;
    this.#now = () => formatTime(clock.now());
    this.#folders = new PodFolders(
      options.rootDir ?? DEFAULT_ROOT_DIR,
      options.memoryDir ?? DEFAULT_MEMORY_DIR,
    );
    this.#logRoot = options.logDir ?? DEFAULT_LOG_DIR;
    this.#podInformer = informers.for(resources.pods, { fieldSelector: `spec.nodeName=${nodeName}` });
    this.#nodeInformer = informers.for(resources.nodes, { fieldSelector: `metadata.name=${nodeName}` });
    this.#serviceInformer = informers.for(resources.services);
    this.#objects = new WatchedObjects({ client, clock, random, logger });
    this.#statuses = new StatusManager({ client, clock, logger, now: this.#now });
    this.runtimePods = new RuntimePods({ runtime: options.runtime, files: options.files });
    this.#rotation = new LogRotation({ ...options, running: () => this.#runningContainers() });
  }

  async start(): Promise<void> {
    const { runtime, informers, files, cgroups, clock, random, logger } = this.#options;
    const version = await runtime.version();
    this.#runtimeName = version.runtimeName;
    await files.mkdir(this.#folders.pods, { recursive: true });
    await cgroups?.start();
    informers.start();
    const agent = this.#createAgent(`${version.runtimeName}://${version.runtimeVersion}`);
    this.#agent = agent;
    await agent.start();
    this.#compose(agent);
    await Promise.all([
      this.#podInformer.synced(),
      this.#nodeInformer.synced(),
      this.#serviceInformer.synced(),
    ]);
    await this.runtimePods.start((uid) => this.#observeRuntime(uid));
    this.#objects.onChange((users) => users.forEach((uid) => this.#workers.get(uid)?.wake()));
    this.#unsubscribe = this.#podInformer.addHandler({
      onAdd: (pod) => this.#add(pod),
      onUpdate: (pod) => this.#update(pod),
      onDelete: (pod) => this.#delete(pod),
    });
    await this.#orphans?.clean();
    const relist = (): void => {
      const again = (): void => {
        if (this.#stopped) return;
        this.#relist = clock.setTimer(RELIST_MS * (1 + random.next() / 2), relist);
      };
      this.runtimePods
        .relist()
        .catch((e: unknown) => logger.warn({ err: e }, 'could not list what the runtime has'))
        .finally(again);
    };
    this.#relist = clock.setTimer(RELIST_MS, relist);
    this.#rotation.start();
    logger.info({ node: this.nodeName, pods: this.#workers.size }, 'kubelet started');
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe();
    this.#relist?.cancel();
    this.#rotation.stop();
    this.#agent?.stop();
    this.runtimePods.stop();
    for (const worker of this.#workers.values()) worker.stop();
    this.#statuses.stop();
    this.#objects.stop();
  }

  pods(): readonly Pod[] {
    return Array.from(this.#workers.values(), ({ pod }) => this.#decided(pod));
  }

  podByName(namespace: string, name: string): Pod | undefined {
    for (const { pod } of this.#workers.values()) {
      if (pod.metadata.name === name && pod.metadata.namespace === namespace) return this.#decided(pod);
    }
    return undefined;
  }

  #decided(pod: Pod): Pod {
    const status = this.#statuses.get(podUid(pod));
    return status === undefined ? pod : { ...pod, status };
  }

  async #runningContainers(): Promise<readonly RuntimeContainer[]> {
    const pods = await Promise.all(this.runtimePods.uids().map((uid) => this.runtimePods.get(uid)));
    return pods.flatMap(({ containers }) => containers.filter(({ state }) => state === 'running'));
  }

  #createAgent(runtimeVersion: string): NodeAgent {
    const { client, runtime, images, events, clock, random, logger } = this.#options;
    const facts: NodeFacts = {
      nodeName: this.nodeName,
      labels: this.#options.labels ?? {},
      nodeIps: this.#options.nodeIps,
      machine: this.#options.machine,
      maxPods: this.#options.maxPods ?? DEFAULT_MAX_PODS,
      reserved: this.#options.reserved ?? {},
      kubeletPort: this.#options.kubeletPort ?? DEFAULT_KUBELET_PORT,
      kubeletVersion: this.#options.version ?? DEFAULT_VERSION,
      runtimeVersion,
    };
    return new NodeAgent({
      client,
      node: this.#nodeInformer,
      runtime,
      images,
      events,
      clock,
      random,
      logger,
      facts,
      taints: this.#options.taints ?? [],
      providerId: this.#options.providerId,
      pressure: () => ({ memory: false, disk: false, pids: false }),
      errors: () => [],
    });
  }

  /** Builds everything a pod worker needs. */
  #compose(agent: NodeAgent): void {
    const { client, runtime, images, events, clock, random, logger, files, sockets, cgroups } = this.#options;
    const pods = this.runtimePods;
    const hostIps = this.#options.nodeIps;
    const hooks = createLifecycleHooks({
      runtime,
      sockets,
      clock,
      podIp: async (pod) => (await pods.get(podUid(pod))).ips[0] ?? hostIps[0] ?? '',
    });
    const killer = new ContainerKiller({ runtime, hooks, events, clock, logger });
    const volumes = createPodVolumes({
      client,
      files,
      processes: this.#options.processes,
      clock,
      logger,
      folders: this.#folders,
      objects: this.#objects,
      facts: (pod) => configs.facts(this.#podIps(pod)),
      onStale: (uid) => this.#workers.get(uid)?.wake(),
    });
    const configs: ContainerConfigs = new ContainerConfigs({
      files,
      random,
      folders: this.#folders,
      volumes,
      objects: this.#objects,
      services: () => this.#serviceInformer.list(),
      hostIps,
      allocatable: agent.allocatable,
      memoryCapacityBytes: this.#options.machine.memoryBytes,
      clusterDomain: this.#options.clusterDomain,
      logRoot: this.#logRoot,
      seccompDefault: this.#options.seccompDefault ?? 'RuntimeDefault',
    });
    const starter = new ContainerStarter({
      runtime,
      puller: new ImagePuller({ images, events, clock }),
      configs,
      killer,
      hooks,
      events,
      files,
      logger,
      logRoot: this.#logRoot,
      pullSecrets: (pod) => this.#pullSecrets(pod),
    });
    const runner = new PodRunner({
      runtime,
      pods,
      starter,
      killer,
      events,
      files,
      logger,
      clusterDns: { servers: this.#options.clusterDns, domain: this.#options.clusterDomain },
      hostDns: () => this.#hostDns(),
      logRoot: this.#logRoot,
      memoryCapacityBytes: this.#options.machine.memoryBytes,
      cgroupParent: (pod) => cgroups?.pathOf(pod) ?? '',
      runtimeHandler: async ({ spec }) =>
        spec.runtimeClassName === undefined
          ? ''
          : (await client.resource(resources.runtimeClasses).get(spec.runtimeClassName)).handler,
    });
    const prober = this.#options.probes ?? createNetworkProbes({ runtime, sockets, clock });
    const kubeletStartMs = clock.now();
    const podCgroups = {
      ensure: async (pod: Pod) => cgroups?.ensure(pod),
      remove: async (uid: string) => cgroups?.remove(uid),
    };
    this.#workerOptions = {
      pods,
      runner,
      killer,
      statuses: this.#statuses,
      volumes,
      cgroups: podCgroups,
      probes: (onResult) =>
        new PodProbes({ runner: prober, clock, random, events, logger, kubeletStartMs, onResult }),
      events,
      clock,
      random,
      logger,
      runtimeName: () => this.#runtimeName,
      hostIps,
      now: this.#now,
      onCleaned: (uid) => {
        this.#workers.delete(uid);
        this.#objects.release(uid);
      },
      removeFolders: async (pod) => {
        await files.remove(this.#folders.pod(podUid(pod)));
        await files.remove(podLogFolder(this.#logRoot, pod));
      },
    };
    this.#orphans = new OrphanCleaner({
      runtime,
      pods,
      volumes,
      cgroups: podCgroups,
      files,
      folders: this.#folders,
      logger,
      isKnown: (uid) => this.#workers.has(uid),
    });
  }

  #podIps(pod: Pod): readonly string[] {
    return (this.#statuses.get(podUid(pod))?.podIPs ?? pod.status?.podIPs ?? []).map(({ ip }) => ip);
  }

  async #hostDns(): Promise<DnsConfig> {
    const path = this.#options.resolvConf ?? '/etc/resolv.conf';
    const { files } = this.#options;
    if ((await files.stat(path)) === undefined) return { servers: [], searches: [], options: [] };
    return parseResolvConf((await files.readFile(path)).toString());
  }

  async #pullSecrets(pod: Pod): Promise<readonly coreV1.Secret[]> {
    const found: coreV1.Secret[] = [];
    const missing: string[] = [];
    for (const { name = '' } of pod.spec.imagePullSecrets ?? []) {
      if (name === '') continue;
      try {
        found.push(await this.#objects.secret(podNamespace(pod), name, podUid(pod)));
      } catch {
        missing.push(name);
      }
    }
    if (missing.length > 0) {
      const message = `Unable to retrieve some image pull secrets (${missing.join(', ')}); attempting to pull the image may not succeed.`;
      this.#options.events.record(podTarget(pod), 'Warning', 'FailedToRetrieveImagePullSecret', message);
    }
    return found;
  }

  #add(pod: Pod): void {
    if (this.#workerOptions === undefined || this.#stopped) return;
    const worker = new PodWorker(this.#workerOptions, pod);
    const node = this.#nodeInformer.get(this.nodeName);
    const fresh = pod.metadata.deletionTimestamp === undefined && !isTerminalPhase(pod.status?.phase);
    const others = [...this.#workers.values()].filter(({ active }) => active).map((one) => one.pod);
    this.#workers.set(podUid(pod), worker);
    const failure = fresh && node !== undefined ? admissionFailure(pod, node, others) : undefined;
    // A pod that already runs here was admitted before this kubelet came up.
    if (failure !== undefined && !this.runtimePods.has(podUid(pod))) {
      this.#options.events.record(podTarget(pod), 'Warning', failure.reason, failure.message);
      worker.reject({
        ...pod.status,
        qosClass: qosClass(pod),
        phase: 'Failed',
        reason: failure.reason,
        message: `Pod was rejected: ${failure.message}`,
      });
      return;
    }
    worker.wake();
  }

  #update(pod: Pod): void {
    this.#statuses.observe(pod);
    const worker = this.#workers.get(podUid(pod));
    if (worker === undefined) this.#add(pod);
    else worker.update(pod);
  }

  #delete(pod: Pod): void {
    this.#workers.get(podUid(pod))?.removed();
  }

  #observeRuntime(uid: string): void {
    this.#workers.get(uid)?.runtimeChanged();
  }
}
