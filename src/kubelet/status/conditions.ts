/**
 * The pod conditions that the kubelet owns. Texts are upstream's (`pkg/kubelet/status/generate.go`): people and
 * tests read them.
 */
import type { coreV1 } from '#api';
import { isSidecar, type Pod } from '../pods/pod-spec.ts';
import { type RuntimePod, sandboxNeed } from '../pods/runtime-pod.ts';
import type { PodPhase } from './phase.ts';

type ContainerStatus = coreV1.ContainerStatus;

export type KubeletConditionType =
  | 'PodReadyToStartContainers'
  | 'Initialized'
  | 'Ready'
  | 'ContainersReady'
  | 'PodScheduled';

/** A condition before it is known when it last changed. */
export interface ConditionDraft {
  readonly type: KubeletConditionType;
  readonly status: 'True' | 'False';
  readonly reason?: string;
  readonly message?: string;
}

const OWNED: ReadonlySet<string> = new Set<KubeletConditionType>([
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
]);

export const isKubeletCondition = (type: string): boolean => OWNED.has(type);

/** As Go prints a list of strings: `[a b]`. */
const goList = (names: readonly string[]): string => `[${names.join(' ')}]`;

function explain(parts: readonly (readonly [string, readonly string[]])[]): string {
  return parts
    .filter(([, names]) => names.length > 0)
    .map(([what, names]) => `containers with ${what} status: ${goList(names)}`)
    .join(', ');
}

/** Ready and ContainersReady of a pod that is over. */
export function endedCondition(type: 'Ready' | 'ContainersReady', phase: PodPhase): ConditionDraft {
  return { type, status: 'False', reason: phase === 'Failed' ? 'PodFailed' : 'PodCompleted' };
}

export function containersReadyCondition(
  pod: Pod,
  statuses: readonly ContainerStatus[],
  phase: PodPhase,
): ConditionDraft {
  const type = 'ContainersReady';
  const byName = new Map(statuses.map((status) => [status.name, status]));
  const watched = [...(pod.spec.initContainers ?? []).filter(isSidecar), ...pod.spec.containers];
  const unknown = watched.filter(({ name }) => !byName.has(name)).map(({ name }) => name);
  const unready = watched.filter(({ name }) => byName.get(name)?.ready === false).map(({ name }) => name);
  if (phase === 'Failed' || (phase === 'Succeeded' && unknown.length === 0))
    return endedCondition(type, phase);
  const message = explain([
    ['unknown', unknown],
    ['unready', unready],
  ]);
  return message === ''
    ? { type, status: 'True' }
    : { type, status: 'False', reason: 'ContainersNotReady', message };
}

export function readyCondition(
  pod: Pod,
  containersReady: ConditionDraft,
  conditions: readonly coreV1.PodCondition[],
): ConditionDraft {
  const type = 'Ready';
  if (containersReady.status !== 'True') return { ...containersReady, type };
  const unmet: string[] = [];
  for (const { conditionType } of pod.spec.readinessGates ?? []) {
    const gate = conditions.find((condition) => condition.type === conditionType);
    if (gate === undefined) {
      unmet.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`);
    } else if (gate.status !== 'True') {
      unmet.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${gate.status}`);
    }
  }
  return unmet.length === 0
    ? { type, status: 'True' }
    : { type, status: 'False', reason: 'ReadinessGatesNotReady', message: unmet.join(', ') };
}

export function initializedCondition(
  pod: Pod,
  statuses: readonly ContainerStatus[],
  phase: PodPhase,
): ConditionDraft {
  const type = 'Initialized';
  const byName = new Map(statuses.map((status) => [status.name, status]));
  const init = pod.spec.initContainers ?? [];
  const unknown = init.filter(({ name }) => !byName.has(name)).map(({ name }) => name);
  const incomplete = init
    .filter((container) => {
      const status = byName.get(container.name);
      if (status === undefined) return false;
      return isSidecar(container) ? status.started !== true : !status.ready;
    })
    .map(({ name }) => name);
  if (phase === 'Succeeded' && unknown.length === 0) return { type, status: 'True', reason: 'PodCompleted' };
  if (anyRegularStarted(pod, byName)) return { type, status: 'True' };
  const message = explain([
    ['unknown', unknown],
    ['incomplete', incomplete],
  ]);
  return message === ''
    ? { type, status: 'True' }
    : { type, status: 'False', reason: 'ContainersNotInitialized', message };
}

function anyRegularStarted(pod: Pod, byName: ReadonlyMap<string, ContainerStatus>): boolean {
  return pod.spec.containers.some(({ name }) => {
    const state = byName.get(name)?.state;
    return state?.running !== undefined || state?.terminated !== undefined;
  });
}

export function readyToStartContainersCondition(runtime: RuntimePod): ConditionDraft {
  const { create } = sandboxNeed(runtime);
  return { type: 'PodReadyToStartContainers', status: create ? 'False' : 'True' };
}

/** Keeps `lastTransitionTime` of a condition whose status stays, and stamps `now` on one that changed. */
export function stampCondition(
  draft: ConditionDraft,
  old: readonly coreV1.PodCondition[],
  now: string,
  generation: number | undefined,
): coreV1.PodCondition {
  const before = old.find((condition) => condition.type === draft.type);
  const since = before?.status === draft.status ? before.lastTransitionTime : undefined;
  return {
    type: draft.type,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    status: draft.status,
    lastTransitionTime: since ?? now,
    ...(draft.reason === undefined ? {} : { reason: draft.reason }),
    ...(draft.message === undefined || draft.message === '' ? {} : { message: draft.message }),
  };
}
