/**
 * Pods go where their volumes can go. Bound claims restrict the nodes; claims whose class waits for the first consumer
 * are given a volume, or a node for the provisioner to make one, once the pod has a node.
 * Source: https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode
 */
import type { coreV1 } from '#api';
import { type Client, type Informer, objectKey, resources } from '#client';
import { parseQuantity } from '#machinery';
import type { ClusterView } from '../cluster-view.ts';
import type { PodRejection, SchedulerPlugin } from '../framework.ts';
import { matchesNodeSelector } from './node-affinity.ts';

const NO_PROVISIONER = 'kubernetes.io/no-provisioner';
const SELECTED_NODE = 'volume.kubernetes.io/selected-node';

const VOLUME_MISSING = {
  reasons: ['node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)'],
  unresolvable: true,
};
const VOLUME_ELSEWHERE = {
  reasons: ["node(s) didn't match PersistentVolume's node affinity"],
  unresolvable: true,
};
const NO_VOLUME = {
  reasons: ["node(s) didn't find available persistent volumes to bind"],
  unresolvable: true,
};

export interface VolumeBindingOptions {
  readonly view: Pick<ClusterView, 'claim' | 'volume' | 'volumes' | 'storageClass'>;
  readonly client: Client;
  readonly claims: Informer<coreV1.PersistentVolumeClaim>;
}

interface PodClaims {
  readonly bound: readonly coreV1.PersistentVolumeClaim[];
  /** To be bound when the pod has a node. */
  readonly delayed: readonly coreV1.PersistentVolumeClaim[];
}

interface Assignment {
  readonly claim: coreV1.PersistentVolumeClaim;
  /** Undefined: to be provisioned. */
  readonly volume: coreV1.PersistentVolume | undefined;
}

export function volumeBinding(options: VolumeBindingOptions): SchedulerPlugin {
  return new VolumeBinding(options);
}

class VolumeBinding implements SchedulerPlugin {
  readonly name = 'VolumeBinding';
  readonly #options: VolumeBindingOptions;
  /** Volume → claim, from the decision for a node until the claim is bound. */
  readonly #reserved = new Map<string, string>();
  readonly #assignments = new Map<string, readonly Assignment[]>();

  constructor(options: VolumeBindingOptions) {
    this.#options = options;
  }

  filterFor(pod: coreV1.Pod): ReturnType<NonNullable<SchedulerPlugin['filterFor']>> {
    const claims = this.#claimsOf(pod);
    if (claims === undefined || 'podRejected' in claims) return claims;
    const { bound, delayed } = claims;
    const volumes = bound.map((claim) => this.#options.view.volume(claim.spec.volumeName ?? ''));
    return {
      check: ({ node }) => {
        for (const volume of volumes) {
          if (volume === undefined) return VOLUME_MISSING;
          if (!reaches(volume, node)) return VOLUME_ELSEWHERE;
        }
        return this.#assign(delayed, node) === undefined ? NO_VOLUME : undefined;
      },
    };
  }

  reserve(pod: coreV1.Pod, { node }: { readonly node: coreV1.Node }): (() => void) | undefined {
    const claims = this.#claimsOf(pod);
    if (claims === undefined || 'podRejected' in claims || claims.delayed.length === 0) return undefined;
    const assignments = this.#assign(claims.delayed, node) ?? [];
    const names = assignments.flatMap(({ claim, volume }) => {
      if (volume !== undefined) this.#reserved.set(volume.metadata.name, objectKey(claim));
      return volume === undefined ? [] : [volume.metadata.name];
    });
    const { uid } = pod.metadata;
    this.#assignments.set(uid, assignments);
    return () => {
      this.#assignments.delete(uid);
      for (const name of names) this.#reserved.delete(name);
    };
  }

  preBind(
    pod: coreV1.Pod,
    nodeName: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> | undefined {
    const assignments = this.#assignments.get(pod.metadata.uid);
    if (assignments === undefined) return undefined;
    return this.#bindVolumes(assignments, nodeName, signal);
  }

  mayHelp(event: Parameters<NonNullable<SchedulerPlugin['mayHelp']>>[0]): boolean {
    return event.type === 'storage-changed' || event.type === 'node-added' || event.type === 'node-updated';
  }

  async #bindVolumes(
    assignments: readonly Assignment[],
    nodeName: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { client } = this.#options;
    await Promise.all(
      assignments.map(async ({ claim, volume }) => {
        const { name, namespace = '', uid } = claim.metadata;
        if (volume === undefined) {
          await client
            .resource(resources.persistentVolumeClaims, namespace)
            .patch(
              name,
              'application/merge-patch+json',
              { metadata: { uid, annotations: { [SELECTED_NODE]: nodeName } } },
              { signal },
            );
        } else {
          const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace, uid };
          const { resourceVersion } = volume.metadata;
          await client
            .resource(resources.persistentVolumes)
            .patch(
              volume.metadata.name,
              'application/merge-patch+json',
              { metadata: { resourceVersion }, spec: { claimRef } },
              { signal },
            );
        }
        await this.#bound(objectKey(claim), uid, signal);
      }),
    );
  }

  /** Resolves when the claim is bound; rejects when it is gone. The binding controller or the provisioner does it. */
  #bound(key: string, uid: string, signal: AbortSignal): Promise<void> {
    const { claims } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      const claim = claims.get(key);
      if (claim === undefined || claim.metadata.uid !== uid)
        reject(
          new Error(`persistentvolumeclaim ${JSON.stringify(key)} was deleted while it was being bound`),
        );
      else if (isBound(claim)) resolve();
    };
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    const end = claims.addHandler({ onUpdate: look, onDelete: look });
    look();
    return promise.finally(() => {
      end();
      signal.removeEventListener('abort', onAbort);
    });
  }

  #claimsOf(pod: coreV1.Pod): PodClaims | PodRejection | undefined {
    const bound: coreV1.PersistentVolumeClaim[] = [];
    const delayed: coreV1.PersistentVolumeClaim[] = [];
    let unbound = false;
    for (const volume of pod.spec.volumes ?? []) {
      const ephemeral = volume.ephemeral !== undefined;
      const name = ephemeral
        ? `${pod.metadata.name}-${volume.name}`
        : volume.persistentVolumeClaim?.claimName;
      if (name === undefined) continue;
      const claim = this.#options.view.claim(pod.metadata.namespace ?? '', name);
      const problem = problemWith(claim, name, ephemeral ? pod : undefined);
      if (problem !== undefined) return { podRejected: problem };
      if (claim === undefined) continue;
      if (isBound(claim)) bound.push(claim);
      else if (this.#waitsForConsumer(claim)) delayed.push(claim);
      else unbound = true;
    }
    if (unbound) return { podRejected: 'pod has unbound immediate PersistentVolumeClaims' };
    return bound.length + delayed.length === 0 ? undefined : { bound, delayed };
  }

  #waitsForConsumer({ spec }: coreV1.PersistentVolumeClaim): boolean {
    const storageClass = this.#options.view.storageClass(spec.storageClassName ?? '');
    return (spec.volumeName ?? '') === '' && storageClass?.volumeBindingMode === 'WaitForFirstConsumer';
  }

  /** A volume for each claim, the smallest that fits, or the promise of one; undefined when that cannot be. */
  #assign(
    claims: readonly coreV1.PersistentVolumeClaim[],
    node: coreV1.Node,
  ): readonly Assignment[] | undefined {
    const taken = new Set<string>();
    const assignments: Assignment[] = [];
    for (const claim of claims) {
      const key = objectKey(claim);
      const volume = this.#options.view
        .volumes()
        .filter(
          ({ metadata }) => !taken.has(metadata.name) && (this.#reserved.get(metadata.name) ?? key) === key,
        )
        .filter((candidate) => suits(candidate, claim) && reaches(candidate, node))
        .sort((a, b) => sizeOf(a.spec.capacity) - sizeOf(b.spec.capacity))[0];
      if (volume === undefined && !this.#canProvision(claim, node)) return undefined;
      if (volume !== undefined) taken.add(volume.metadata.name);
      assignments.push({ claim, volume });
    }
    return assignments;
  }

  #canProvision({ spec, metadata }: coreV1.PersistentVolumeClaim, node: coreV1.Node): boolean {
    const storageClass = this.#options.view.storageClass(spec.storageClassName ?? '');
    if (storageClass === undefined || storageClass.provisioner === NO_PROVISIONER) return false;
    const chosen = metadata.annotations?.[SELECTED_NODE];
    if (chosen !== undefined && chosen !== node.metadata.name) return false;
    const topologies = storageClass.allowedTopologies ?? [];
    if (topologies.length === 0) return true;
    return topologies.some(({ matchLabelExpressions = [] }) =>
      matchLabelExpressions.every(({ key, values }) => values.includes(node.metadata.labels?.[key] ?? '')),
    );
  }
}

const sizeOf = (resourceList: Readonly<Record<string, string>> | undefined): number =>
  parseQuantity(resourceList?.['storage'] ?? '0').value();

const isBound = ({ spec, metadata }: coreV1.PersistentVolumeClaim): boolean =>
  (spec.volumeName ?? '') !== '' && metadata.annotations?.['pv.kubernetes.io/bind-completed'] !== undefined;

function problemWith(
  claim: coreV1.PersistentVolumeClaim | undefined,
  name: string,
  ephemeralFor: coreV1.Pod | undefined,
): string | undefined {
  if (claim === undefined) {
    return ephemeralFor === undefined
      ? `persistentvolumeclaim "${name}" not found`
      : `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`;
  }
  if (claim.status.phase === 'Lost')
    return `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec.volumeName ?? ''}"`;
  if (claim.metadata.deletionTimestamp !== undefined)
    return `persistentvolumeclaim "${name}" is being deleted`;
  const owner = claim.metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (ephemeralFor !== undefined && owner?.uid !== ephemeralFor.metadata.uid) {
    const podName = `${ephemeralFor.metadata.namespace ?? ''}/${ephemeralFor.metadata.name}`;
    return `PVC ${claim.metadata.namespace ?? ''}/${name} was not created for pod ${podName} (pod is not owner)`;
  }
  return undefined;
}

/** Whether pods on the node can use the volume. */
function reaches({ spec }: coreV1.PersistentVolume, node: coreV1.Node): boolean {
  const required = spec.nodeAffinity?.required;
  return required === undefined || matchesNodeSelector(required, node);
}

/** Whether a volume that nobody has is what the claim asks for. */
function suits(
  { spec, status, metadata }: coreV1.PersistentVolume,
  claim: coreV1.PersistentVolumeClaim,
): boolean {
  const { claimRef } = spec;
  if (claimRef !== undefined) {
    const { name, namespace, uid } = claim.metadata;
    return claimRef.name === name && claimRef.namespace === namespace && (claimRef.uid ?? uid) === uid;
  }
  return (
    metadata.deletionTimestamp === undefined &&
    status.phase === 'Available' &&
    (spec.storageClassName ?? '') === (claim.spec.storageClassName ?? '') &&
    (spec.volumeMode ?? 'Filesystem') === (claim.spec.volumeMode ?? 'Filesystem') &&
    (claim.spec.accessModes ?? []).every((mode) => (spec.accessModes ?? []).includes(mode)) &&
    sizeOf(spec.capacity) >= sizeOf(claim.spec.resources?.requests)
  );
}
