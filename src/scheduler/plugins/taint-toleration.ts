import type { coreV1 } from '#api';
import { normalizeScores, type SchedulerPlugin } from '../framework.ts';

type TaintLike = Pick<coreV1.Taint, 'key' | 'effect'> & { readonly value?: string };

const REJECTION = { reasons: ['node(s) had untolerated taint(s)'], unresolvable: true };
const NO_TOLERATIONS: readonly coreV1.Toleration[] = [];

/** Source: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/. */
function toleratesTaint(toleration: coreV1.Toleration, taint: TaintLike): boolean {
  const effect: string = toleration.effect ?? '';
  if (effect !== '' && effect !== taint.effect) return false;
  const key = toleration.key ?? '';
  if (key !== '' && key !== taint.key) return false;
  const operator: string = toleration.operator ?? '';
  if (operator === 'Exists') return true;
  // `Lt` and `Gt` are alpha (KEP-5471): without the feature gate they tolerate nothing.
  if (operator !== '' && operator !== 'Equal') return false;
  return (toleration.value ?? '') === (taint.value ?? '');
}

export function tolerates(tolerations: readonly coreV1.Toleration[], taint: TaintLike): boolean {
  return tolerations.some((toleration) => toleratesTaint(toleration, taint));
}

const repels = ({ effect }: coreV1.Taint): boolean => effect === 'NoSchedule' || effect === 'NoExecute';

/** Whether a taint of the node keeps the pod off. */
export function hasUntoleratedTaint(
  { spec }: coreV1.Node,
  tolerations: readonly coreV1.Toleration[] = NO_TOLERATIONS,
): boolean {
  const { taints } = spec;
  if (taints === undefined || taints.length === 0) return false;
  return taints.some((taint) => repels(taint) && !tolerates(tolerations, taint));
}

/** Keeps pods off nodes whose NoSchedule and NoExecute taints they do not tolerate; avoids PreferNoSchedule ones. */
export const taintToleration: SchedulerPlugin = {
  name: 'TaintToleration',
  filterFor: ({ spec }) => ({
    check: ({ node }) => (hasUntoleratedTaint(node, spec.tolerations) ? REJECTION : undefined),
  }),
  scorerFor(pod, feasible) {
    const discourages = (taint: coreV1.Taint): boolean => taint.effect === 'PreferNoSchedule';
    if (!feasible.some(({ node }) => node.spec.taints?.some(discourages) === true)) return undefined;
    const tolerations = (pod.spec.tolerations ?? []).filter(
      ({ effect }) => effect === undefined || (effect as string) === '' || effect === 'PreferNoSchedule',
    );
    return {
      weight: 3,
      score: ({ node }) =>
        (node.spec.taints ?? []).filter((taint) => discourages(taint) && !tolerates(tolerations, taint))
          .length,
      normalize: (scores) => normalizeScores(scores, true),
    };
  },
  mayHelp(event, { spec }) {
    if (event.type === 'node-added') return !hasUntoleratedTaint(event.node, spec.tolerations);
    if (event.type !== 'node-updated') return false;
    return (
      hasUntoleratedTaint(event.old, spec.tolerations) && !hasUntoleratedTaint(event.node, spec.tolerations)
    );
  },
};
