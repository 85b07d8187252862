/**
 * Who owns whom, by uid. An edge may point at an owner that is not (yet, or any more) in the graph: whether that one
 * exists is asked of the API when it matters, so no stand-in for it is kept.
 */
import type { ServedResource } from '../frame/served-resources.ts';
import type { ObjectMetadata, OwnerReference } from '#machinery';

export interface GraphNode {
  readonly uid: string;
  readonly resource: ServedResource;
  readonly namespace: string;
  readonly name: string;
  readonly owners: readonly OwnerReference[];
  readonly isBeingDeleted: boolean;
  /** Being deleted in the foreground: waits for the dependents that block it. */
  readonly isDeletingDependents: boolean;
  /** Being deleted with its dependents set free first. */
  readonly isOrphaning: boolean;
}

const FOREGROUND = 'foregroundDeletion';
const ORPHAN = 'orphan';
const NONE: readonly never[] = [];

export function graphNode(resource: ServedResource, metadata: ObjectMetadata): GraphNode {
  const isBeingDeleted = metadata.deletionTimestamp !== undefined;
  const has = (finalizer: string): boolean => metadata.finalizers?.includes(finalizer) === true;
  return {
    uid: metadata.uid ?? '',
    resource,
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    owners: metadata.ownerReferences ?? NONE,
    isBeingDeleted,
    isDeletingDependents: isBeingDeleted && has(FOREGROUND),
    isOrphaning: isBeingDeleted && has(ORPHAN),
  };
}

export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  dependentsOf(uid: string): readonly GraphNode[] {
    const dependents: GraphNode[] = [];
    for (const dependent of this.#dependents.get(uid) ?? []) {
      const node = this.#nodes.get(dependent);
      if (node !== undefined) dependents.push(node);
    }
    return dependents;
  }

  /** Dependents that an owner deleted in the foreground has to wait for. */
  blockersOf(uid: string): readonly GraphNode[] {
    return this.dependentsOf(uid).filter(({ owners }) =>
      owners.some((owner) => owner.uid === uid && owner.blockOwnerDeletion === true),
    );
  }

  /** Returns the node it replaces. */
  set(node: GraphNode): GraphNode | undefined {
    const old = this.#nodes.get(node.uid);
    this.#nodes.set(node.uid, node);
    for (const owner of old?.owners ?? NONE) {
      if (!node.owners.some(({ uid }) => uid === owner.uid)) this.#unlink(owner.uid, node.uid);
    }
    for (const owner of node.owners) {
      const dependents = this.#dependents.get(owner.uid);
      if (dependents === undefined) this.#dependents.set(owner.uid, new Set([node.uid]));
      else dependents.add(node.uid);
    }
    return old;
  }

  delete(uid: string): GraphNode | undefined {
    const node = this.#nodes.get(uid);
    if (node === undefined) return undefined;
    this.#nodes.delete(uid);
    for (const owner of node.owners) this.#unlink(owner.uid, uid);
    return node;
  }

  #unlink(owner: string, dependent: string): void {
    const dependents = this.#dependents.get(owner);
    dependents?.delete(dependent);
    if (dependents?.size === 0) this.#dependents.delete(owner);
  }
}
