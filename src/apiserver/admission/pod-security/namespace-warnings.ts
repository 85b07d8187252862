import type { coreV1 } from '#api';
import { controllerOf, type KubeObject } from '#machinery';
import type { CacheReader } from '../../reader.ts';
import { typed } from '../../typed-object.ts';
import { describeLevel, evaluate, type LevelVersion } from './policy.ts';

/** Pods looked at when a namespace's policy gets stricter; of more only the first are, and the answer says so. */
const MAX_PODS_TO_CHECK = 3000;

/** What a stricter policy would say of the pods that run already: warnings, since they may go on. */
export function namespaceWarnings(
  reader: CacheReader,
  namespace: string,
  level: LevelVersion,
): readonly string[] {
  const pods = onePerControllerFirst(reader.list({ group: '', resource: 'pods' }, namespace));
  const checked = pods.slice(0, MAX_PODS_TO_CHECK);
  const byReason = new Map<string, string[]>();
  for (const object of checked) {
    const pod = typed<coreV1.Pod>(object);
    const { allowed, reasons } = evaluate(level, {
      annotations: pod.metadata.annotations ?? {},
      spec: pod.spec,
    });
    if (!allowed) byReason.set(reasons, [...(byReason.get(reasons) ?? []), pod.metadata.name ?? '']);
  }
  const warnings: string[] = [];
  if (checked.length < pods.length) {
    warnings.push(
      `new PodSecurity enforce level only checked against the first ${checked.length} of ${pods.length} existing pods`,
    );
  }
  if (byReason.size > 0) {
    warnings.push(
      `existing pods in namespace "${namespace}" violate the new PodSecurity enforce level "${describeLevel(level)}"`,
    );
  }
  return [...warnings, ...[...byReason].map(([reason, names]) => describe(reason, names)).sort()];
}

function describe(reason: string, names: readonly string[]): string {
  const [first = ''] = [...names].sort();
  if (names.length === 1) return `${first}: ${reason}`;
  const others = names.length - 1;
  return `${first} (and ${others} other ${others === 1 ? 'pod' : 'pods'}): ${reason}`;
}

/** Replicas look alike: one of each controller before the rest. */
function onePerControllerFirst(pods: readonly KubeObject[]): readonly KubeObject[] {
  const seen = new Set<string>();
  const later: KubeObject[] = [];
  const first = pods.filter((pod) => {
    const owner = controllerOf(pod.metadata)?.uid;
    if (owner === undefined) return true;
    if (seen.has(owner)) {
      later.push(pod);
      return false;
    }
    seen.add(owner);
    return true;
  });
  return [...first, ...later];
}
