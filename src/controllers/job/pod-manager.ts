/** Creates and deletes the pods of a job: one of the two in a reconcile. */
import type { coreV1, Draft } from '#api';
import { type Client, resources } from '#client';
import { isNamespaceTerminating, isNotFound } from '#machinery';
import type { Clock } from '#platform';
import type { Expectations } from '../frame/expectations.ts';
import { controllerReference } from '../frame/ownership.ts';
import { type PodControl, podFromTemplate } from '../frame/pod-control.ts';
import { isReady } from '../frame/pods.ts';
import { slowStart } from '../frame/slow-start.ts';
import { podsToDelete } from '../replicaset/deletion-order.ts';
import { CompletionIndexes } from './completion-indexes.ts';
import {
  allFailuresBefore,
  COMPLETION_INDEX,
  completionIndex,
  failureAnnotations,
  isEnding,
  isIndexed,
  isSuspended,
  isTracked,
  limitsPerIndex,
  replacesOnlyEnded,
  TRACKING_FINALIZER,
} from './job-pods.ts';
import type { JobState } from './job-state.ts';
import { backoffLeftMs, finishedAtMs } from './pod-backoff.ts';

type Pod = coreV1.Pod;
type Template = coreV1.PodTemplateSpec;

/** Pods created or deleted in one reconcile; the next one goes on. */
const MAX_PER_RECONCILE = 500;
const INDEX_VARIABLE = 'JOB_COMPLETION_INDEX';
/** Longest prefix of a generated name that leaves room for its suffix. */
const MAX_GENERATED_PREFIX = 58;

export interface PodManagerOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly podControl: PodControl;
  readonly expectations: Expectations;
}

interface Ready {
  /** Undefined: the job has none. */
  readonly indexes: readonly number[] | undefined;
  readonly waitMs?: number;
}

export interface Managed {
  readonly error?: unknown;
  /** When pods may be created that have to wait for now. */
  readonly waitMs?: number;
}

/** Takes the finalizer off a pod; true also when the pod is gone. @throws what else the API server answers. */
export async function releasePod(client: Client, pod: Pod): Promise<void> {
  if (!isTracked(pod)) return;
  const { name, namespace = '' } = pod.metadata;
  try {
    await client.resource(resources.pods, namespace).patch(name, 'application/strategic-merge-patch+json', {
      metadata: { '$deleteFromPrimitiveList/finalizers': [TRACKING_FINALIZER] },
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

export class PodManager {
  readonly #options: PodManagerOptions;

  constructor(options: PodManagerOptions) {
    this.#options = options;
  }

  /** The job has ended: its pods stop, but stay until they are counted. False unless all could be told to. */
  async stopAll(state: JobState): Promise<Managed & { readonly done: boolean }> {
    const error = await this.#delete(state, state.activePods, (pod) =>
      this.#options.podControl.delete(state.job, pod),
    );
    return { done: state.active === 0, error };
  }

  async manage(key: string, state: JobState): Promise<Managed> {
    const { job, activePods } = state;
    if (isSuspended(job)) return this.#remove(key, state, activePods);
    const wanted = wantedActive(state);
    const surplus = podsForRemoval(state, Math.max(0, state.active - wanted), this.#options.clock.now());
    if (surplus.length > 0) return this.#remove(key, state, surplus.slice(0, MAX_PER_RECONCILE));
    const ending = replacesOnlyEnded(job) ? state.terminating : 0;
    const missing = Math.min(wanted - ending - state.active, MAX_PER_RECONCILE);
    return missing > 0 ? this.#add(key, state, missing) : {};
  }

  /** These are not to be counted as failures, so they are let go first. */
  async #remove(key: string, state: JobState, pods: readonly Pod[]): Promise<Managed> {
    const { client, podControl, expectations } = this.#options;
    expectations.expectDeletions(
      key,
      pods.map(({ metadata }) => metadata.uid),
    );
    const error = await this.#delete(state, pods, async (pod) => {
      const observed = (): void => expectations.deletionObserved(key, pod.metadata.uid);
      try {
        await releasePod(client, pod);
        if (!(await podControl.delete(state.job, pod))) observed();
      } catch (failure) {
        observed();
        throw failure;
      }
    });
    return { error };
  }

  /** Returns the first failure. */
  async #delete(
    state: JobState,
    pods: readonly Pod[],
    deleteOne: (pod: Pod) => Promise<unknown>,
  ): Promise<unknown> {
    let firstError: unknown;
    await Promise.all(
      pods.map(async (pod) => {
        try {
          await deleteOne(pod);
        } catch (error) {
          firstError ??= error;
          return;
        }
        state.active--;
        state.terminating++;
        if (isReady(pod)) state.ready--;
      }),
    );
    return firstError;
  }

  async #add(key: string, state: JobState, missing: number): Promise<Managed> {
    const { job, run } = state;
    const { clock, expectations, podControl } = this.#options;
    const perIndex = limitsPerIndex(job);
    const waitMs = perIndex ? 0 : backoffLeftMs(run.failures, run.lastMs, clock.now());
    if (waitMs > 0) return { waitMs };
    const pending = isIndexed(job) ? pendingIndexes(state, missing) : undefined;
    const ready: Ready =
      perIndex && pending !== undefined ? this.#afterBackoff(state, pending) : { indexes: pending };
    if (ready.waitMs !== undefined) return { waitMs: ready.waitMs };
    const count = ready.indexes?.length ?? missing;
    if (count === 0) return {};
    const indexes = ready.indexes?.values();
    expectations.expectCreations(key, count);
    const { succeeded, error } = await slowStart(count, async () => {
      const draft = podOf(state, indexes?.next().value);
      try {
        await podControl.create(job, draft);
      } catch (failure) {
        // Nothing will come of it, and trying again will not help.
        if (!isNamespaceTerminating(failure)) throw failure;
      }
    });
    for (let i = succeeded; i < count; i++) expectations.creationObserved(key);
    state.active += succeeded;
    return { error };
  }

  /** Those whose own back-off is over; when there are none, how long until the first is. */
  #afterBackoff({ indexes: state }: JobState, indexes: readonly number[]): Ready {
    const now = this.#options.clock.now();
    const waits = indexes.map((index) => {
      const failed = state?.replaceable.get(index);
      return failed === undefined
        ? 0
        : backoffLeftMs(allFailuresBefore(failed) + 1, finishedAtMs(failed), now);
    });
    const ready = indexes.filter((_, at) => waits[at] === 0);
    return ready.length > 0 || waits.length === 0
      ? { indexes: ready }
      : { indexes: [], waitMs: Math.min(...waits) };
  }
}

/** How many pods should run. */
function wantedActive({ job, succeeded, active }: JobState): number {
  const { parallelism = 1, completions } = job.spec;
  if (completions === undefined) return succeeded > 0 ? active : parallelism;
  return Math.max(0, Math.min(parallelism, completions - succeeded));
}

function pendingIndexes({ job, activePods, pods, indexes }: JobState, count: number): readonly number[] {
  if (indexes === undefined) return [];
  const busy = replacesOnlyEnded(job) ? [...activePods, ...pods.filter(isEnding)] : activePods;
  const taken = CompletionIndexes.of(busy.map(completionIndex).filter((index) => index !== undefined));
  return indexes.succeeded
    .union(taken)
    .union(indexes.failed ?? CompletionIndexes.none)
    .firstMissing(count, job.spec.completions ?? 0);
}

/** Pods without an index, with one there is no such, or with one that another has; then others until there are enough. */
function podsForRemoval({ job, activePods }: JobState, atLeast: number, nowMs: number): readonly Pod[] {
  const removed: Pod[] = [];
  const left: Pod[] = [];
  if (isIndexed(job)) {
    const byIndex = Map.groupBy(activePods, completionIndex);
    for (const [index, pods] of byIndex) {
      const isValid = index !== undefined && index < (job.spec.completions ?? 0);
      const surplus = isValid ? podsToDelete(pods, [], pods.length - 1, nowMs) : pods;
      removed.push(...surplus);
      left.push(...pods.filter((pod) => !surplus.includes(pod)));
    }
  } else {
    left.push(...activePods);
  }
  if (removed.length >= atLeast) return removed;
  return [...removed, ...podsToDelete(left, [], atLeast - removed.length, nowMs)];
}

function podOf(state: JobState, index: number | undefined): Draft<coreV1.Pod> {
  const { job } = state;
  const pod = podFromTemplate(job.spec.template, job, controllerReference(job));
  const finalizers = [...new Set([...(pod.metadata.finalizers ?? []), TRACKING_FINALIZER])];
  if (index === undefined) return { ...pod, metadata: { ...pod.metadata, finalizers } };
  const mark = { [COMPLETION_INDEX]: String(index) };
  const failures = limitsPerIndex(job) ? failureAnnotations(job, state.indexes?.replaceable.get(index)) : {};
  const spec = withIndexVariable(job.spec.template, pod.spec);
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      generateName: generateName(job.metadata.name, index),
      labels: { ...pod.metadata.labels, ...mark },
      annotations: { ...pod.metadata.annotations, ...mark, ...failures },
      finalizers,
    },
    spec: { ...spec, hostname: `${job.metadata.name}-${index}` },
  };
}

function generateName(jobName: string, index: number): string {
  const suffix = `-${index}-`;
  return `${jobName.slice(0, MAX_GENERATED_PREFIX - suffix.length)}${suffix}`;
}

function withIndexVariable(template: Template, spec: coreV1.PodSpec): coreV1.PodSpec {
  const { initContainers, containers = [] } = template.spec ?? {};
  return {
    ...spec,
    ...(initContainers === undefined ? {} : { initContainers: initContainers.map(containerWithIndex) }),
    containers: containers.map(containerWithIndex),
  };
}

function containerWithIndex(container: coreV1.Container): coreV1.Container {
  if (container.env?.some(({ name }) => name === INDEX_VARIABLE) === true) return container;
  const fieldRef = { fieldPath: `metadata.labels['${COMPLETION_INDEX}']` };
  return { ...container, env: [...(container.env ?? []), { name: INDEX_VARIABLE, valueFrom: { fieldRef } }] };
}
