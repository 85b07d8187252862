/** What plugins need to know besides pods and nodes. All from caches: nothing here waits. */
import type { appsV1, coreV1, policyV1, storageV1 } from '#api';
import { type Informer, type InformerFactory, resources } from '#client';
import type { LabelSelectorObject } from '#machinery';

type Labels = Readonly<Record<string, string>>;

export interface ClusterView {
  namespaceLabels(namespace: string): Labels | undefined;
  /** Selects the pods that belong together with this one, by its services and its controller; undefined: none do. */
  groupSelector(pod: coreV1.Pod): LabelSelectorObject | undefined;
  disruptionBudgets(): readonly policyV1.PodDisruptionBudget[];
  claim(namespace: string, name: string): coreV1.PersistentVolumeClaim | undefined;
  volume(name: string): coreV1.PersistentVolume | undefined;
  volumes(): readonly coreV1.PersistentVolume[];
  storageClass(name: string): storageV1.StorageClass | undefined;
}

export interface InformedView extends ClusterView {
  readonly claims: Informer<coreV1.PersistentVolumeClaim>;
  synced(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Called whenever storage changed. Returns the way to end it. */
  onStorageChange(changed: () => void): () => void;
}

export function viewOf(informers: InformerFactory): InformedView {
  const namespaces = informers.for<coreV1.Namespace>(resources.namespaces);
  const services = informers.for<coreV1.Service>(resources.services);
  const replicaSets = informers.for<appsV1.ReplicaSet>(resources.replicaSets);
  const statefulSets = informers.for<appsV1.StatefulSet>(resources.statefulSets);
  const replicationControllers = informers.for<coreV1.ReplicationController>(
    resources.replicationControllers,
  );
  const budgets = informers.for<policyV1.PodDisruptionBudget>(resources.podDisruptionBudgets);
  const claims = informers.for<coreV1.PersistentVolumeClaim>(resources.persistentVolumeClaims);
  const volumes = informers.for<coreV1.PersistentVolume>(resources.persistentVolumes);
  const storageClasses = informers.for<storageV1.StorageClass>(resources.storageClasses);

  const ownerSelector = (pod: coreV1.Pod): LabelSelectorObject | undefined => {
    const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true);
    if (owner === undefined) return undefined;
    const key = `${pod.metadata.namespace ?? ''}/${owner.name}`;
    switch (`${owner.apiVersion}/${owner.kind}`) {
      case 'apps/v1/ReplicaSet':
        return replicaSets.get(key)?.spec.selector;
      case 'apps/v1/StatefulSet':
        return statefulSets.get(key)?.spec.selector;
      case 'v1/ReplicationController': {
        const matchLabels = replicationControllers.get(key)?.spec?.selector;
        return matchLabels === undefined ? undefined : { matchLabels };
      }
      default:
        return undefined;
    }
  };
  return {
    claims,
    namespaceLabels: (namespace) => namespaces.get(namespace)?.metadata.labels,
    groupSelector(pod) {
      let matchLabels: Labels = {};
      for (const { spec } of services.list(pod.metadata.namespace)) {
        const { selector } = spec;
        if (selector !== undefined && selects(selector, pod)) matchLabels = { ...matchLabels, ...selector };
      }
      const owner = ownerSelector(pod);
      matchLabels = { ...matchLabels, ...owner?.matchLabels };
      const matchExpressions = owner?.matchExpressions ?? [];
      if (Object.keys(matchLabels).length === 0 && matchExpressions.length === 0) return undefined;
      return { matchLabels, matchExpressions };
    },
    disruptionBudgets: () => budgets.list(),
    claim: (namespace, name) => claims.get(`${namespace}/${name}`),
    volume: (name) => volumes.get(name),
    volumes: () => volumes.list(),
    storageClass: (name) => storageClasses.get(name),
    async synced(options) {
      const all: readonly Pick<Informer<unknown>, 'synced'>[] = [
        namespaces,
        services,
        replicaSets,
        statefulSets,
        replicationControllers,
        budgets,
        claims,
        volumes,
        storageClasses,
      ];
      await Promise.all(all.map((informer) => informer.synced(options)));
    },
    onStorageChange(changed) {
      const handler = { onAdd: changed, onUpdate: changed };
      const ends = [
        claims.addHandler(handler),
        volumes.addHandler(handler),
        storageClasses.addHandler(handler),
      ];
      return () => {
        for (const end of ends) end();
      };
    },
  };
}

function selects(selector: Labels, pod: coreV1.Pod): boolean {
  for (const key in selector) if (pod.metadata.labels?.[key] !== selector[key]) return false;
  return true;
}
