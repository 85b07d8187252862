/**
 * Which objects a node needs for the pods bound to it.
 *
 *     node ← pod ← secret, configmap, claim, resource claim, service account
 *                  claim ← volume ← secret
 *     node ← volume attachment, resource slice, pod certificate request
 *
 * Upstream walks a graph for every request. Here each object that pods reach directly counts its pods per node, so a
 * question is one look-up; only volumes, which are reached through their claim, take a second one.
 */
import type { certificatesV1beta1, coreV1, resourceV1, storageV1 } from '#api';
import type { KubeObject } from '#machinery';
import type { CacheReader } from '../reader.ts';
import { typed } from '../typed-object.ts';
import { podReferences } from './pod-references.ts';
import { volumeSecrets } from './volume-secrets.ts';

export type NodeObjectKind =
  | 'secret'
  | 'configmap'
  | 'pvc'
  | 'pv'
  | 'pod'
  | 'resourceclaim'
  | 'serviceaccount'
  | 'volumeattachment'
  | 'resourceslice'
  | 'podcertificaterequest';

const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';
const PODS = { group: '', resource: 'pods' };
const VOLUMES = { group: '', resource: 'persistentvolumes' };
const ATTACHMENTS = { group: 'storage.k8s.io', resource: 'volumeattachments' };
const SLICES = { group: 'resource.k8s.io', resource: 'resourceslices' };
const CERTIFICATE_REQUESTS = { group: 'certificates.k8s.io', resource: 'podcertificaterequests' };

const keyOf = (kind: NodeObjectKind, namespace: string, name: string): string =>
  `${kind}\0${namespace}\0${name}`;

/** What one source (a pod, an attachment) leads to: keys of objects that `node` may read because of it. */
interface Edges {
  readonly node: string;
  readonly keys: readonly string[];
}

interface VolumeEdges {
  readonly claimKey: string;
  readonly secretKeys: readonly string[];
}

export class NodeGraph {
  /** Object → node → number of sources that lead there. */
  readonly #reach = new Map<string, Map<string, number>>();
  readonly #edges = new Map<string, Edges>();
  readonly #volumes = new Map<string, VolumeEdges>();
  /** Secret → volumes that name it. */
  readonly #volumesOfSecret = new Map<string, Set<string>>();

  constructor(reader: CacheReader) {
    const follow = (
      resource: { group: string; resource: string },
      onObject: (before: KubeObject | undefined, after: KubeObject | undefined) => void,
    ): void => {
      for (const object of reader.list(resource)) onObject(undefined, object);
      reader.onChange(resource, onObject);
    };
    follow(PODS, (before, after) => this.#onPod(before, after));
    follow(VOLUMES, (before, after) => this.#onVolume(before, after));
    follow(ATTACHMENTS, (before, after) =>
      this.#onNodeObject(
        'volumeattachment',
        before,
        after,
        (object) => typed<storageV1.VolumeAttachment>(object).spec.nodeName,
      ),
    );
    follow(SLICES, (before, after) =>
      this.#onNodeObject(
        'resourceslice',
        before,
        after,
        (object) => typed<resourceV1.ResourceSlice>(object).spec.nodeName,
      ),
    );
    follow(CERTIFICATE_REQUESTS, (before, after) =>
      this.#onNodeObject(
        'podcertificaterequest',
        before,
        after,
        (object) => typed<certificatesV1beta1.PodCertificateRequest>(object).spec.nodeName,
      ),
    );
  }

  /** Whether something bound to the node needs this object. */
  reaches(node: string, kind: NodeObjectKind, namespace: string, name: string): boolean {
    const key = keyOf(kind, kind === 'pv' ? '' : namespace, name);
    if (this.#reach.get(key)?.has(node) === true) return true;
    if (kind === 'pv') return this.#reachesVolume(node, name);
    if (kind !== 'secret') return false;
    for (const volume of this.#volumesOfSecret.get(key) ?? []) {
      if (this.#reachesVolume(node, volume)) return true;
    }
    return false;
  }

  #reachesVolume(node: string, volume: string): boolean {
    const claimKey = this.#volumes.get(volume)?.claimKey;
    return claimKey !== undefined && this.#reach.get(claimKey)?.has(node) === true;
  }

  #onPod(before: KubeObject | undefined, after: KubeObject | undefined): void {
    const { namespace = '', name = '' } = (after ?? before)?.metadata ?? {};
    const source = keyOf('pod', namespace, name);
    if (after === undefined) return this.#disconnect(source);
    const pod = typed<coreV1.Pod>(after);
    const node = pod.spec.nodeName ?? '';
    if (node === '') return this.#disconnect(source);
    // Status updates are by far the most; nothing they change leads anywhere, except claims made for the pod.
    if (before !== undefined && this.#edges.get(source)?.node === node) {
      const old = typed<coreV1.Pod>(before);
      if (
        old.metadata.uid === pod.metadata.uid &&
        old.spec.ephemeralContainers?.length === pod.spec.ephemeralContainers?.length &&
        sameClaims(old, pod)
      ) {
        return;
      }
    }
    this.#disconnect(source);
    this.#connect(source, { node, keys: [source, ...podKeys(pod)] });
  }

  #onNodeObject(
    kind: NodeObjectKind,
    before: KubeObject | undefined,
    after: KubeObject | undefined,
    nodeOf: (object: KubeObject) => string | undefined,
  ): void {
    const { namespace = '', name = '' } = (after ?? before)?.metadata ?? {};
    const source = keyOf(kind, namespace, name);
    const node = after === undefined ? '' : (nodeOf(after) ?? '');
    this.#disconnect(source);
    if (node !== '') this.#connect(source, { node, keys: [source] });
  }

  #onVolume(before: KubeObject | undefined, after: KubeObject | undefined): void {
    const name = (after ?? before)?.metadata.name ?? '';
    for (const key of this.#volumes.get(name)?.secretKeys ?? []) {
      const volumes = this.#volumesOfSecret.get(key);
      volumes?.delete(name);
      if (volumes?.size === 0) this.#volumesOfSecret.delete(key);
    }
    this.#volumes.delete(name);
    if (after === undefined) return;
    const volume = typed<coreV1.PersistentVolume>(after);
    const claim = volume.spec.claimRef;
    if (claim?.name === undefined || claim.namespace === undefined) return;
    const secretKeys = volumeSecrets(volume).map((secret) => keyOf('secret', secret.namespace, secret.name));
    this.#volumes.set(name, { claimKey: keyOf('pvc', claim.namespace, claim.name), secretKeys });
    for (const key of secretKeys) {
      const volumes = this.#volumesOfSecret.get(key) ?? new Set();
      this.#volumesOfSecret.set(key, volumes.add(name));
    }
  }

  #connect(source: string, edges: Edges): void {
    this.#edges.set(source, edges);
    for (const key of edges.keys) {
      let nodes = this.#reach.get(key);
      if (nodes === undefined) this.#reach.set(key, (nodes = new Map()));
      nodes.set(edges.node, (nodes.get(edges.node) ?? 0) + 1);
    }
  }

  #disconnect(source: string): void {
    const edges = this.#edges.get(source);
    if (edges === undefined) return;
    this.#edges.delete(source);
    for (const key of edges.keys) {
      const nodes = this.#reach.get(key);
      const count = nodes?.get(edges.node) ?? 0;
      if (count > 1) nodes?.set(edges.node, count - 1);
      else nodes?.delete(edges.node);
      if (nodes?.size === 0) this.#reach.delete(key);
    }
  }
}

function podKeys(pod: coreV1.Pod): readonly string[] {
  // A node makes its mirror pods itself: they must not open anything to it.
  if (pod.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined) return [];
  const namespace = pod.metadata.namespace ?? '';
  const { secrets, configMaps, claims, resourceClaims } = podReferences(pod);
  const account = pod.spec.serviceAccountName ?? '';
  const keys = new Set([
    ...secrets.map((name) => keyOf('secret', namespace, name)),
    ...configMaps.map((name) => keyOf('configmap', namespace, name)),
    ...claims.map((name) => keyOf('pvc', namespace, name)),
    ...resourceClaims.map((name) => keyOf('resourceclaim', namespace, name)),
    ...(account === '' ? [] : [keyOf('serviceaccount', namespace, account)]),
  ]);
  return [...keys];
}

const sameClaims = (a: coreV1.Pod, b: coreV1.Pod): boolean =>
  JSON.stringify([a.status?.resourceClaimStatuses, a.status?.extendedResourceClaimStatus]) ===
  JSON.stringify([b.status?.resourceClaimStatuses, b.status?.extendedResourceClaimStatus]);
