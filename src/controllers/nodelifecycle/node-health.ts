/**
 * When a node was last heard of, by this process's own clock: a heartbeat is a change, whatever time it carries. The
 * monotonic clock stands still while the machine sleeps, so that waking up does not look like everyone's silence.
 */
import type { coordinationV1, coreV1 } from '#api';
import { parseTimestamp } from '#machinery';
import type { Clock, MonotonicMs } from '#platform';
import { nodeCondition } from './node-taints.ts';

interface Heard {
  at: MonotonicMs;
  heartbeat: string | undefined;
  renewTime: string | undefined;
}

export class NodeHealth {
  readonly #clock: Clock;
  readonly #byNode = new Map<string, Heard>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  observeNode(node: coreV1.Node): void {
    const heartbeat = nodeCondition(node, 'Ready')?.lastHeartbeatTime;
    const heard = this.#byNode.get(node.metadata.name);
    if (heard === undefined) {
      // One that never said anything has its grace from when it was made; what was there before is given a new one.
      const ageMs =
        heartbeat === undefined ? this.#clock.now() - parseTimestamp(node.metadata.creationTimestamp) : 0;
      const at = this.#clock.monotonic() - Math.max(0, ageMs);
      this.#byNode.set(node.metadata.name, { at, heartbeat, renewTime: undefined });
    } else if (heartbeat !== heard.heartbeat) {
      heard.heartbeat = heartbeat;
      heard.at = this.#clock.monotonic();
    }
  }

  observeLease({ metadata, spec }: coordinationV1.Lease): void {
    const heard = this.#byNode.get(metadata.name);
    if (heard === undefined || spec.renewTime === heard.renewTime) return;
    heard.renewTime = spec.renewTime;
    heard.at = this.#clock.monotonic();
  }

  forget(node: string): void {
    this.#byNode.delete(node);
  }

  silentForMs(node: string): number {
    const heard = this.#byNode.get(node);
    return heard === undefined ? 0 : this.#clock.monotonic() - heard.at;
  }
}

/** Silence makes these Unknown. NetworkUnavailable is not the kubelet's. */
const KUBELET_CONDITIONS = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];

/** The node's conditions after it has been silent too long; the same reference when they already say so. */
export function silentConditions(node: coreV1.Node, now: string): readonly coreV1.NodeCondition[] {
  const current = node.status.conditions ?? [];
  let changed = false;
  const next = current.map((condition) => {
    if (!KUBELET_CONDITIONS.includes(condition.type) || condition.status === 'Unknown') return condition;
    changed = true;
    return {
      ...condition,
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped posting node status.',
      lastTransitionTime: now,
    };
  });
  for (const type of KUBELET_CONDITIONS) {
    if (current.some((condition) => condition.type === type)) continue;
    changed = true;
    next.push({
      type,
      status: 'Unknown',
      reason: 'NodeStatusNeverUpdated',
      message: 'Kubelet never posted node status.',
      lastHeartbeatTime: node.metadata.creationTimestamp,
      lastTransitionTime: now,
    });
  }
  return changed ? next : current;
}
