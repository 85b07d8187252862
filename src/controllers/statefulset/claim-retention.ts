/**
 * Who owns the claims of a StatefulSet (KEP-1847). A claim that shall go with the set is owned by it, one that shall go
 * when the set is scaled down is owned by its pod from then on; the garbage collector does the rest. Pure.
 */
import type { appsV1, coreV1 } from '#api';
import type { OwnerReference } from '#machinery';
import { controllerReference } from '../frame/ownership.ts';

type StatefulSet = appsV1.StatefulSet;
type Claim = coreV1.PersistentVolumeClaim;

/** A pod as owner; one that does not exist yet has no uid. */
export interface ClaimPod {
  readonly name: string;
  readonly uid?: string;
  /** It is one the set still wants. */
  readonly isInRange: boolean;
}

const isDelete = (policy: string | undefined): boolean => policy === 'Delete';

const namesSet = (reference: OwnerReference, set: StatefulSet): boolean =>
  reference.apiVersion === set.apiVersion &&
  reference.kind === set.kind &&
  reference.name === set.metadata.name;
const namesPod = (reference: OwnerReference, pod: ClaimPod): boolean =>
  reference.apiVersion === 'v1' && reference.kind === 'Pod' && reference.name === pod.name;

/** The claim belongs to a pod of this name that is no more: it is on its way out, and not for the next one. */
export function isStaleClaim(set: StatefulSet, claim: Claim, podName: string): boolean {
  if (!isDelete(set.spec.persistentVolumeClaimRetentionPolicy?.whenScaled)) return false;
  return references(claim).some((reference) => namesPod(reference, { name: podName, isInRange: true }));
}

const references = ({ metadata }: Claim): readonly OwnerReference[] => metadata.ownerReferences ?? [];

export interface ClaimOwners {
  /** What the claim should have; undefined when it has that already, or is not to be touched. */
  readonly owners?: readonly OwnerReference[];
  /** Somebody else manages the claim, so the policy cannot be kept. */
  readonly conflict: boolean;
}

export function claimOwners(set: StatefulSet, claim: Claim, pod: ClaimPod): ClaimOwners {
  const policy = set.spec.persistentVolumeClaimRetentionPolicy;
  const current = references(claim);
  const isStale = current.some(
    (reference) =>
      (namesSet(reference, set) && reference.uid !== set.metadata.uid) ||
      (namesPod(reference, pod) && reference.uid !== pod.uid),
  );
  const deletes = isDelete(policy?.whenDeleted) || isDelete(policy?.whenScaled);
  const isOurs = (reference: OwnerReference): boolean => namesSet(reference, set) || namesPod(reference, pod);
  const conflict =
    deletes && (isStale || current.some((reference) => reference.controller === true && !isOurs(reference)));
  if (isStale) return { conflict };
  const others = current.filter((reference) => !isOurs(reference));
  const owners = conflict ? others : [...others, ...ownersByPolicy(set, pod)];
  return isSame(owners, current) ? { conflict } : { owners, conflict };
}

function ownersByPolicy(set: StatefulSet, pod: ClaimPod): readonly OwnerReference[] {
  const { whenDeleted, whenScaled } = set.spec.persistentVolumeClaimRetentionPolicy ?? {};
  const isScaledDown = isDelete(whenScaled) && !pod.isInRange;
  if (isScaledDown && pod.uid !== undefined) {
    const metadata = { name: pod.name, uid: pod.uid };
    return [controllerReference({ apiVersion: 'v1', kind: 'Pod', metadata })];
  }
  return isDelete(whenDeleted) && !isScaledDown ? [controllerReference(set)] : [];
}

function isSame(a: readonly OwnerReference[], b: readonly OwnerReference[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ uid, controller }) => b.some((other) => other.uid === uid && other.controller === controller))
  );
}
