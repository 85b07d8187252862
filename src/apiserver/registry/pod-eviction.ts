/**
 * `pods/eviction`: a deletion that PodDisruptionBudgets may refuse.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
 */
import type { coreV1, policyV1 } from '#api';
import {
  badRequest,
  compileLabelSelector,
  type DeleteOptions,
  forbidden,
  isConflict,
  type KubeObject,
  notFound,
  type ResourceTarget,
  StatusError,
} from '#machinery';
import { type Clock, formatTime } from '#platform';
import type { Store } from '#store';
import { typed } from '../typed-object.ts';
import type { ObjectDeleter } from './object-deleter.ts';
import { withTrueCondition } from './pod-condition.ts';
import type { ServedResource } from './served-resource.ts';
import { changeStored } from './store-commit.ts';
import type { StoredResource } from './stored-resource.ts';
import type { WriteCall } from './write-call.ts';

/** Pods a budget remembers as evicted but not yet gone; more means its controller does not keep up. */
const MAX_DISRUPTED_PODS = 2000;
const VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget.";
const BUDGETS = { group: 'policy', resource: 'poddisruptionbudget' };

export interface EvictionDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly deleter: ObjectDeleter;
  readonly pods: ServedResource;
  readonly budgets: StoredResource;
}

export async function evictPod(
  deps: EvictionDeps,
  target: ResourceTarget,
  body: KubeObject,
  call: WriteCall,
): Promise<void> {
  const name = target.name ?? '';
  if (name !== body.metadata.name) throw badRequest('name in URL does not match name in Eviction object');
  const asked = (body.deleteOptions ?? {}) as DeleteOptions & { readonly dryRun?: unknown };
  const dryRun = call.dryRun || (Array.isArray(asked.dryRun) && asked.dryRun.includes('All'));
  const evictionCall: WriteCall = { ...call, dryRun };
  const options: DeleteOptions = { ...asked, dryRun };
  const { stored } = deps.pods;
  await stored.cache.fresh();
  const live = stored.cache.get(stored.keyOf(target.namespace, name))?.object;
  if (live === undefined) throw notFound(deps.pods.groupResource, name);
  const budgetName = await askBudget(deps, live, dryRun);
  try {
    await markAndDelete(deps, target, options, evictionCall);
  } catch (error) {
    if (budgetName !== undefined && isConflict(error) && asked.preconditions?.resourceVersion === undefined) {
      throw stillProcessed(budgetName);
    }
    throw error;
  }
}

/** Takes one disruption from the pod's budget. @throws StatusError 429 when there is none left. */
async function askBudget(deps: EvictionDeps, live: KubeObject, dryRun: boolean): Promise<string | undefined> {
  const pod = typed<coreV1.Pod>(live);
  const phase = pod.status?.phase;
  if (live.metadata.deletionTimestamp !== undefined) return undefined;
  if (phase === 'Succeeded' || phase === 'Failed' || phase === 'Pending') return undefined;
  await deps.budgets.cache.fresh();
  const matching: KubeObject[] = [];
  for (const { object } of deps.budgets.cache.inNamespace(live.metadata.namespace)) {
    const { selector } = typed<policyV1.PodDisruptionBudget>(object).spec;
    if (selector === undefined) continue;
    if (compileLabelSelector(selector)(live.metadata.labels ?? {})) matching.push(object);
  }
  const [first] = matching;
  if (first === undefined) return undefined;
  if (matching.length > 1) {
    const message =
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
    throw new StatusError(500, '', message);
  }
  const name = first.metadata.name ?? '';
  const budget = typed<policyV1.PodDisruptionBudget>(first);
  if (!isReady(pod)) {
    const { currentHealthy, desiredHealthy } = budget.status;
    if (budget.spec.unhealthyPodEvictionPolicy === 'AlwaysAllow') return name;
    if (currentHealthy >= desiredHealthy && desiredHealthy > 0) return name;
  }
  if (dryRun) {
    decremented(first, live, '');
    return undefined;
  }
  const now = formatTime(deps.clock.now());
  await changeStored(deps.store, deps.budgets, deps.budgets.keyOfObject(first), (current) =>
    decremented(current, live, now),
  );
  return undefined;
}

function isReady(pod: coreV1.Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
}

function decremented(object: KubeObject, pod: KubeObject, now: string): KubeObject {
  const budget = typed<policyV1.PodDisruptionBudget>(object);
  const name = object.metadata.name ?? '';
  const { status } = budget;
  if ((status.observedGeneration ?? 0) < (object.metadata.generation ?? 0)) throw stillProcessed(name);
  if (status.disruptionsAllowed < 0) throw forbidden(BUDGETS, name, 'pdb disruptions allowed is negative');
  if (Object.keys(status.disruptedPods ?? {}).length > MAX_DISRUPTED_PODS) {
    const why = 'DisruptedPods map too big - too many evictions not confirmed by PDB controller';
    throw forbidden(BUDGETS, name, why);
  }
  if (status.disruptionsAllowed === 0) throw tooMany(whyNot(name, status), undefined);
  const disruptedPods = { ...status.disruptedPods, [pod.metadata.name ?? '']: now };
  const disruptionsAllowed = status.disruptionsAllowed - 1;
  return { ...object, status: { ...status, disruptionsAllowed, disruptedPods } };
}

function whyNot(name: string, status: policyV1.PodDisruptionBudgetStatus): string {
  const condition = status.conditions?.find(({ type }) => type === 'DisruptionAllowed');
  const says = condition?.status === 'False' && condition.message !== '' ? condition : undefined;
  if (says?.reason === 'SyncFailed') {
    return `The disruption budget ${name} does not allow evicting pods currently because it failed sync: ${says.message}`;
  }
  if (status.currentHealthy <= status.desiredHealthy) {
    return `The disruption budget ${name} needs ${status.desiredHealthy} healthy pods and has ${status.currentHealthy} currently`;
  }
  const because = says === undefined ? '' : ` (${says.reason}): ${says.message}`;
  return `The disruption budget ${name} does not allow evicting pods currently${because}`;
}

function stillProcessed(name: string): StatusError {
  return tooMany(`The disruption budget ${name} is still being processed by the server.`, 10);
}

function tooMany(message: string, retryAfterSeconds: number | undefined): StatusError {
  return new StatusError(429, 'TooManyRequests', VIOLATES, {
    causes: [{ reason: 'DisruptionBudget', message }],
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });
}

async function markAndDelete(
  deps: EvictionDeps,
  target: ResourceTarget,
  options: DeleteOptions,
  call: WriteCall,
): Promise<void> {
  const { stored } = deps.pods;
  let deletion = options;
  if (!call.dryRun) {
    const now = formatTime(deps.clock.now());
    const condition = {
      type: 'DisruptionTarget',
      reason: 'EvictionByEvictionAPI',
      message: 'Eviction API: evicting',
    };
    const marked = await changeStored(
      deps.store,
      stored,
      stored.keyOf(target.namespace, target.name ?? ''),
      (live) => {
        deps.deleter.checkPreconditions(deps.pods, live, options);
        return withTrueCondition(live, condition, now);
      },
    );
    if (options.preconditions?.resourceVersion !== undefined) {
      deletion = {
        ...options,
        preconditions: { ...options.preconditions, resourceVersion: String(marked.revision) },
      };
    }
  }
  await deps.deleter.delete(deps.pods, { ...target, subresource: undefined }, deletion, call);
}
