/** The notes that a Deployment keeps on its ReplicaSets, and that `kubectl rollout` reads. */
import type { appsV1 } from '#api';

export const REVISION = 'deployment.kubernetes.io/revision';
const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';
const NOT_COPIED = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'deprecated.deployment.rollback.to',
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
]);
/** Older revisions are dropped from the history beyond this. */
const MAX_HISTORY_LENGTH = 2000;
const MAX_INT32 = 2 ** 31 - 1;

type Annotations = Readonly<Record<string, string>>;

const annotationsOf = (object: { readonly metadata: { readonly annotations?: Annotations } }): Annotations =>
  object.metadata.annotations ?? {};

function count(set: appsV1.ReplicaSet, annotation: string): number | undefined {
  const text = annotationsOf(set)[annotation];
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value > MAX_INT32 ? undefined : value;
}

/** Size of the whole Deployment when the set was last scaled. */
export const desiredReplicas = (set: appsV1.ReplicaSet): number | undefined => count(set, DESIRED_REPLICAS);
/** The same with the surge. */
export const maxReplicas = (set: appsV1.ReplicaSet): number | undefined => count(set, MAX_REPLICAS);

export function withReplicaNotes(annotations: Annotations, desired: number, max: number): Annotations {
  if (annotations[DESIRED_REPLICAS] === String(desired) && annotations[MAX_REPLICAS] === String(max)) {
    return annotations;
  }
  return { ...annotations, [DESIRED_REPLICAS]: String(desired), [MAX_REPLICAS]: String(max) };
}

/** The Deployment's own annotations, as its newest set carries them too. */
function copied(deployment: appsV1.Deployment, to: Annotations): Annotations {
  const missing = Object.entries(annotationsOf(deployment)).filter(
    ([key, value]) => !NOT_COPIED.has(key) && to[key] !== value,
  );
  return missing.length === 0 ? to : { ...to, ...Object.fromEntries(missing) };
}

/** A set that becomes the newest again remembers under which numbers it was before. */
function withRevision(annotations: Annotations, revision: bigint): Annotations {
  const old = annotations[REVISION] ?? '';
  if (old !== '' && !/^-?\d+$/.test(old)) return annotations;
  if (BigInt(old) >= revision) return annotations;
  const next = { ...annotations, [REVISION]: String(revision) };
  if (annotations[REVISION] === undefined) return next;
  const history = (annotations[REVISION_HISTORY] ?? '').split(',').filter((entry) => entry !== '');
  history.push(old);
  while (history.length > 1 && history.join(',').length > MAX_HISTORY_LENGTH) history.shift();
  return { ...next, [REVISION_HISTORY]: history.join(',') };
}

/** What the newest set's annotations should be; the same reference when they are. */
export function newSetAnnotations(
  deployment: appsV1.Deployment,
  set: Annotations,
  revision: bigint,
): Annotations {
  return withRevision(copied(deployment, set), revision);
}
