/** How long a job waits before it replaces pods that failed: 10 s, 20 s, 40 s … up to ten minutes. */
import type { coreV1 } from '#api';
import { parseTimestamp } from '#machinery';
import type { WallTimeMs } from '#platform';
import { podCondition } from '../frame/pods.ts';

type Pod = coreV1.Pod;

const FIRST_MS = 10_000;
const MAX_MS = 600_000;

/** When the pod ended, in epoch milliseconds, as well as can be told. */
export function finishedAtMs(pod: Pod): WallTimeMs {
  const { metadata, spec, status } = pod;
  const sidecars = new Set(
    spec.initContainers?.filter(({ restartPolicy }) => restartPolicy === 'Always').map(({ name }) => name),
  );
  const containers = [
    ...(status.containerStatuses ?? []),
    ...(status.initContainerStatuses?.filter(({ name }) => sidecars.has(name)) ?? []),
  ].map(({ state }) => state?.terminated?.finishedAt);
  const ended = containers.filter((finishedAt) => finishedAt !== undefined);
  if (ended.length > 0 && ended.length === containers.length) return Math.max(...ended.map(parseTimestamp));
  const ready = podCondition(pod, 'Ready');
  if (ready?.status === 'False' && ready.lastTransitionTime !== undefined)
    return parseTimestamp(ready.lastTransitionTime);
  if (metadata.deletionTimestamp !== undefined)
    return parseTimestamp(metadata.deletionTimestamp) - (metadata.deletionGracePeriodSeconds ?? 0) * 1000;
  return parseTimestamp(metadata.creationTimestamp);
}

/** How long from now until `failures` in a row, the last at `lastMs`, are waited for; 0 when they are. */
export function backoffLeftMs(failures: number, lastMs: WallTimeMs | undefined, nowMs: WallTimeMs): number {
  if (failures === 0 || lastMs === undefined) return 0;
  const wholeMs = Math.min(MAX_MS, FIRST_MS * 2 ** (failures - 1));
  return Math.max(0, lastMs + wholeMs - nowMs);
}

/** Failures in a row, and when the last was. */
export interface FailureRun {
  readonly failures: number;
  readonly lastMs?: WallTimeMs;
}

/** The run after pods have ended: a success ends it, failures after that begin a new one. */
export function continueRun(
  before: FailureRun | undefined,
  succeeded: readonly Pod[],
  failed: readonly Pod[],
): FailureRun {
  const run = before ?? { failures: 0 };
  if (succeeded.length === 0) {
    if (failed.length === 0) return run;
    return { failures: run.failures + failed.length, lastMs: Math.max(...failed.map(finishedAtMs)) };
  }
  const lastSuccessMs = Math.max(...succeeded.map(finishedAtMs));
  const after = failed.map(finishedAtMs).filter((ms) => ms > lastSuccessMs);
  return after.length === 0 ? { failures: 0 } : { failures: after.length, lastMs: Math.max(...after) };
}
