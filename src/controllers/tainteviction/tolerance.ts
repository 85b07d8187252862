/** How long a pod may stay on a node with these taints. Pure. */
import type { coreV1 } from '#api';

export function tolerates(toleration: coreV1.Toleration, taint: coreV1.Taint): boolean {
  const { effect = '', key = '', operator = 'Equal', value = '' } = toleration;
  if (effect !== '' && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  if (operator === 'Exists') return true;
  return key !== '' && operator === 'Equal' && value === (taint.value ?? '');
}

/** 0: not at all. Infinity: for as long as it likes. */
export function toleratedForMs(
  taints: readonly coreV1.Taint[],
  tolerations: readonly coreV1.Toleration[],
): number {
  let shortest = Number.POSITIVE_INFINITY;
  for (const taint of taints) {
    // Of several tolerations that fit, the first counts.
    const toleration = tolerations.find((candidate) => tolerates(candidate, taint));
    if (toleration === undefined) return 0;
    const { tolerationSeconds } = toleration;
    if (tolerationSeconds !== undefined) shortest = Math.min(shortest, Math.max(0, tolerationSeconds) * 1000);
  }
  return shortest;
}
