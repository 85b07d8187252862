/**
 * How fast nodes may be emptied. When many nodes of a zone fail at once the likelier cause is the network or the
 * control plane itself, and driving the pods out would make it worse.
 */
import type { coreV1 } from '#api';
import type { Clock, MonotonicMs } from '#platform';
import { isNodeReady } from './node-taints.ts';

/** One node in ten seconds. */
const NORMAL_PER_SECOND = 0.1;
/** Of a large zone in trouble: one in a hundred seconds. Of a small one: none. */
const REDUCED_PER_SECOND = 0.01;
const LARGE_ZONE_NODES = 50;
const UNHEALTHY_SHARE = 0.55;
/** Fewer failed nodes than this are never a disruption. */
const MIN_UNHEALTHY = 3;
const EXCLUDED = 'node.kubernetes.io/exclude-disruption';

export const zoneOf = ({ metadata }: coreV1.Node): string => {
  const region = metadata.labels?.['topology.kubernetes.io/region'] ?? '';
  const zone = metadata.labels?.['topology.kubernetes.io/zone'] ?? '';
  return region === '' && zone === '' ? '' : `${region}:\u0000:${zone}`;
};

/** Nodes per second that may be emptied in this zone; 'stop' when not one node of the cluster is ready. */
export function evictionRate(zone: string, nodes: readonly coreV1.Node[]): number | 'stop' {
  const counted = nodes.filter(({ metadata }) => metadata.labels?.[EXCLUDED] === undefined);
  if (counted.length > 0 && !counted.some(isNodeReady)) return 'stop';
  const mine = counted.filter((node) => zoneOf(node) === zone);
  const unhealthy = mine.filter((node) => !isNodeReady(node)).length;
  // All of a zone, while others are well: it is the zone that failed, and its pods are wanted elsewhere.
  if (unhealthy === mine.length) return NORMAL_PER_SECOND;
  if (unhealthy < MIN_UNHEALTHY || unhealthy / mine.length < UNHEALTHY_SHARE) return NORMAL_PER_SECOND;
  return mine.length > LARGE_ZONE_NODES ? REDUCED_PER_SECOND : 0;
}

/** One turn at a time per zone, at the rate of the moment. Holds one entry per zone. */
export class EvictionPace {
  readonly #clock: Clock;
  readonly #lastAt = new Map<string, MonotonicMs>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** 0: go on, the turn is taken. Otherwise how long to wait before asking again. */
  take(zone: string, perSecond: number): number {
    if (perSecond === 0) return 10_000;
    const now = this.#clock.monotonic();
    const lastAt = this.#lastAt.get(zone);
    const wait = lastAt === undefined ? 0 : lastAt + 1000 / perSecond - now;
    if (wait > 0) return wait;
    this.#lastAt.set(zone, now);
    return 0;
  }
}
