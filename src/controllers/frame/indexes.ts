import type { coreV1 } from '#api';
import type { Informer } from '#client';
import type { OwnerReference } from '#machinery';

interface Indexed {
  readonly metadata: { readonly namespace?: string; readonly ownerReferences?: readonly OwnerReference[] };
}

const BY_CONTROLLER = 'controller';

/** Filed under the uid of their controller, or under their namespace when they have none. */
function controllerKeys(object: Indexed): readonly string[] {
  const owner = object.metadata.ownerReferences?.find((reference) => reference.controller === true);
  return [owner === undefined ? orphanKey(object.metadata.namespace ?? '') : owner.uid];
}

const orphanKey = (namespace: string): string => `orphan/${namespace}`;

/** Lets `controlledBy` and `orphansIn` answer without going through everything. */
export function indexByController<T extends Indexed>(informer: Informer<T>): void {
  informer.addIndex(BY_CONTROLLER, controllerKeys);
}

export function controlledBy<T extends Indexed>(informer: Informer<T>, uid: string): readonly T[] {
  return informer.byIndex(BY_CONTROLLER, uid);
}

export function orphansIn<T extends Indexed>(informer: Informer<T>, namespace: string): readonly T[] {
  return informer.byIndex(BY_CONTROLLER, orphanKey(namespace));
}

const BY_NODE = 'node';
const nodeKeys = (pod: coreV1.Pod): readonly string[] => [pod.spec.nodeName ?? ''];

export function indexByNode(pods: Informer<coreV1.Pod>): void {
  pods.addIndex(BY_NODE, nodeKeys);
}

/** Pods bound to a node; those bound to none under ''. */
export function podsOnNode(pods: Informer<coreV1.Pod>, node: string): readonly coreV1.Pod[] {
  return pods.byIndex(BY_NODE, node);
}
