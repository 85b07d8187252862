/**
 * ResourceQuota: a write is charged before it happens, and refused when a quota of its namespace would be exceeded.
 *
 * Two pods must not both fit into the room for one. So the writes of a namespace are decided one after another: while a
 * round's new usage is being stored, further writes gather and are decided together in the next round, with one status
 * update per quota and round. Another server's writes show as a conflict, and the round is decided again on what it
 * left.
 */
import {
  addResources,
  type coreV1,
  describeResources,
  equalResources,
  maskResources,
  nonZeroResources,
  quotaEvaluator,
  quotaMatches,
  type QuotaEvaluator,
  type QuotaRequest,
  type ResourceList,
  resourceList,
  resourcesToJson,
  subtractResources,
} from '#api';
import { isConflict, type KubeObject } from '#machinery';
import type { Clock } from '#platform';
import type { CacheReader } from '../reader.ts';
import { typed, untyped } from '../typed-object.ts';
import type { AdmissionAttributes, AdmissionDependencies, AdmissionPlugin } from './admission.ts';
import { refusal } from './refusal.ts';

const QUOTAS = { group: '', resource: 'resourcequotas' };
/** Rounds decided again after a conflict before the write is given up. */
const MAX_RETRIES = 3;
/** Writes waiting in one namespace; past it they are refused rather than held. */
const MAX_WAITING = 10_000;

export interface ResourceQuotaOptions {
  readonly reader: CacheReader;
  readonly clock: Clock;
  readonly dependencies: AdmissionDependencies;
}

interface Waiter {
  readonly attributes: AdmissionAttributes;
  readonly request: QuotaRequest;
  readonly evaluator: QuotaEvaluator;
  readonly settle: { resolve(): void; reject(error: unknown): void };
}

/** A quota with what is used so far in this round. */
interface RunningQuota {
  readonly quota: coreV1.ResourceQuota;
  used: ResourceList;
}

export function resourceQuota(options: ResourceQuotaOptions): AdmissionPlugin {
  const ledgers = new Map<string, NamespaceLedger>();
  return {
    name: 'ResourceQuota',
    validate(attributes: AdmissionAttributes): void | Promise<void> {
      const { operation, target, object, oldObject } = attributes;
      const { namespace = '', subresource = '' } = target;
      if (namespace === '' || object === undefined) return undefined;
      if (target.group === '' && target.resource === 'namespaces') return undefined;
      const evaluator = quotaEvaluator(target);
      if (evaluator === undefined) return undefined;
      const request = { operation, subresource, object, oldObject };
      if (!evaluator.handles(request)) return undefined;
      if (options.reader.list(QUOTAS, namespace).length === 0) return undefined;
      let ledger = ledgers.get(namespace);
      if (ledger === undefined) {
        ledger = new NamespaceLedger(namespace, options, () => ledgers.delete(namespace));
        ledgers.set(namespace, ledger);
      }
      return ledger.charge({ attributes, request, evaluator });
    },
  };
}

class NamespaceLedger {
  readonly #namespace: string;
  readonly #options: ResourceQuotaOptions;
  readonly #onIdle: () => void;
  #waiting: Waiter[] = [];
  #busy = false;
  /** What this server wrote last, until the cache shows it: usage must not be read from before it. */
  readonly #written = new Map<string, coreV1.ResourceQuota>();

  constructor(namespace: string, options: ResourceQuotaOptions, onIdle: () => void) {
    this.#namespace = namespace;
    this.#options = options;
    this.#onIdle = onIdle;
  }

  charge(write: Omit<Waiter, 'settle'>): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length >= MAX_WAITING) {
        reject(refusal(write.attributes, 'too many requests are waiting for a quota decision'));
        return;
      }
      this.#waiting.push({ ...write, settle: { resolve, reject } });
      if (!this.#busy) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.length > 0) {
      const round = this.#waiting;
      this.#waiting = [];
      try {
        await this.#decide(this.#quotas(), round, MAX_RETRIES);
      } catch (error) {
        for (const { settle } of round) settle.reject(error);
      }
    }
    this.#busy = false;
    this.#onIdle();
  }

  #quotas(): readonly coreV1.ResourceQuota[] {
    return this.#options.reader.list<coreV1.ResourceQuota>(QUOTAS, this.#namespace).map((quota) => {
      const name = quota.metadata.name ?? '';
      const written = this.#written.get(name);
      if (written === undefined || written.metadata.uid !== quota.metadata.uid) return quota;
      if (revision(quota) < revision(written)) return written;
      this.#written.delete(name);
      return quota;
    });
  }

  /** Settles every waiter of the round. */
  async #decide(
    quotas: readonly coreV1.ResourceQuota[],
    round: readonly Waiter[],
    retries: number,
  ): Promise<void> {
    const running: RunningQuota[] = quotas.map((quota) => ({
      quota,
      used: resourceList(quota.status?.used),
    }));
    const charged: Waiter[] = [];
    for (const waiter of round) {
      try {
        const charges = chargesOf(running, waiter, this.#options.clock.now());
        // A dry run is only asked whether it would fit.
        if (charges.length === 0 || waiter.attributes.dryRun) waiter.settle.resolve();
        else {
          for (const { quota, used } of charges) quota.used = used;
          charged.push(waiter);
        }
      } catch (error) {
        waiter.settle.reject(error);
      }
    }
    const changed = running.filter(
      ({ quota, used }) => !equalResources(used, resourceList(quota.status?.used)),
    );
    const failed = new Map<string, unknown>();
    for (const { quota, used } of changed) {
      try {
        await this.#store(quota, used);
      } catch (error) {
        failed.set(quota.metadata.name ?? '', error);
      }
    }
    if (failed.size === 0) {
      for (const { settle } of charged) settle.resolve();
      return;
    }
    const [error] = failed.values();
    if (retries === 0 || ![...failed.values()].every(isConflict)) {
      for (const { settle } of charged) settle.reject(error);
      return;
    }
    // Only the quotas that were not written are decided again: the others hold these writes already.
    const again = await this.#fresh([...failed.keys()]);
    await this.#decide(again, charged, retries - 1);
  }

  async #store(quota: coreV1.ResourceQuota, used: ResourceList): Promise<void> {
    const status = { ...quota.status, used: resourcesToJson(used) };
    const { object } = await this.#options.dependencies.endpoint.request({
      verb: 'update',
      group: '',
      version: 'v1',
      resource: 'resourcequotas',
      subresource: 'status',
      namespace: this.#namespace,
      name: quota.metadata.name,
      body: { ...untyped(quota), status },
    });
    this.#written.set(quota.metadata.name ?? '', typed<coreV1.ResourceQuota>(object as KubeObject));
  }

  /** Past the cache, which may not have seen yet what the write conflicted with. A deleted quota limits nothing. */
  async #fresh(names: readonly string[]): Promise<readonly coreV1.ResourceQuota[]> {
    const { object } = await this.#options.dependencies.endpoint.request({
      verb: 'list',
      group: '',
      version: 'v1',
      resource: 'resourcequotas',
      namespace: this.#namespace,
    });
    const items = 'items' in object ? (object.items as readonly KubeObject[]) : [];
    return items
      .filter(({ metadata }) => names.includes(metadata.name ?? ''))
      .map((quota) => typed<coreV1.ResourceQuota>(quota));
  }
}

const revision = ({ metadata }: coreV1.ResourceQuota): bigint => BigInt(metadata.resourceVersion ?? '0');

/** New usage of every quota that the write counts towards; empty: it changes none. @throws StatusError: too much. */
function chargesOf(
  running: readonly RunningQuota[],
  { attributes, request, evaluator }: Waiter,
  nowMs: number,
): readonly { readonly quota: RunningQuota; readonly used: ResourceList }[] {
  const { object, oldObject, operation } = request;
  const matching = running.filter(({ quota }) => quotaMatches(quota, evaluator, object));
  for (const { quota } of matching) checkCountable(attributes, evaluator, quota, object);
  if (matching.length === 0) return [];
  const usage = evaluator.usage(object, nowMs);
  const negative = [...usage].filter(([, quantity]) => quantity.sign() < 0).map(([name]) => name);
  if (negative.length > 0) {
    throw refusal(attributes, `quota usage is negative for resource(s): ${negative.sort().join(',')}`);
  }
  const old = operation === 'UPDATE' ? oldObject : undefined;
  return matching.flatMap((running) => {
    const counted = old !== undefined && quotaMatches(running.quota, evaluator, old);
    const delta = nonZeroResources(counted ? subtractResources(usage, evaluator.usage(old, nowMs)) : usage);
    const hard = resourceList(running.quota.status?.hard);
    const requested = maskResources(delta, hard.keys());
    if (requested.size === 0) return [];
    const used = addResources(running.used, requested);
    if (request.subresource !== 'status') checkRoom(attributes, running, { requested, used, hard });
    return [{ quota: running, used }];
  });
}

function checkCountable(
  attributes: AdmissionAttributes,
  evaluator: QuotaEvaluator,
  { metadata, status }: coreV1.ResourceQuota,
  object: KubeObject,
): void {
  const limited = evaluator.matchingResources(Object.keys(status?.hard ?? {}));
  const violation = evaluator.constraintViolation?.(limited, object);
  if (violation !== undefined) throw refusal(attributes, `failed quota: ${metadata.name}: ${violation}`);
  if (limited.some((name) => status?.used?.[name] === undefined)) {
    throw refusal(
      attributes,
      `status unknown for quota: ${metadata.name}, resources: ${[...limited].sort().join(',')}`,
    );
  }
}

function checkRoom(
  attributes: AdmissionAttributes,
  { quota, used: before }: RunningQuota,
  {
    requested,
    used,
    hard,
  }: { readonly requested: ResourceList; readonly used: ResourceList; readonly hard: ResourceList },
): void {
  const exceeded = [...requested.keys()].filter((name) => {
    const [after, limit] = [used.get(name), hard.get(name)];
    return after !== undefined && limit !== undefined && after.compare(limit) > 0;
  });
  if (exceeded.length === 0) return;
  const shown = (list: ResourceList): string => describeResources(maskResources(list, exceeded));
  throw refusal(
    attributes,
    `exceeded quota: ${quota.metadata.name}, requested: ${shown(requested)}, used: ${shown(before)}, limited: ${shown(hard)}`,
  );
}
