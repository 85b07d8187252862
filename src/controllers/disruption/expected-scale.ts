import { type appsV1, builtinResources, type coreV1 } from '#api';
import { type Client, type Informer, type InformerFactory, resources } from '#client';
import { groupResourceName, isNotFound, type OwnerReference, parseApiVersion } from '#machinery';
import { type ServedResource, ServedResources } from '../frame/served-resources.ts';
import { controllerOfObject } from '../frame/ownership.ts';

interface Scaled {
  readonly metadata: { readonly uid: string };
  readonly spec: { readonly replicas?: number };
}

interface Scale {
  readonly uid: string;
  readonly replicas: number;
}

export interface ExpectedScale {
  /** The pods that all controllers of the given ones together want. */
  readonly count: number;
  /** Names of those that nobody controls. */
  readonly unmanaged: readonly string[];
}

/** How many pods their controllers want, which is more than there are while some are missing. */
export class ScaleFinder {
  readonly informers: readonly Pick<Informer<unknown>, 'synced'>[];
  readonly #client: Client;
  readonly #replicaSets: Informer<appsV1.ReplicaSet>;
  readonly #deployments: Informer<appsV1.Deployment>;
  readonly #statefulSets: Informer<appsV1.StatefulSet>;
  readonly #replicationControllers: Informer<coreV1.ReplicationController>;
  readonly #served: ServedResources;

  constructor(client: Client, informers: InformerFactory) {
    this.#client = client;
    this.#replicaSets = informers.for(resources.replicaSets);
    this.#deployments = informers.for(resources.deployments);
    this.#statefulSets = informers.for(resources.statefulSets);
    this.#replicationControllers = informers.for(resources.replicationControllers);
    this.#served = new ServedResources(informers);
    this.informers = [
      this.#replicaSets,
      this.#deployments,
      this.#statefulSets,
      this.#replicationControllers,
      this.#served.definitions,
    ];
  }

  /** @throws when a controller cannot be found, or does not say how many pods it wants. */
  async expected(pods: readonly coreV1.Pod[]): Promise<ExpectedScale> {
    const scales = new Map<string, number>();
    const asked = new Set<string>();
    const unmanaged: string[] = [];
    for (const pod of pods) {
      const owner = controllerOfObject(pod);
      if (owner === undefined) {
        unmanaged.push(pod.metadata.name);
        continue;
      }
      if (asked.has(owner.uid)) continue;
      asked.add(owner.uid);
      const scale = await this.#scaleOf(owner, pod.metadata.namespace ?? '');
      if (scale === undefined)
        throw new Error(`found no controllers for pod ${JSON.stringify(pod.metadata.name)}`);
      scales.set(scale.uid, scale.replicas);
    }
    return { count: [...scales.values()].reduce((sum, replicas) => sum + replicas, 0), unmanaged };
  }

  async #scaleOf(owner: OwnerReference, namespace: string): Promise<Scale | undefined> {
    const { group } = parseApiVersion(owner.apiVersion);
    const key = `${namespace}/${owner.name}`;
    const found = (object: Scaled | undefined): Scale | undefined =>
      object?.metadata.uid === owner.uid
        ? { uid: owner.uid, replicas: object.spec.replicas ?? 1 }
        : undefined;
    if (group === '' && owner.kind === 'ReplicationController')
      return found(this.#replicationControllers.get(key));
    if (group === 'apps' && owner.kind === 'StatefulSet') return found(this.#statefulSets.get(key));
    if (group === 'apps' && owner.kind === 'ReplicaSet') {
      const set = this.#replicaSets.get(key);
      const parent = set?.metadata.uid === owner.uid ? controllerOfObject(set) : undefined;
      if (parent?.kind !== 'Deployment') return found(set);
      const deployment = this.#deployments.get(`${namespace}/${parent.name}`);
      return deployment?.metadata.uid === parent.uid
        ? { uid: parent.uid, replicas: deployment.spec.replicas ?? 1 }
        : undefined;
    }
    return this.#fromSubresource(owner, namespace);
  }

  async #fromSubresource(owner: OwnerReference, namespace: string): Promise<Scale | undefined> {
    const resource = this.#served.find(owner.apiVersion, owner.kind);
    if (resource === undefined)
      throw new Error(
        `no matches for kind ${JSON.stringify(owner.kind)} in version ${JSON.stringify(owner.apiVersion)}`,
      );
    try {
      const scale = await this.#client.resource(resource, namespace).getSubresource<{
        readonly metadata: { readonly uid?: string };
        readonly spec?: { readonly replicas?: number };
      }>(owner.name, 'scale');
      return scale.metadata.uid === owner.uid
        ? { uid: owner.uid, replicas: scale.spec?.replicas ?? 0 }
        : undefined;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      if (!this.#hasScale(resource)) {
        const message = `${groupResourceName(resource)} does not implement the scale subresource`;
        throw new Error(message, { cause: error });
      }
      return undefined;
    }
  }

  #hasScale({ group, version, resource }: ServedResource): boolean {
    const builtin = builtinResources.find(
      (info) => info.group === group && info.version === version && info.resource === resource,
    );
    if (builtin !== undefined) return builtin.subresources.some(({ name }) => name === 'scale');
    return this.#served.definitions
      .list()
      .some(
        ({ spec }) =>
          spec.group === group &&
          spec.names.plural === resource &&
          spec.versions.some((served) => served.name === version && served.subresources?.scale !== undefined),
      );
  }
}
