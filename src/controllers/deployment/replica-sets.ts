/** What a Deployment reads from its ReplicaSets. Pure. */
import type { appsV1 } from '#api';
import { REVISION } from './annotations.ts';
import { isSameTemplate } from './template-hash.ts';

export type ReplicaSet = appsV1.ReplicaSet;
export type Deployment = appsV1.Deployment;

export const sizeOf = (set: ReplicaSet): number => set.spec.replicas ?? 0;
export const wantedSize = (deployment: Deployment): number => deployment.spec.replicas ?? 0;

const sum = (sets: readonly ReplicaSet[], count: (set: ReplicaSet) => number): number =>
  sets.reduce((total, set) => total + count(set), 0);

/** Replicas asked for, over all sets. */
export const specReplicas = (sets: readonly ReplicaSet[]): number => sum(sets, sizeOf);
export const statusReplicas = (sets: readonly ReplicaSet[]): number =>
  sum(sets, (set) => set.status.replicas);
export const readyReplicas = (sets: readonly ReplicaSet[]): number =>
  sum(sets, (set) => set.status.readyReplicas ?? 0);
export const availableReplicas = (sets: readonly ReplicaSet[]): number =>
  sum(sets, (set) => set.status.availableReplicas ?? 0);

/** Undefined while a set that has been looked at does not report its number. */
export function terminatingReplicas(sets: readonly ReplicaSet[]): number | undefined {
  let total = 0;
  for (const { status } of sets) {
    if (status.terminatingReplicas !== undefined) total += status.terminatingReplicas;
    else if ((status.observedGeneration ?? 0) !== 0) return undefined;
  }
  return total;
}

/** Sets that ask for pods. */
export const activeSets = (sets: readonly ReplicaSet[]): readonly ReplicaSet[] =>
  sets.filter((set) => sizeOf(set) > 0);

type Order = (a: ReplicaSet, b: ReplicaSet) => number;

const byText = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1);
export const oldestFirst: Order = (a, b) =>
  byText(a.metadata.creationTimestamp, b.metadata.creationTimestamp) ||
  byText(a.metadata.name, b.metadata.name);
export const newestFirst: Order = (a, b) => oldestFirst(b, a);
export const largestNewestFirst: Order = (a, b) => sizeOf(b) - sizeOf(a) || newestFirst(a, b);
export const largestOldestFirst: Order = (a, b) => sizeOf(b) - sizeOf(a) || oldestFirst(a, b);

/** A 64-bit number, which not every JavaScript number can be. */
export function revisionOf(object: ReplicaSet): bigint | undefined {
  const text = object.metadata.annotations?.[REVISION];
  if (text === undefined) return 0n;
  return /^-?\d+$/.test(text) ? BigInt(text) : undefined;
}

export const lowestRevisionFirst: Order = (a, b) => {
  const [first, second] = [revisionOf(a), revisionOf(b)];
  if (first === undefined || second === undefined || first === second) return oldestFirst(a, b);
  return first < second ? -1 : 1;
};

export const maxRevision = (sets: readonly ReplicaSet[]): bigint =>
  sets.map((set) => revisionOf(set) ?? 0n).reduce((max, revision) => (revision > max ? revision : max), 0n);

/** The set of the deployment's present template; of several the oldest. */
export function findNewSet(deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  return sets
    .toSorted(oldestFirst)
    .find((set) => isSameTemplate(set.spec.template, deployment.spec.template));
}
