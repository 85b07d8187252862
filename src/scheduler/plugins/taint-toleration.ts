import type { coreV1 } from '#api';
import { normalizeScores, type SchedulerPlugin } from '../framework.ts';

type TaintLike = Pick<coreV1.Taint, 'key' | 'effect'> & { readonly value?: string };

const REJECTION = { reasons: ['node(s) had untolerated taint(s)'], unresolvable: true };

/** Source: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/. */
function toleratesTaint(toleration: coreV1.Toleration, taint: TaintLike): boolean {
  const effect: string = toleration.effect ?? '';
  if (effect !== '' && effect !== taint.effect) return false;
  const key = toleration.key ?? '';
  if (key !== '' && key !== taint.key) return false;
  const operator: string = toleration.operator ?? 'Equal';
  switch (operator) {
    case 'Exists':
      return true;
    case 'Equal':
    case '':
      return key !== '' && (toleration.value ?? '') === (taint.value ?? '');
    case 'Lt':
    case 'Gt': {
      const [limit, actual] = [Number(toleration.value), Number(taint.value)];
      if (!Number.isInteger(limit) || !Number.isInteger(actual)) return false;
      return operator === 'Lt' ? actual < limit : actual > limit;
    }
    default:
      return false;
  }
}

export function tolerates(tolerations: readonly coreV1.Toleration[], taint: TaintLike): boolean {
  return tolerations.some((toleration) => toleratesTaint(toleration, taint));
}

const repels = (taint: coreV1.Taint): boolean =>
  taint.effect === 'NoSchedule' || taint.effect === 'NoExecute';

/** Keeps pods off nodes whose NoSchedule and NoExecute taints they do not tolerate; avoids PreferNoSchedule ones. */
export const taintToleration: SchedulerPlugin = {
  name: 'TaintToleration',
  filterFor(pod) {
    const tolerations = pod.spec.tolerations ?? [];
    return (node) =>
      node.node.spec.taints?.some((taint) => repels(taint) && !tolerates(tolerations, taint)) === true
        ? REJECTION
        : undefined;
  },
  scorerFor(pod, snapshot) {
    const prefers = snapshot.nodes.some((node) =>
      node.node.spec.taints?.some((taint) => taint.effect === 'PreferNoSchedule'),
    );
    if (!prefers) return undefined;
    const tolerations = (pod.spec.tolerations ?? []).filter(
      ({ effect }) => effect === undefined || (effect as string) === '' || effect === 'PreferNoSchedule',
    );
    return {
      weight: 3,
      score: (node) =>
        (node.node.spec.taints ?? []).filter(
          (taint) => taint.effect === 'PreferNoSchedule' && !tolerates(tolerations, taint),
        ).length,
      normalize: (scores) => normalizeScores(scores, true),
    };
  },
  mayHelp: (event) => event.type === 'node-added' || event.type === 'node-updated',
};
