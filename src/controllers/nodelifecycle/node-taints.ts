/** Which taints a node's conditions mean. Pure. */
import type { coreV1 } from '#api';

type Node = coreV1.Node;
type Taint = coreV1.Taint;

const NOT_READY = 'node.kubernetes.io/not-ready';
const UNREACHABLE = 'node.kubernetes.io/unreachable';
const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';

/** Condition type → its status → taint that keeps pods away. */
const BY_CONDITION: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Ready: { False: NOT_READY, Unknown: UNREACHABLE },
  MemoryPressure: { True: 'node.kubernetes.io/memory-pressure' },
  DiskPressure: { True: 'node.kubernetes.io/disk-pressure' },
  NetworkUnavailable: { True: 'node.kubernetes.io/network-unavailable' },
  PIDPressure: { True: 'node.kubernetes.io/pid-pressure' },
};
const MANAGED_NO_SCHEDULE = new Set([
  ...Object.values(BY_CONDITION).flatMap((taints) => Object.values(taints)),
  UNSCHEDULABLE,
]);

export function nodeCondition(node: Node, type: string): coreV1.NodeCondition | undefined {
  return node.status.conditions?.find((condition) => condition.type === type);
}

export const isNodeReady = (node: Node): boolean => nodeCondition(node, 'Ready')?.status === 'True';

function noScheduleKeys(node: Node): readonly string[] {
  const keys = (node.status.conditions ?? []).flatMap(
    ({ type, status }) => BY_CONDITION[type]?.[status] ?? [],
  );
  return node.spec.unschedulable === true ? [...keys, UNSCHEDULABLE] : keys;
}

/** The taint that drives pods away, if the node is not ready. */
function noExecuteKey(node: Node): string | undefined {
  return BY_CONDITION['Ready']?.[nodeCondition(node, 'Ready')?.status ?? ''];
}

const isExecute = ({ key, effect }: Pick<Taint, 'key' | 'effect'>): boolean =>
  effect === 'NoExecute' && (key === NOT_READY || key === UNREACHABLE);

export interface TaintPlan {
  /** All taints as they should be; the same reference when they are. */
  readonly taints: readonly Taint[];
  /** A NoExecute taint is added that was not there: pods will be driven out. */
  readonly startsEviction: boolean;
}

/** `later`: a node that is being emptied already goes on, no other begins. `no`: none is emptied. */
export type Eviction = 'now' | 'later' | 'no';

/** `evict`: whether a node that is not ready may get its NoExecute taint. One that is ready loses it anyway. */
export function planTaints(
  node: Node,
  options: { readonly evict: Eviction; readonly now: string },
): TaintPlan {
  const current = node.spec.taints ?? [];
  const noSchedule = noScheduleKeys(node);
  const wantedExecute = noExecuteKey(node);
  const isBeingEmptied = current.some(isExecute);
  const mayBeEmptied = options.evict === 'now' || (options.evict === 'later' && isBeingEmptied);
  const execute = mayBeEmptied ? wantedExecute : undefined;
  const kept = current.filter(({ key, effect }) => {
    if (effect === 'NoSchedule' && MANAGED_NO_SCHEDULE.has(key)) return noSchedule.includes(key);
    return isExecute({ key, effect }) ? key === execute : true;
  });
  const has = (key: string, effect: string): boolean =>
    kept.some((taint) => taint.key === key && taint.effect === effect);
  const added: Taint[] = noSchedule
    .filter((key) => !has(key, 'NoSchedule'))
    .map((key) => ({ key, effect: 'NoSchedule', timeAdded: options.now }));
  const startsEviction = execute !== undefined && !isBeingEmptied;
  if (execute !== undefined && !has(execute, 'NoExecute'))
    added.push({ key: execute, effect: 'NoExecute', timeAdded: options.now });
  if (added.length === 0 && kept.length === current.length) return { taints: current, startsEviction };
  return { taints: [...kept, ...added], startsEviction };
}
