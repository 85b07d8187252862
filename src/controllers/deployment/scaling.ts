/** How large each ReplicaSet should be. Pure: the controller only carries these numbers out. */
import { desiredReplicas, maxReplicas } from './annotations.ts';
import { isRolling, maxSurge, maxUnavailable } from './limits.ts';
import {
  activeSets,
  availableReplicas,
  type Deployment,
  largestNewestFirst,
  largestOldestFirst,
  newestFirst,
  oldestFirst,
  type ReplicaSet,
  sizeOf,
  specReplicas,
  wantedSize,
} from './replica-sets.ts';

export interface Resize {
  readonly set: ReplicaSet;
  readonly size: number;
}

/** The one set that takes the whole size: the only active one, or the newest when none is. Undefined: several are. */
export function soleSet(newSet: ReplicaSet | undefined, old: readonly ReplicaSet[]): ReplicaSet | undefined {
  const all = [...old.toSorted(newestFirst), ...(newSet === undefined ? [] : [newSet])];
  const active = activeSets(all);
  if (active.length > 1) return undefined;
  return active[0] ?? newSet ?? all[0];
}

/** The new set holds all that is wanted, and all of it is available. */
export function isSaturated(deployment: Deployment, set: ReplicaSet | undefined): boolean {
  const wanted = wantedSize(deployment);
  return (
    set !== undefined &&
    sizeOf(set) === wanted &&
    desiredReplicas(set) === wanted &&
    (set.status.availableReplicas ?? 0) === wanted
  );
}

/** The size that a new set may take now: as the surge allows, never more than is wanted. */
export function newSetSize(deployment: Deployment, all: readonly ReplicaSet[], current: number): number {
  const wanted = wantedSize(deployment);
  if (!isRolling(deployment)) return wanted;
  const room = wanted + maxSurge(deployment) - specReplicas(all);
  return room <= 0 ? current : current + Math.min(room, wanted - current);
}

/** Half away from zero, as Go's `RoundToInt32`. */
const round = (value: number): number => (value < 0 ? Math.ceil(value - 0.5) : Math.floor(value + 0.5));

function share(deployment: Deployment, set: ReplicaSet): number {
  const size = sizeOf(set);
  if (wantedSize(deployment) === 0) return -size;
  const before = maxReplicas(set) ?? 0;
  const base = before === 0 ? (deployment.status.replicas ?? 0) : before;
  if (base === 0) return 0;
  return round((size * (wantedSize(deployment) + maxSurge(deployment))) / base) - size;
}

/**
 * Spreads a change of the Deployment's size over its active sets in proportion to theirs, so that scaling in the
 * middle of a rollout neither hastens nor undoes it. What rounding leaves over goes to the largest set.
 *
 * Example: 10 wanted with surge 3, sets of 8 and 5, scaled to 15: 18 allowed, 5 to add. The first gets
 * round(8 × 18/13) − 8 = 3, the second round(5 × 18/13) − 5 = 2.
 */
export function scaleProportionally(deployment: Deployment, sets: readonly ReplicaSet[]): readonly Resize[] {
  const active = activeSets(sets);
  const wanted = wantedSize(deployment);
  const allowed = wanted > 0 ? wanted + maxSurge(deployment) : 0;
  const toAdd = allowed - specReplicas(active);
  const ordered = active.toSorted(toAdd < 0 ? largestOldestFirst : largestNewestFirst);
  let added = 0;
  const resizes = ordered.map((set): Resize => {
    if (toAdd === 0 || toAdd === added) return { set, size: sizeOf(set) };
    const left = toAdd - added;
    const part = toAdd > 0 ? Math.min(share(deployment, set), left) : Math.max(share(deployment, set), left);
    added += part;
    return { set, size: sizeOf(set) + part };
  });
  return resizes.map((resize, i) =>
    i === 0 && toAdd !== 0 ? { ...resize, size: Math.max(0, resize.size + toAdd - added) } : resize,
  );
}

/**
 * Old pods that can go now without fewer being available than must be: first those that are not available anyway
 * (they would block the rollout for ever), then as many available ones as the new set has made up for.
 */
export function shrinkOldSets(
  deployment: Deployment,
  newSet: ReplicaSet,
  oldSets: readonly ReplicaSet[],
): readonly Resize[] {
  const old = activeSets(oldSets).toSorted(oldestFirst);
  const minAvailable = wantedSize(deployment) - maxUnavailable(deployment);
  const newUnavailable = sizeOf(newSet) - (newSet.status.availableReplicas ?? 0);
  const removable = specReplicas([...oldSets, newSet]) - minAvailable - newUnavailable;
  if (old.length === 0 || removable <= 0) return [];
  const sizes = new Map(old.map((set) => [set, sizeOf(set)]));
  let unhealthy = removable;
  for (const set of old) {
    const taken = Math.min(unhealthy, Math.max(0, sizeOf(set) - (set.status.availableReplicas ?? 0)));
    sizes.set(set, sizeOf(set) - taken);
    unhealthy -= taken;
  }
  let spare = Math.max(0, availableReplicas([...old, newSet]) - minAvailable);
  for (const set of old) {
    const size = sizes.get(set) ?? 0;
    const taken = Math.min(spare, size);
    sizes.set(set, size - taken);
    spare -= taken;
  }
  return old
    .map((set) => ({ set, size: sizes.get(set) ?? 0 }))
    .filter(({ set, size }) => size !== sizeOf(set));
}
