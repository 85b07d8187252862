import {
  addResources,
  type coreV1,
  equalResources,
  maskResources,
  type ResourceList,
  resourceList,
  resourcesToJson,
  scopesOf,
} from '#api';
import { type Informer, objectKey, resources } from '#client';
import { deepEqual, parseQuantity } from '#machinery';
import { type ControllerContext, defineController, type ReconcileResult } from '../frame/controller.ts';
import { type CountedResource, CountedResources } from './counted-resources.ts';

type Quota = coreV1.ResourceQuota;

const WORKERS = 5;
/** What is given back in this time is counted at once. */
const BATCH_MS = 100;
/** An admitted write may fail after it was charged; only counting anew finds that. */
const RECOUNT_MS = 300_000;
const ZERO = parseQuantity('0');

/** Counts what the objects of a namespace use of its quotas. */
export const resourceQuotaController = defineController({
  name: 'resourcequota-controller',
  workers: WORKERS,
  setup(context) {
    const loop = new QuotaLoop(context);
    return {
      informers: [loop.quotas, loop.counted.served.definitions],
      reconcile: (key, options) => loop.reconcile(key, options),
      stop: () => loop.stop(),
    };
  },
});

class QuotaLoop {
  readonly quotas: Informer<Quota>;
  readonly counted: CountedResources;
  readonly #context: ControllerContext;
  readonly #removeHandler: () => void;

  constructor(context: ControllerContext) {
    this.#context = context;
    const { informers, queue } = context;
    this.quotas = informers.for(resources.resourceQuotas);
    this.counted = new CountedResources(context, {
      isCounted: (namespace) => this.quotas.list(namespace).length > 0,
      onChange: (namespace) => {
        for (const quota of this.quotas.list(namespace)) queue.addAfter(objectKey(quota), BATCH_MS);
      },
    });
    const enqueue = (quota: Quota): void => queue.add(objectKey(quota));
    this.#removeHandler = this.quotas.addHandler({
      onAdd: enqueue,
      // Its status changes with every admitted write; only what is asked of it matters here.
      onUpdate: (quota, old) => {
        if (!deepEqual(quota.spec, old.spec)) enqueue(quota);
      },
    });
  }

  stop(): void {
    this.#removeHandler();
    this.counted.stop();
  }

  async reconcile(
    key: string,
    options: { readonly signal: AbortSignal },
  ): Promise<ReconcileResult | undefined> {
    const named = this.quotas.get(key);
    if (named === undefined) return undefined;
    const counted = this.counted.for(Object.keys(named.spec?.hard ?? {}));
    await Promise.all(counted.map(({ informer }) => informer.synced(options)));
    // It may have changed meanwhile.
    const quota = this.quotas.get(key);
    if (quota === undefined) return undefined;
    await this.#write(quota, counted);
    return { requeueAfterMs: RECOUNT_MS };
  }

  async #write(quota: Quota, counted: readonly CountedResource[]): Promise<void> {
    const hard = resourceList(quota.spec?.hard);
    const before = resourceList(quota.status?.used);
    const used = maskResources(new Map([...before, ...this.#usage(quota, counted)]), hard.keys());
    const isSame =
      quota.status?.hard !== undefined &&
      quota.status.used !== undefined &&
      equalResources(resourceList(quota.status.hard), hard) &&
      equalResources(before, used);
    if (isSame) return;
    const status = { hard: resourcesToJson(hard), used: resourcesToJson(used) };
    await this.#context.client.resource(resources.resourceQuotas).updateStatus({ ...quota, status });
  }

  #usage(quota: Quota, counted: readonly CountedResource[]): ResourceList {
    const names = Object.keys(quota.spec?.hard ?? {});
    const scopes = scopesOf(quota);
    const now = this.#context.clock.now();
    let total: ResourceList = new Map();
    for (const { evaluator, informer } of counted) {
      const own = evaluator.matchingResources(names);
      total = addResources(total, new Map(own.map((name) => [name, ZERO])));
      for (const object of informer.list(quota.metadata.namespace ?? '')) {
        if (!scopes.every((scope) => evaluator.matchesScope(scope, object))) continue;
        total = addResources(total, maskResources(evaluator.usage(object, now), own));
      }
    }
    return total;
  }
}
