/**
 * Deletes what nobody owns any more.
 *
 * An object goes when all its owners are gone (background), an owner deleted in the foreground goes after the
 * dependents that block it, and one deleted with `orphan` first strikes itself from its dependents' references. What
 * is believed about owners comes from the graph; that an owner is gone is believed only of the API.
 */
import { type InformerHandler, type ResourceClient, retryOnConflict } from '#client';
import { isNotFound, type KubeObject, type OwnerReference } from '#machinery';
import { type ControllerContext, defineController } from '../frame/controller.ts';
import type { ServedResource } from '../frame/served-resources.ts';
import { AbsentOwners } from './absent-owners.ts';
import { type GraphNode, graphNode, OwnerGraph } from './owner-graph.ts';
import { ResourceMonitors } from './resource-monitors.ts';

const WORKERS = 20;
const FOREGROUND = 'foregroundDeletion';
const ORPHAN = 'orphan';

export const garbageCollector = defineController({
  name: 'generic-garbage-collector',
  workers: WORKERS,
  setup(context) {
    const collector = new GarbageCollector(context);
    const { builtin, served } = collector.monitors;
    return {
      informers: [...builtin, served.definitions],
      async reconcile(key) {
        await collector.reconcile(key);
        return undefined;
      },
      stop: () => collector.monitors.stop(),
    };
  },
});

/** What an object's references come to. */
interface Owners {
  /** There, and staying. */
  readonly solid: readonly OwnerReference[];
  /** Not there. */
  readonly dangling: readonly OwnerReference[];
  /** Being deleted in the foreground. */
  readonly waiting: readonly OwnerReference[];
}

const ALL_GONE = 'delete:';
const SET_FREE = 'orphan:';

class GarbageCollector {
  readonly monitors: ResourceMonitors;
  readonly #context: ControllerContext;
  readonly #graph = new OwnerGraph();
  readonly #absent = new AbsentOwners();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.monitors = new ResourceMonitors(context, (resource) => this.#handler(resource));
  }

  async reconcile(key: string): Promise<void> {
    if (!this.monitors.isComplete) throw new Error('not everything is listed yet');
    const uid = key.slice(key.indexOf(':') + 1);
    const node = this.#graph.get(uid);
    if (node === undefined) return;
    if (key.startsWith(SET_FREE)) await this.#setDependentsFree(node);
    else await this.#deleteUnlessOwned(node);
  }

  #handler(resource: ServedResource): InformerHandler<KubeObject> {
    return {
      onAdd: ({ metadata }) => this.#observe(graphNode(resource, metadata)),
      onUpdate: ({ metadata }) => this.#observe(graphNode(resource, metadata)),
      onDelete: ({ metadata }) => this.#forget(metadata.uid ?? ''),
    };
  }

  #observe(node: GraphNode): void {
    const old = this.#graph.set(node);
    if (node.isOrphaning) this.#context.queue.add(SET_FREE + node.uid);
    if (node.isDeletingDependents) {
      if (old?.isDeletingDependents !== true) this.#examine(...this.#graph.dependentsOf(node.uid));
      this.#examine(node);
    }
    if (node.owners.length === 0 && old === undefined) return;
    const ownersChanged = old === undefined || !hasSameOwners(node, old);
    // An owner that is unknown or on its way out may mean that this one has to go.
    if (ownersChanged && node.owners.some((owner) => !this.#isSolid(owner, node))) this.#examine(node);
    // A dependent that no longer blocks may be what an owner waits for.
    for (const owner of ownersChanged ? (old?.owners ?? []) : []) this.#examineWaiting(owner.uid);
  }

  #forget(uid: string): void {
    const dependents = this.#graph.dependentsOf(uid);
    const node = this.#graph.delete(uid);
    this.#examine(...dependents);
    for (const owner of node?.owners ?? []) this.#examineWaiting(owner.uid);
  }

  #examine(...nodes: readonly GraphNode[]): void {
    for (const { uid } of nodes) this.#context.queue.add(ALL_GONE + uid);
  }

  #examineWaiting(uid: string): void {
    const node = this.#graph.get(uid);
    if (node?.isDeletingDependents === true) this.#examine(node);
  }

  async #deleteUnlessOwned(node: GraphNode): Promise<void> {
    if (node.isDeletingDependents) {
      await this.#deleteDependents(node);
      return;
    }
    if (node.isBeingDeleted || node.owners.length === 0) return;
    if (node.owners.every((owner) => this.#isSolid(owner, node))) return;
    const latest = await this.#read(node);
    if (latest === undefined) return;
    const owners = await this.#classify(node, latest.metadata.ownerReferences ?? []);
    if (owners === undefined) return;
    const { solid, dangling, waiting } = owners;
    if (solid.length > 0) {
      if (dangling.length + waiting.length > 0) await this.#dropOwners(node, [...dangling, ...waiting]);
      return;
    }
    if (dangling.length + waiting.length === 0) return;
    const dependents = this.#graph.dependentsOf(node.uid);
    if (waiting.length > 0 && dependents.length > 0) {
      // A circle of objects that wait for each other would never end: this one stops blocking.
      if (dependents.some((dependent) => dependent.isDeletingDependents)) await this.#stopBlocking(node);
      await this.#delete(node, latest, 'Foreground');
      return;
    }
    const finalizers = latest.metadata.finalizers ?? [];
    await this.#delete(
      node,
      latest,
      finalizers.includes(ORPHAN) ? 'Orphan' : finalizers.includes(FOREGROUND) ? 'Foreground' : 'Background',
    );
  }

  async #deleteDependents(node: GraphNode): Promise<void> {
    const blockers = this.#graph.blockersOf(node.uid);
    if (blockers.length === 0) {
      await this.#removeFinalizer(node, FOREGROUND);
      return;
    }
    this.#examine(...blockers.filter((blocker) => !blocker.isDeletingDependents));
  }

  async #setDependentsFree(node: GraphNode): Promise<void> {
    if (!node.isOrphaning) return;
    const reference = { uid: node.uid };
    await Promise.all(
      this.#graph.dependentsOf(node.uid).map((dependent) => this.#dropOwners(dependent, [reference])),
    );
    await this.#removeFinalizer(node, ORPHAN);
  }

  /** In the graph, where its dependent may refer to it, and not about to take its dependents with it. */
  #isSolid(owner: OwnerReference, dependent: GraphNode): boolean {
    const node = this.#known(owner, dependent);
    return node !== undefined && !node.isDeletingDependents;
  }

  /** An owner is cluster-scoped or in the dependent's own namespace; anything else counts as not there. */
  #known(owner: OwnerReference, dependent: GraphNode): GraphNode | undefined {
    const node = this.#graph.get(owner.uid);
    if (node === undefined || node.name !== owner.name || node.resource.kind !== owner.kind) return undefined;
    return node.namespace === '' || node.namespace === dependent.namespace ? node : undefined;
  }

  /** Undefined: the references are of a kind that no decision may rest on. */
  async #classify(node: GraphNode, references: readonly OwnerReference[]): Promise<Owners | undefined> {
    const solid: OwnerReference[] = [];
    const dangling: OwnerReference[] = [];
    const waiting: OwnerReference[] = [];
    for (const reference of references) {
      const known = this.#known(reference, node);
      if (known !== undefined) (known.isDeletingDependents ? waiting : solid).push(reference);
      else {
        const live = await this.#liveOwner(node, reference);
        if (live === 'invalid') return undefined;
        if (live === undefined) dangling.push(reference);
        else (graphNode(node.resource, live.metadata).isDeletingDependents ? waiting : solid).push(reference);
      }
    }
    return { solid, dangling, waiting };
  }

  async #liveOwner(node: GraphNode, reference: OwnerReference): Promise<KubeObject | 'invalid' | undefined> {
    const { apiVersion, kind, name, uid } = reference;
    const resource = this.monitors.served.find(apiVersion, kind);
    if (resource === undefined) throw new Error(`no matches for kind "${kind}" in version "${apiVersion}"`);
    if (resource.namespaced && node.namespace === '') {
      const message = `ownerRef [${apiVersion}/${kind}, name: ${name}, uid: ${uid}] does not exist in namespace ""`;
      this.#warn(node, message);
      return 'invalid';
    }
    const namespace = resource.namespaced ? node.namespace : '';
    const key = `${namespace}/${apiVersion}/${kind}/${name}/${uid}`;
    if (this.#absent.has(key)) return undefined;
    const live = await readOrUndefined(this.#context.client.resource(resource, namespace), name);
    if (live?.metadata.uid === uid) return live;
    this.#absent.add(key);
    if (this.#graph.get(uid) !== undefined) {
      const message = `ownerRef [${apiVersion}/${kind}, namespace: ${namespace}, name: ${name}, uid: ${uid}] does not exist in namespace "${namespace}"`;
      this.#warn(node, message);
    }
    return undefined;
  }

  #warn({ resource, namespace, name, uid }: GraphNode, message: string): void {
    const apiVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
    const about = { apiVersion, kind: resource.kind, namespace, name, uid };
    this.#context.events.record(about, 'Warning', 'OwnerRefInvalidNamespace', message);
  }

  #objects({ resource, namespace }: GraphNode): ResourceClient<KubeObject> {
    return this.#context.client.resource(resource, namespace);
  }

  /** Undefined when it is gone, or another of its name is there. */
  async #read(node: GraphNode): Promise<KubeObject | undefined> {
    const latest = await readOrUndefined(this.#objects(node), node.name);
    return latest?.metadata.uid === node.uid ? latest : undefined;
  }

  async #delete(
    node: GraphNode,
    latest: KubeObject,
    propagationPolicy: 'Orphan' | 'Foreground' | 'Background',
  ): Promise<void> {
    // Had its owners changed since they were read, the decision would rest on what is no longer so.
    const preconditions = { uid: node.uid, resourceVersion: latest.metadata.resourceVersion };
    this.#context.logger.debug(
      { resource: node.resource.resource, name: node.name, propagationPolicy },
      'collecting',
    );
    try {
      await this.#objects(node).delete(node.name, { propagationPolicy, preconditions });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  #dropOwners(node: GraphNode, dropped: readonly { readonly uid: string }[]): Promise<void> {
    return this.#changeOwners(node, (owners) =>
      owners.filter(({ uid }) => !dropped.some((drop) => drop.uid === uid)),
    );
  }

  #stopBlocking(node: GraphNode): Promise<void> {
    return this.#changeOwners(node, (owners) =>
      owners.map((owner) => ({ ...owner, blockOwnerDeletion: false })),
    );
  }

  #changeOwners(
    node: GraphNode,
    change: (owners: readonly OwnerReference[]) => readonly OwnerReference[],
  ): Promise<void> {
    return this.#changeMetadata(node, ({ metadata }) => {
      const ownerReferences = change(metadata.ownerReferences ?? []);
      return metadata.ownerReferences === undefined ? undefined : { ownerReferences };
    });
  }

  #removeFinalizer(node: GraphNode, finalizer: string): Promise<void> {
    return this.#changeMetadata(node, ({ metadata }) => {
      const { finalizers = [] } = metadata;
      return finalizers.includes(finalizer)
        ? { finalizers: finalizers.filter((name) => name !== finalizer) }
        : undefined;
    });
  }

  /** Reads, changes and writes back; a change in between starts over. Fine when the object is gone. */
  async #changeMetadata(node: GraphNode, change: (latest: KubeObject) => object | undefined): Promise<void> {
    await retryOnConflict(async () => {
      const latest = await this.#read(node);
      const changed = latest === undefined ? undefined : change(latest);
      if (latest === undefined || changed === undefined) return;
      const { resourceVersion, uid } = latest.metadata;
      const patch = { metadata: { ...changed, resourceVersion, uid } };
      try {
        await this.#objects(node).patch(node.name, 'application/merge-patch+json', patch);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    });
  }
}

async function readOrUndefined(
  objects: ResourceClient<KubeObject>,
  name: string,
): Promise<KubeObject | undefined> {
  try {
    return await objects.get(name);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function hasSameOwners(a: GraphNode, b: GraphNode): boolean {
  if (a.owners === b.owners) return true;
  return (
    a.owners.length === b.owners.length &&
    a.owners.every((owner, i) => {
      const other = b.owners[i];
      return owner.uid === other?.uid && owner.blockOwnerDeletion === other.blockOwnerDeletion;
    })
  );
}
