/** Which pods of a DaemonSet have to come and go. Pure. */
import type { appsV1, coreV1 } from '#api';
import { intOrPercent } from '#machinery';
import type { WallTimeMs } from '#platform';
import { isAvailable, isReady, isTerminating } from '../frame/pods.ts';
import { REVISION_LABEL } from '../frame/revisions.ts';
import { type NodeFit, nodeFitOf } from './node-fit.ts';

type DaemonSet = appsV1.DaemonSet;
type Node = coreV1.Node;
type Pod = coreV1.Pod;

export interface DaemonView {
  readonly daemonSet: DaemonSet;
  readonly nodes: readonly Node[];
  readonly podsByNode: ReadonlyMap<string, readonly Pod[]>;
  /** Revision of the template in use, as its pods are labelled. */
  readonly hash: string;
  readonly nowMs: WallTimeMs;
}

export interface PodPlan {
  /** Nodes that get a pod; one may be named twice by manage and rollout, never by one of them. */
  readonly create: readonly string[];
  readonly remove: readonly Pod[];
  /** Ended pods among those removed, which people should hear of. */
  readonly ended: readonly Pod[];
}

/** Scheduled first, then oldest. */
export function oldestFirst(pods: readonly Pod[]): readonly Pod[] {
  const unscheduled = ({ spec }: Pod): number => ((spec.nodeName ?? '') === '' ? 1 : 0);
  const age = ({ metadata }: Pod): string => `${metadata.creationTimestamp} ${metadata.name}`;
  return pods.toSorted((a, b) => unscheduled(a) - unscheduled(b) || (age(a) < age(b) ? -1 : 1));
}

const isCurrent = (pod: Pod, hash: string): boolean => pod.metadata.labels?.[REVISION_LABEL] === hash;

function rolling({ spec }: DaemonSet): appsV1.RollingUpdateDaemonSet | undefined {
  return spec.updateStrategy?.type === 'OnDelete' ? undefined : spec.updateStrategy?.rollingUpdate;
}

const surgeOf = (daemonSet: DaemonSet, desired: number): number =>
  intOrPercent(rolling(daemonSet)?.maxSurge ?? 0, desired, true);

/**
 * One pod where one should be, none elsewhere. `mayReplaceFailed` is asked about each failed pod, for a pod that fails
 * on arrival must not be replaced in a tight loop.
 */
export function planPlacement(
  view: DaemonView,
  mayReplaceFailed: (pod: Pod, nodeName: string) => boolean,
): PodPlan {
  const { daemonSet, nodes, podsByNode } = view;
  const plan = { create: [] as string[], remove: [] as Pod[], ended: [] as Pod[] };
  const fitOf = nodeFitOf(daemonSet);
  const known = new Set<string>();
  for (const node of nodes) {
    const { name } = node.metadata;
    known.add(name);
    placeOnNode(view, node, fitOf(node), plan, (pod) => mayReplaceFailed(pod, name));
  }
  // Nobody else removes a pod that waits for a node that is gone.
  for (const [nodeName, pods] of podsByNode)
    if (!known.has(nodeName)) plan.remove.push(...pods.filter(({ spec }) => (spec.nodeName ?? '') === ''));
  return plan;
}

function placeOnNode(
  view: DaemonView,
  node: Node,
  { shouldRun, mayStay }: NodeFit,
  plan: { readonly create: string[]; readonly remove: Pod[]; readonly ended: Pod[] },
  mayReplace: (pod: Pod) => boolean,
): void {
  const { name } = node.metadata;
  const pods = view.podsByNode.get(name);
  if (pods === undefined) {
    if (shouldRun) plan.create.push(name);
    return;
  }
  const staying = pods.filter((pod) => !isTerminating(pod));
  if (!mayStay) {
    plan.remove.push(...staying);
    return;
  }
  const running: Pod[] = [];
  for (const pod of staying) {
    const { phase } = pod.status;
    if (phase !== 'Failed' && phase !== 'Succeeded') running.push(pod);
    else if (phase === 'Succeeded' || mayReplace(pod)) {
      plan.remove.push(pod);
      plan.ended.push(pod);
    }
  }
  if (surgeOf(view.daemonSet, 1) === 0) plan.remove.push(...oldestFirst(running).slice(1));
  else if (running.length === 0 && shouldRun) plan.create.push(name);
  else plan.remove.push(...surplusWhileSurging(view, running));
}

/** Two may be there while one takes over from the other. */
function surplusWhileSurging(
  { daemonSet, hash, nowMs }: DaemonView,
  running: readonly Pod[],
): readonly Pod[] {
  if (running.length <= 1) return [];
  const ordered = oldestFirst(running);
  const current = ordered.find((pod) => isCurrent(pod, hash));
  const old = ordered.find((pod) => !isCurrent(pod, hash));
  const surplus = ordered.filter((pod) => pod !== current && pod !== old);
  if (current === undefined || old === undefined) return surplus;
  const isReplaced = !isReady(old) || isAvailable(current, daemonSet.spec.minReadySeconds ?? 0, nowMs);
  return isReplaced ? [...surplus, old] : surplus;
}

interface NodePods {
  readonly nodeName: string;
  readonly current: Pod | undefined;
  readonly old: Pod | undefined;
  /** More than one of either: the placement has to clean up first. */
  readonly crowded: boolean;
}

/** The nodes a rolling update looks at: those that should have a pod, and those that have one. */
function rollingNodes({ nodes, podsByNode, daemonSet, hash }: DaemonView): {
  readonly desired: ReadonlySet<string>;
  readonly each: readonly NodePods[];
} {
  const fitOf = nodeFitOf(daemonSet);
  const desired = new Set(nodes.filter((node) => fitOf(node).shouldRun).map(({ metadata }) => metadata.name));
  const names = new Set([...podsByNode.keys(), ...desired]);
  const each = [...names].map((nodeName): NodePods => {
    const pods = (podsByNode.get(nodeName) ?? []).filter((pod) => !isTerminating(pod));
    const current = pods.filter((pod) => isCurrent(pod, hash));
    const old = pods.filter((pod) => !isCurrent(pod, hash));
    return { nodeName, current: current[0], old: old[0], crowded: current.length > 1 || old.length > 1 };
  });
  return { desired, each };
}

/** What the rolling update does next, within its limits. */
export function planRollout(view: DaemonView): Pick<PodPlan, 'create' | 'remove'> {
  const { desired, each } = rollingNodes(view);
  const maxSurge = surgeOf(view.daemonSet, desired.size);
  if (maxSurge > 0) return planSurge(view, each, desired, maxSurge);
  const unavailable = intOrPercent(rolling(view.daemonSet)?.maxUnavailable ?? 1, desired.size, true);
  // Neither may be zero at once; should they be, the rollout must not stand still.
  return planReplacement(view, each, Math.max(1, unavailable));
}

/** Deletes old pods; the placement makes new ones where they were. */
function planReplacement(
  { daemonSet, nowMs }: DaemonView,
  each: readonly NodePods[],
  maxUnavailable: number,
): Pick<PodPlan, 'create' | 'remove'> {
  const available = (pod: Pod): boolean => isAvailable(pod, daemonSet.spec.minReadySeconds ?? 0, nowMs);
  let unavailable = 0;
  const remove: Pod[] = [];
  const candidates: Pod[] = [];
  for (const { current, old, crowded } of each) {
    if (crowded || (current === undefined) === (old === undefined)) unavailable++;
    else if (current !== undefined) unavailable += available(current) ? 0 : 1;
    else if (old !== undefined && available(old)) candidates.push(old);
    else if (old !== undefined) {
      // It serves nobody, so replacing it costs nothing.
      remove.push(old);
      unavailable++;
    }
  }
  return {
    create: [],
    remove: [...remove, ...candidates.slice(0, Math.max(0, maxUnavailable - unavailable))],
  };
}

/** Puts new pods beside old ones, and deletes the old when the new are available. */
function planSurge(
  { daemonSet, nowMs }: DaemonView,
  each: readonly NodePods[],
  desired: ReadonlySet<string>,
  maxSurge: number,
): Pick<PodPlan, 'create' | 'remove'> {
  const available = (pod: Pod): boolean => isAvailable(pod, daemonSet.spec.minReadySeconds ?? 0, nowMs);
  const create: string[] = [];
  const remove: Pod[] = [];
  const misplaced: Pod[] = [];
  const candidates: string[] = [];
  let surging = 0;
  let availableNodes = 0;
  for (const { nodeName, current, old, crowded } of each) {
    if (crowded) {
      surging++;
      continue;
    }
    const serving = old ?? current;
    if (serving !== undefined && available(serving)) availableNodes++;
    if (old === undefined) continue;
    if (current !== undefined) {
      if (available(current)) remove.push(old);
      else surging++;
    } else if (!available(old)) {
      if (desired.has(nodeName)) create.push(nodeName);
      else remove.push(old);
    } else if (desired.has(nodeName)) candidates.push(nodeName);
    else misplaced.push(old);
  }
  const surplus = Math.max(0, availableNodes - desired.size);
  return {
    create: [...create, ...candidates.slice(0, Math.max(0, maxSurge - surging))],
    remove: [...remove, ...misplaced.slice(0, surplus)],
  };
}

/** The counts of the status; what belongs to nobody here stays as it is. */
export function daemonStatus(
  { daemonSet, nodes, podsByNode, hash, nowMs }: DaemonView,
  processed: boolean,
): appsV1.DaemonSetStatus {
  const fitOf = nodeFitOf(daemonSet);
  const { minReadySeconds = 0 } = daemonSet.spec;
  let [desired, current, misscheduled, ready, updated, available] = [0, 0, 0, 0, 0, 0];
  for (const node of nodes) {
    const [pod] = oldestFirst(podsByNode.get(node.metadata.name) ?? []);
    if (!fitOf(node).shouldRun) {
      if (pod !== undefined) misscheduled++;
      continue;
    }
    desired++;
    if (pod === undefined) continue;
    current++;
    if (isReady(pod)) ready++;
    if (isAvailable(pod, minReadySeconds, nowMs)) available++;
    if (isCurrent(pod, hash)) updated++;
  }
  const { observedGeneration: before, collisionCount, conditions } = daemonSet.status;
  const observedGeneration = processed ? daemonSet.metadata.generation : before;
  return {
    currentNumberScheduled: current,
    numberMisscheduled: misscheduled,
    desiredNumberScheduled: desired,
    numberReady: ready,
    ...(observedGeneration === undefined ? {} : { observedGeneration }),
    ...(updated === 0 ? {} : { updatedNumberScheduled: updated }),
    ...(available === 0 ? {} : { numberAvailable: available }),
    ...(desired === available ? {} : { numberUnavailable: desired - available }),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    ...(conditions === undefined ? {} : { conditions }),
  };
}
