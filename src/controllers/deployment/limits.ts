import type { appsV1 } from '#api';
import { intOrPercent } from '#machinery';
import { wantedSize } from './replica-sets.ts';

export const isRolling = (deployment: appsV1.Deployment): boolean =>
  deployment.spec.strategy?.type === 'RollingUpdate';

interface Fenceposts {
  readonly surge: number;
  readonly unavailable: number;
}

/**
 * How far a rollout may go above and below the wanted size. Percentages round up for the surge and down for what may
 * be missing; were both to end at zero the rollout could never move, so then one pod may be missing.
 */
function fenceposts(deployment: appsV1.Deployment): Fenceposts {
  const { maxSurge = 0, maxUnavailable = 0 } = deployment.spec.strategy?.rollingUpdate ?? {};
  const surge = intOrPercent(maxSurge, wantedSize(deployment), true);
  const unavailable = intOrPercent(maxUnavailable, wantedSize(deployment), false);
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}

export function maxSurge(deployment: appsV1.Deployment): number {
  return isRolling(deployment) ? fenceposts(deployment).surge : 0;
}

export function maxUnavailable(deployment: appsV1.Deployment): number {
  const wanted = wantedSize(deployment);
  return isRolling(deployment) && wanted > 0 ? Math.min(wanted, fenceposts(deployment).unavailable) : 0;
}
