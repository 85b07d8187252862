/**
 * The service proxy of one node: keeps the kernel's tables equal to what Services and EndpointSlices say.
 *
 * Changes are gathered for a moment and become one nft transaction that touches only what differs. After an error
 * the whole table is written anew.
 */
import type { coreV1, discoveryV1 } from '#api';
import { type Informer, type InformerFactory, objectKey, resources } from '#client';
import type { Clock, Logger, Processes } from '#platform';
import { runNft } from '../commands.ts';
import { networkNames } from '../names.ts';
import { baseTable, mergeRules, NO_RULES, type PortRules, portRules, transition } from './rules.ts';
import { type NodeLocalService, serviceView } from './service-endpoints.ts';

/** Changes that come within this time go to the kernel together. */
const GATHER_MS = 5;
const RETRY_MS = 2_000;
const SERVICE_LABEL = 'kubernetes.io/service-name';
const BY_SERVICE = 'proxy-service';

export interface ServiceProxyOptions {
  readonly cluster: string;
  readonly nodeName: string;
  readonly clusterCidr: string;
  readonly informers: InformerFactory;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeLocal?: readonly NodeLocalService[];
}

/** Removes the table, whoever made it. */
export async function removeServiceProxy(cluster: string, processes: Processes): Promise<void> {
  const { serviceTable } = networkNames(cluster);
  await runNft(processes, `add table ip ${serviceTable}\ndelete table ip ${serviceTable}\n`);
}

export class ServiceProxy {
  readonly #options: ServiceProxyOptions;
  readonly #table: string;
  readonly #services: Informer<coreV1.Service>;
  readonly #slices: Informer<discoveryV1.EndpointSlice>;
  readonly #stopped = new AbortController();
  readonly #removeHandlers: (() => void)[] = [];
  /** Service key → what the kernel should have for it. */
  readonly #desired = new Map<string, PortRules>();
  readonly #dirty = new Set<string>();
  /** What the kernel has; undefined: unknown, write everything. */
  #applied: PortRules | undefined;
  #scheduled = false;
  #applying: Promise<void> = Promise.resolve();

  constructor(options: ServiceProxyOptions) {
    this.#options = options;
    this.#table = networkNames(options.cluster).serviceTable;
    this.#services = options.informers.for(resources.services);
    this.#slices = options.informers.for(resources.endpointSlices);
    this.#slices.addIndex(BY_SERVICE, (slice) => {
      const service = slice.metadata.labels?.[SERVICE_LABEL];
      return service === undefined ? [] : [`${slice.metadata.namespace}/${service}`];
    });
  }

  /** Resolves when everything known at the start is in the kernel. */
  async start(): Promise<void> {
    const onService = (service: coreV1.Service): void => this.#mark(objectKey(service));
    const onSlice = (slice: discoveryV1.EndpointSlice): void => {
      const service = slice.metadata.labels?.[SERVICE_LABEL];
      if (service !== undefined) this.#mark(`${slice.metadata.namespace}/${service}`);
    };
    this.#removeHandlers.push(
      this.#services.addHandler({ onAdd: onService, onUpdate: onService, onDelete: onService }),
      this.#slices.addHandler({ onAdd: onSlice, onUpdate: onSlice, onDelete: onSlice }),
    );
    const { signal } = this.#stopped;
    await Promise.all([this.#services.synced({ signal }), this.#slices.synced({ signal })]);
    await this.#apply();
  }

  /** The rules stay: services go on while the agent restarts. `removeServiceProxy` takes them away. */
  async stop(): Promise<void> {
    this.#stopped.abort(new Error('service proxy stopped'));
    for (const remove of this.#removeHandlers) remove();
    await this.#applying;
  }

  #mark(key: string): void {
    this.#dirty.add(key);
    this.#schedule(GATHER_MS);
  }

  #schedule(delayMs: number): void {
    if (this.#scheduled || this.#stopped.signal.aborted) return;
    this.#scheduled = true;
    this.#options.clock.setTimer(delayMs, () => {
      this.#scheduled = false;
      if (this.#stopped.signal.aborted || !this.#services.hasSynced || !this.#slices.hasSynced) return;
      this.#applying = this.#applying.then(() => this.#apply());
    });
  }

  async #apply(): Promise<void> {
    for (const key of this.#dirty) this.#compute(key);
    this.#dirty.clear();
    const next = mergeRules(this.#desired.values());
    const script =
      this.#applied === undefined
        ? baseTable(this.#table) + transition(this.#table, NO_RULES, next)
        : transition(this.#table, this.#applied, next);
    if (script === '') return;
    try {
      await runNft(this.#options.processes, script);
      this.#applied = next;
    } catch (error) {
      this.#applied = undefined;
      this.#options.logger.error(
        { error },
        'the service rules could not be applied; writing all of them again',
      );
      this.#schedule(RETRY_MS);
    }
  }

  #compute(key: string): void {
    const service = this.#services.get(key);
    if (service === undefined) {
      this.#desired.delete(key);
      return;
    }
    const { nodeName, nodeLocal = [], clusterCidr } = this.#options;
    const views = serviceView(service, this.#slices.byIndex(BY_SERVICE, key), { nodeName, nodeLocal });
    this.#desired.set(key, mergeRules(views.map((view) => portRules(view, clusterCidr))));
  }
}
