/** A kubelet on a simulated machine, for tests: virtual clock, runtime and files in memory, an API that just stores. */
import type { coreV1 } from '#api';
import { schemaOf } from '#api';
import { type Client, createClient, createInformerFactory, resources } from '#client';
import {
  type ApiEndpoint,
  alreadyExists,
  applyStrategicMergePatch,
  type KubeObject,
  notFound,
  type ResourceRequest,
  type ResourceTarget,
  type WatchEvent,
} from '#machinery';
import { type Files, formatTime, silentLogger } from '#platform';
import { seededRandom, VirtualClock } from '#testing';
import type { EventSink } from './events.ts';
import { createKubelet, type Kubelet } from './kubelet.ts';
import type { KubeletOptions } from './options.ts';
import {
  createMemoryFiles,
  createSimulatedRuntime,
  type SimulatedRuntime,
  type SimulatedRuntimeOptions,
  simulatedProbes,
  simulatedProcesses,
} from './simulated/index.ts';

/** Just enough of an API: keeps objects, numbers their revisions, tells watchers. No defaults, no validation. */
class StoringEndpoint implements ApiEndpoint {
  readonly #objects = new Map<string, KubeObject>();
  readonly #watchers = new Set<(event: WatchEvent) => void>();
  readonly #clock: VirtualClock;
  #revision = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** Looks at every request first; what it throws is the answer. */
  onRequest: (request: ResourceRequest) => void = () => undefined;

  async request(request: ResourceRequest): Promise<{ code: number; object: KubeObject; warnings: string[] }> {
    this.onRequest(request);
    return { code: 200, object: this.#answer(request), warnings: [] };
  }

  async watch(
    request: ResourceTarget & {
      readonly options?: { readonly fieldSelector?: string; readonly sendInitialEvents?: boolean };
    },
    options?: { readonly signal?: AbortSignal },
  ): Promise<AsyncIterable<WatchEvent>> {
    const queue: WatchEvent[] = [];
    let wake = (): void => undefined;
    const push = (event: WatchEvent): void => {
      if (event.type !== 'BOOKMARK' && !this.#selected(request, event.object as KubeObject)) return;
      queue.push(event);
      wake();
    };
    if (request.options?.sendInitialEvents === true) {
      for (const object of this.#objects.values()) push({ type: 'ADDED', object });
      const metadata = {
        resourceVersion: String(this.#revision),
        annotations: { 'k8s.io/initial-events-end': 'true' },
      };
      push({ type: 'BOOKMARK', object: { apiVersion: 'v1', kind: 'Bookmark', metadata } });
    }
    this.#watchers.add(push);
    const watchers = this.#watchers;
    return (async function* (): AsyncGenerator<WatchEvent> {
      options?.signal?.addEventListener('abort', () => wake());
      while (options?.signal?.aborted !== true) {
        const event = queue.shift();
        if (event !== undefined) yield event;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
      watchers.delete(push);
    })();
  }

  #selected(
    target: ResourceTarget & { readonly options?: { readonly fieldSelector?: string } },
    object: KubeObject,
  ): boolean {
    if (kindOf(target.resource) !== object.kind) return false;
    if (target.namespace !== undefined && target.namespace !== object.metadata.namespace) return false;
    const [path, value] = target.options?.fieldSelector?.split('=') ?? [];
    if (path === 'metadata.name') return object.metadata.name === value;
    if (path === 'spec.nodeName') return (object['spec'] as { nodeName?: string }).nodeName === value;
    return true;
  }

  #answer(request: ResourceRequest): KubeObject {
    const { resource, namespace, name = '', subresource } = request;
    const key = (of: string): string => `${resource}/${namespace ?? ''}/${of}`;
    const held = this.#objects.get(key(name));
    const missing = (): Error => notFound({ group: request.group, resource }, name);
    switch (request.verb) {
      case 'list': {
        const items = [...this.#objects.values()].filter((object) => this.#selected(request, object));
        return {
          apiVersion: 'v1',
          kind: 'List',
          metadata: { resourceVersion: String(this.#revision) },
          items,
        };
      }
      case 'get':
        if (held === undefined) throw missing();
        return held;
      case 'create': {
        const body = request.body as KubeObject;
        if (subresource === 'token') return this.#token(body);
        const id = body.metadata.name ?? '';
        if (this.#objects.has(key(id))) throw alreadyExists({ group: request.group, resource }, id);
        const metadata = {
          ...body.metadata,
          ...(namespace === undefined ? {} : { namespace }),
          uid: body.metadata.uid ?? `uid-${id}`,
          generation: 1,
        };
        return this.#save(key(id), { ...body, apiVersion: 'v1', kind: kindOf(resource), metadata }, 'ADDED');
      }
      case 'update':
        if (held === undefined) throw missing();
        return this.#save(key(name), request.body as KubeObject, 'MODIFIED');
      case 'patch': {
        if (held === undefined) throw missing();
        const schema = schemaOf({ group: '', version: 'v1', kind: held.kind });
        if (schema === undefined) throw new Error(`no schema of ${held.kind}`);
        return this.#save(
          key(name),
          applyStrategicMergePatch(schema, held, request.body) as KubeObject,
          'MODIFIED',
        );
      }
      case 'delete': {
        if (held === undefined) throw missing();
        const spec = held['spec'] as { terminationGracePeriodSeconds?: number } | undefined;
        const grace = request.options?.gracePeriodSeconds ?? spec?.terminationGracePeriodSeconds ?? 0;
        if (resource !== 'pods' || grace === 0) {
          this.#objects.delete(key(name));
          this.#tell({ type: 'DELETED', object: held });
          return held;
        }
        const metadata = {
          ...held.metadata,
          deletionTimestamp: formatTime(this.#clock.now()),
          deletionGracePeriodSeconds: grace,
        };
        return this.#save(key(name), { ...held, metadata }, 'MODIFIED');
      }
      default:
        throw new Error(`the test's API does not know ${request.verb}`);
    }
  }

  #token(body: KubeObject): KubeObject {
    const { expirationSeconds = 3600 } = body['spec'] as { expirationSeconds?: number };
    const expirationTimestamp = formatTime(this.#clock.now() + expirationSeconds * 1000);
    return { ...body, status: { token: `token-${++this.#revision}`, expirationTimestamp } };
  }

  #save(key: string, object: KubeObject, type: 'ADDED' | 'MODIFIED'): KubeObject {
    const metadata = { ...object.metadata, resourceVersion: String(++this.#revision) };
    const saved = { ...object, metadata };
    this.#objects.set(key, saved);
    this.#tell({ type, object: saved });
    return saved;
  }

  #tell(event: WatchEvent): void {
    for (const push of this.#watchers) push(event);
  }
}

const KINDS: Readonly<Record<string, string>> = {
  pods: 'Pod',
  nodes: 'Node',
  services: 'Service',
  configmaps: 'ConfigMap',
  secrets: 'Secret',
  leases: 'Lease',
  persistentvolumes: 'PersistentVolume',
  persistentvolumeclaims: 'PersistentVolumeClaim',
  serviceaccounts: 'ServiceAccount',
};
const kindOf = (resource: string): string => KINDS[resource] ?? resource;

export interface RecordedEvent {
  readonly about: string;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
}

export interface KubeletHarness {
  readonly clock: VirtualClock;
  readonly client: Client;
  readonly runtime: SimulatedRuntime;
  readonly files: Files;
  readonly events: RecordedEvent[];
  readonly kubelet: Kubelet;
  /** Sees every request to the API from now on; what it throws is the answer. */
  onRequest(look: (request: ResourceRequest) => void): void;
  /** Ends this kubelet and starts another one on the same machine. */
  restart(): Promise<Kubelet>;
  createPod(
    name: string,
    spec: Partial<coreV1.PodSpec>,
    metadata?: Partial<coreV1.Pod['metadata']>,
  ): Promise<void>;
  pod(name: string): Promise<coreV1.Pod>;
  podGone(name: string): Promise<boolean>;
  /** Reasons of the events about the pod and its containers, in order. */
  reasons(name: string): readonly string[];
  stop(): Promise<void>;
}

export const NODE_NAME = 'node-1';
export const NODE_IP = '192.168.1.10';

export async function startKubelet(
  options: Partial<KubeletOptions> & { readonly simulation?: Partial<SimulatedRuntimeOptions> } = {},
): Promise<KubeletHarness> {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const files = createMemoryFiles(clock);
  const endpoint = new StoringEndpoint(clock);
  const client = createClient(endpoint);
  const runtime = createSimulatedRuntime({ clock, random, files, ...options.simulation });
  const events: RecordedEvent[] = [];
  const sink: EventSink = {
    record: ({ name, fieldPath }, type, reason, message) =>
      events.push({ about: fieldPath === undefined ? name : `${name}/${fieldPath}`, type, reason, message }),
  };
  const start = async (): Promise<Kubelet> => {
    const informers = createInformerFactory({ client, clock, random, logger: silentLogger });
    const kubelet = createKubelet({
      nodeName: NODE_NAME,
      client,
      informers,
      events: sink,
      runtime,
      images: runtime,
      clock,
      random,
      logger: silentLogger,
      files,
      processes: simulatedProcesses,
      sockets: { connectTcp: unreachable, listenTcp: unreachable, bindUdp: unreachable },
      machine: {
        capacity: { cpu: '4', memory: '8Gi', 'ephemeral-storage': '100Gi' },
        memoryBytes: 8 * 2 ** 30,
        systemInfo: {
          architecture: 'amd64',
          bootID: 'b',
          kernelVersion: '6',
          machineID: 'm',
          osImage: 'Test',
          systemUUID: 'u',
        },
      },
      nodeIps: [NODE_IP],
      clusterDns: ['10.96.0.10'],
      clusterDomain: 'cluster.local',
      probes: simulatedProbes,
      ...options,
    });
    await kubelet.start();
    await clock.settle();
    return kubelet;
  };
  let kubelet = await start();
  return {
    clock,
    client,
    runtime,
    files,
    events,
    get kubelet() {
      return kubelet;
    },
    onRequest(look) {
      endpoint.onRequest = look;
    },
    async restart() {
      await kubelet.stop();
      kubelet = await start();
      return kubelet;
    },
    async createPod(name, spec, metadata = {}) {
      await client.resource(resources.pods, 'default').create({
        metadata: { ...metadata, name },
        spec: {
          nodeName: NODE_NAME,
          restartPolicy: 'Always',
          terminationGracePeriodSeconds: 30,
          containers: [{ name: 'app', image: 'app:1' }],
          ...spec,
        },
      });
      await clock.settle();
    },
    pod: (name) => client.resource(resources.pods, 'default').get(name),
    async podGone(name) {
      const { items } = await client.resource(resources.pods, 'default').list();
      return !items.some(({ metadata }) => metadata.name === name);
    },
    reasons: (name) => events.filter(({ about }) => about.split('/')[0] === name).map(({ reason }) => reason),
    stop: () => kubelet.stop(),
  };
}

const unreachable = (): Promise<never> => Promise.reject(new Error('no network in this test'));
