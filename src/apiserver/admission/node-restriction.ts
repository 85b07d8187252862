/**
 * The second half of the Node authorizer: what is in a node's writes. A node changes itself, its lease, the status of
 * its pods, and nothing that would draw workloads or secrets to it.
 */
import { isDeepStrictEqual } from 'node:util';
import type { authenticationV1, certificatesV1, coreV1, resourceV1 } from '#api';
import { type KubeObject, notFound } from '#machinery';
import type { Authorizer } from '../authorization/authorizer.ts';
import { nodeNameOf } from '../authorization/node-identity.ts';
import type { CacheReader } from '../reader.ts';
import { typed } from '../typed-object.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { requestedSubject } from './certificate-request.ts';
import { MIRROR_ANNOTATION, referencedApiObjects } from './mirror-pod.ts';
import { forbiddenLabelChanges } from './node-labels.ts';
import { refusal } from './refusal.ts';
import { podAsksForAudience } from './token-audience.ts';

const PODS = { group: '', resource: 'pods' };
const NODES = { group: '', resource: 'nodes' };
const LEASE_NAMESPACE = 'kube-node-lease';
const KUBELET_SIGNERS = ['kubernetes.io/kubelet-serving', 'kubernetes.io/kube-apiserver-client-kubelet'];

const quote = (text: string): string => JSON.stringify(text);

export function nodeRestriction(options: {
  readonly reader: CacheReader;
  readonly authorizer: Authorizer;
}): AdmissionPlugin {
  return {
    name: 'NodeRestriction',
    mutate(attributes: AdmissionAttributes): KubeObject | undefined {
      const { user, operation, object } = attributes;
      if (operation === 'CONNECT') return object;
      const node = nodeNameOf(user);
      if (node === undefined) return object;
      if (node === '') throw refusal(attributes, `could not determine node from user ${quote(user.name)}`);
      new NodeWrite(node, attributes, options).check();
      return object;
    },
  };
}

/** One write of one node. Every check throws the refusal. */
class NodeWrite {
  readonly #node: string;
  readonly #attributes: AdmissionAttributes;
  readonly #reader: CacheReader;
  readonly #authorizer: Authorizer;

  constructor(
    node: string,
    attributes: AdmissionAttributes,
    options: { readonly reader: CacheReader; readonly authorizer: Authorizer },
  ) {
    this.#node = node;
    this.#attributes = attributes;
    this.#reader = options.reader;
    this.#authorizer = options.authorizer;
  }

  check(): void {
    const { group, resource } = this.#attributes.target;
    switch (group === '' ? resource : `${resource}.${group}`) {
      case 'pods':
        return this.#checkPod();
      case 'nodes':
        return this.#checkNode();
      case 'persistentvolumeclaims':
        return this.#checkClaim();
      case 'serviceaccounts':
        return this.#checkTokenRequest();
      case 'podcertificaterequests.certificates.k8s.io':
        throw this.#refuse('PodCertificateRequest feature gate is disabled');
      case 'leases.coordination.k8s.io':
        return this.#checkLease();
      case 'csinodes.storage.k8s.io':
        return this.#checkOwnName('CSINode');
      case 'resourceslices.resource.k8s.io':
        return this.#checkResourceSlice();
      case 'certificatesigningrequests.certificates.k8s.io':
        return this.#checkSigningRequest();
      default:
        return undefined;
    }
  }

  #refuse(why: string): Error {
    return refusal(this.#attributes, why);
  }

  #checkPod(): void {
    const { subresource = '' } = this.#attributes.target;
    const { operation } = this.#attributes;
    switch (subresource) {
      case '':
        if (operation === 'CREATE') return this.#checkMirrorPod();
        if (operation === 'DELETE') return this.#checkPodDeletion();
        throw this.#refuse(
          `unexpected operation ${quote(operation)}, node ${quote(this.#node)} can only create and delete mirror pods`,
        );
      case 'status':
        if (operation === 'UPDATE') return this.#checkPodStatus();
        throw this.#refuse(`unexpected operation ${quote(operation)}`);
      case 'eviction':
        if (operation === 'CREATE') return this.#checkEviction();
        throw this.#refuse(`unexpected operation ${operation}`);
      default:
        throw this.#refuse(
          `unexpected pod subresource ${quote(subresource)}, only 'status' and 'eviction' are allowed`,
        );
    }
  }

  #existingPod(name: string): coreV1.Pod {
    const pod = this.#reader.get<coreV1.Pod>(PODS, this.#attributes.target.namespace ?? '', name);
    if (pod === undefined) throw notFound(PODS, name);
    return pod;
  }

  #checkPodDeletion(): void {
    if (this.#existingPod(this.#attributes.target.name ?? '').spec.nodeName !== this.#node) {
      throw this.#refuse(`node ${quote(this.#node)} can only delete pods with spec.nodeName set to itself`);
    }
  }

  #checkEviction(): void {
    const name = this.#attributes.target.name ?? this.#attributes.object?.metadata.name ?? '';
    if (name === '') throw this.#refuse('could not determine pod from request data');
    if (this.#existingPod(name).spec.nodeName !== this.#node) {
      throw this.#refuse(`node ${this.#node} can only evict pods with spec.nodeName set to itself`);
    }
  }

  #checkMirrorPod(): void {
    const { object } = this.#attributes;
    if (object === undefined) return;
    const pod = typed<coreV1.Pod>(object);
    const node = `node ${quote(this.#node)}`;
    if (pod.metadata.annotations?.[MIRROR_ANNOTATION] === undefined) {
      throw this.#refuse(
        `pod does not have ${quote(MIRROR_ANNOTATION)} annotation, ${node} can only create mirror pods`,
      );
    }
    if (pod.spec.nodeName !== this.#node) {
      throw this.#refuse(`${node} can only create pods with spec.nodeName set to itself`);
    }
    this.#checkOwner(pod);
    const referenced = referencedApiObjects(pod);
    if (referenced !== undefined)
      throw this.#refuse(`${node} can not create pods that reference ${referenced}`);
  }

  /** A mirror pod goes with its node: exactly one owner, the node itself. */
  #checkOwner(pod: coreV1.Pod): void {
    const node = `node ${quote(this.#node)}`;
    const [owner, ...others] = pod.metadata.ownerReferences ?? [];
    if (others.length > 0) {
      throw this.#refuse(`${node} can only create pods with a single owner reference set to itself`);
    }
    if (owner?.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== this.#node) {
      throw this.#refuse(`${node} can only create pods with an owner reference set to itself`);
    }
    if (owner.controller !== true) {
      throw this.#refuse(`${node} can only create pods with a controller owner reference set to itself`);
    }
    if (owner.blockOwnerDeletion === true) {
      throw this.#refuse(`${node} must not set blockOwnerDeletion on an owner reference`);
    }
    const existing = this.#reader.get<coreV1.Node>(NODES, '', this.#node);
    if (existing === undefined) throw notFound({ group: '', resource: 'node' }, this.#node);
    const { uid } = existing.metadata;
    if (owner.uid !== uid) {
      throw this.#refuse(`node ${this.#node} UID mismatch: expected ${owner.uid} got ${uid}`);
    }
  }

  #checkPodStatus(): void {
    const { object, oldObject } = this.#attributes;
    if (object === undefined || oldObject === undefined) return;
    const [pod, old] = [typed<coreV1.Pod>(object), typed<coreV1.Pod>(oldObject)];
    const node = `node ${quote(this.#node)}`;
    if (old.spec.nodeName !== this.#node) {
      throw this.#refuse(`${node} can only update pod status for pods with spec.nodeName set to itself`);
    }
    if (!isDeepStrictEqual(old.metadata.labels ?? {}, pod.metadata.labels ?? {})) {
      throw this.#refuse(`${node} cannot update labels through pod status`);
    }
    const claims = ({ status }: coreV1.Pod) => status?.resourceClaimStatuses ?? [];
    if (!isDeepStrictEqual(claims(old), claims(pod))) {
      throw this.#refuse(`${node} cannot update resource claim statues`);
    }
    const extended = ({ status }: coreV1.Pod) => status?.extendedResourceClaimStatus;
    if (!isDeepStrictEqual(extended(old), extended(pod))) {
      throw this.#refuse(`${node} cannot update extended resource claim status`);
    }
  }

  #checkNode(): void {
    const { operation, object, oldObject, target } = this.#attributes;
    const name = target.name ?? object?.metadata.name ?? '';
    const self = `node ${quote(this.#node)}`;
    if (name !== this.#node) throw this.#refuse(`${self} is not allowed to modify node ${quote(name)}`);
    if (object === undefined) return;
    const node = typed<coreV1.Node>(object);
    if (operation === 'CREATE') {
      if (node.spec?.configSource !== undefined) {
        throw this.#refuse(`${self} is not allowed to create pods with a non-nil configSource`);
      }
      const forbidden = forbiddenLabelChanges(node.metadata.labels);
      if (forbidden.length > 0) {
        throw this.#refuse(`${self} is not allowed to set the following labels: ${forbidden.join(', ')}`);
      }
    }
    if (operation === 'UPDATE' && oldObject !== undefined) {
      this.#checkNodeUpdate(node, typed<coreV1.Node>(oldObject));
    }
  }

  #checkNodeUpdate(node: coreV1.Node, old: coreV1.Node): void {
    const self = `node ${quote(this.#node)}`;
    const source = node.spec?.configSource;
    if (source !== undefined && !isDeepStrictEqual(source, old.spec?.configSource)) {
      throw this.#refuse(`${self} is not allowed to update configSource to a new non-nil configSource`);
    }
    if (!isDeepStrictEqual(node.spec?.taints ?? [], old.spec?.taints ?? [])) {
      throw this.#refuse(`${self} is not allowed to modify taints`);
    }
    if (!isDeepStrictEqual(node.metadata.ownerReferences ?? [], old.metadata.ownerReferences ?? [])) {
      throw this.#refuse(`${self} is not allowed to modify ownerReferences`);
    }
    const forbidden = forbiddenLabelChanges(node.metadata.labels, old.metadata.labels);
    if (forbidden.length > 0) {
      throw this.#refuse(`is not allowed to modify labels: ${forbidden.join(', ')}`);
    }
  }

  #checkClaim(): void {
    const { operation, object, oldObject, target } = this.#attributes;
    if (target.subresource !== 'status') throw this.#refuse('may only update PVC status');
    if (operation !== 'UPDATE') throw this.#refuse(`unexpected operation ${quote(operation)}`);
    if (object === undefined || oldObject === undefined) return;
    if (!isDeepStrictEqual(withoutCapacity(object), withoutCapacity(oldObject))) {
      throw this.#refuse(
        `node ${quote(this.#node)} is not allowed to update fields other than status.quantity and status.conditions: the claim differs in other fields`,
      );
    }
  }

  #checkTokenRequest(): void {
    const { operation, object, target } = this.#attributes;
    if (operation !== 'CREATE' || target.subresource !== 'token' || object === undefined) return;
    const { spec } = typed<authenticationV1.TokenRequest>(object);
    const ref = spec.boundObjectRef;
    if (ref?.apiVersion !== 'v1' || ref.kind !== 'Pod' || (ref.name ?? '') === '') {
      throw this.#refuse('node requested token not bound to a pod');
    }
    if ((ref.uid ?? '') === '') {
      throw this.#refuse('node requested token with a pod binding without a uid');
    }
    const pod = this.#existingPod(ref.name ?? '');
    if (ref.uid !== pod.metadata.uid) {
      throw this.#refuse(
        `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      );
    }
    if (pod.spec.nodeName !== this.#node) {
      throw this.#refuse('node requested token bound to a pod scheduled on a different node');
    }
    this.#checkAudience(spec.audiences ?? [], pod);
  }

  /** A node gets tokens for the audiences its pods ask for, or those an administrator allowed it. */
  #checkAudience(audiences: readonly string[], pod: coreV1.Pod): void {
    if (audiences.length > 1) throw this.#refuse('node may only request 0 or 1 audiences');
    const audience = audiences[0] ?? '';
    if (podAsksForAudience(this.#reader, pod, audience)) return;
    const { user, target } = this.#attributes;
    const decision = this.#authorizer.authorize({
      user,
      verb: 'request-serviceaccounts-token-audience',
      group: '',
      version: 'v1',
      resource: audience,
      namespace: target.namespace,
      name: target.name,
    });
    if (decision.verdict === 'allow') return;
    throw this.#refuse(
      `audience ${quote(audience)} not found in pod spec volume, ${user.name} is not authorized to request tokens for this audience`,
    );
  }

  #checkLease(): void {
    if (this.#attributes.target.namespace !== LEASE_NAMESPACE) {
      throw this.#refuse(`can only access leases in the ${quote(LEASE_NAMESPACE)} system namespace`);
    }
    this.#checkOwnName('node lease');
  }

  #checkOwnName(what: string): void {
    const { operation, object, target } = this.#attributes;
    const name = operation === 'CREATE' ? object?.metadata.name : target.name;
    if (name !== this.#node) {
      throw this.#refuse(`can only access ${what} with the same name as the requesting node`);
    }
  }

  #checkResourceSlice(): void {
    const { operation, object, oldObject } = this.#attributes;
    const slice = operation === 'CREATE' ? object : operation === 'DELETE' ? oldObject : undefined;
    if (slice === undefined) return;
    if (typed<resourceV1.ResourceSlice>(slice).spec.nodeName !== this.#node) {
      const verb = operation === 'CREATE' ? 'create' : 'delete';
      throw this.#refuse(`can only ${verb} ResourceSlice with the same NodeName as the requesting node`);
    }
  }

  #checkSigningRequest(): void {
    const { operation, object } = this.#attributes;
    if (operation !== 'CREATE' || object === undefined) return;
    const { signerName, request } = typed<certificatesV1.CertificateSigningRequest>(object).spec;
    if (!KUBELET_SIGNERS.includes(signerName)) return;
    let commonName: string;
    try {
      ({ commonName } = requestedSubject(request ?? ''));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw this.#refuse(`unable to parse csr: ${why}`);
    }
    if (commonName !== `system:node:${this.#node}`) {
      throw this.#refuse(`can only create a node CSR with CN=system:node:${this.#node}`);
    }
  }
}

/** A claim without what its node may report; its resourceVersion may be left out of an update. */
function withoutCapacity(claim: KubeObject): object {
  const { resourceVersion: _version, managedFields: _managed, ...metadata } = claim.metadata;
  const status = { ...(claim.status as object | undefined) } as Record<string, unknown>;
  for (const field of ['capacity', 'conditions', 'allocatedResourceStatuses', 'allocatedResources']) {
    delete status[field];
  }
  return { ...claim, metadata, status };
}
