/** APIService objects for the groups and versions this server itself serves: listed, always available. */
import { type ApiEndpoint, isAlreadyExists, isNotFound, type KubeObject } from '#machinery';
import { type Clock, formatTime, type Logger } from '#platform';
import { isBuiltinGroup, priorityOf } from './discovery/group-priority.ts';
import type { ResourceTable } from './registry/resource-table.ts';

const AUTOMANAGED = 'kube-aggregator.kubernetes.io/automanaged';
const TARGET = { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' };

export interface ApiServicesOptions {
  readonly endpoint: ApiEndpoint;
  readonly table: ResourceTable;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class ApiServices {
  readonly #options: ApiServicesOptions;
  /** What has been registered for custom resources by this server. */
  readonly #registered = new Set<string>();
  #work: Promise<void> = Promise.resolve();

  constructor(options: ApiServicesOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#options.table.onChange(() => this.#enqueue());
    this.#enqueue();
    await this.#work;
  }

  #enqueue(): void {
    this.#work = this.#work
      .then(() => this.#reconcile())
      .catch((error: unknown) => {
        this.#options.logger.warn({ error: String(error) }, 'could not register API services');
      });
  }

  async #reconcile(): Promise<void> {
    const wanted = new Map<string, KubeObject>();
    for (const { info } of this.#options.table.all()) {
      const object = this.#objectFor(info.group, info.version);
      wanted.set(object.metadata.name ?? '', object);
    }
    const missing = [...wanted].filter(([name]) => !this.#registered.has(name));
    const gone = [...this.#registered].filter((name) => !wanted.has(name));
    await Promise.all([
      ...missing.map(([name, object]) => this.#create(name, object)),
      ...gone.map((name) => this.#delete(name)),
    ]);
  }

  #objectFor(group: string, version: string): KubeObject {
    const priority = priorityOf(group, version);
    return {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: {
        name: `${version}.${group}`,
        labels: { [AUTOMANAGED]: isBuiltinGroup(group) ? 'onstart' : 'true' },
      },
      spec: {
        ...(group === '' ? {} : { group }),
        version,
        groupPriorityMinimum: priority.group,
        versionPriority: priority.version,
      },
    };
  }

  async #create(name: string, object: KubeObject): Promise<void> {
    const { endpoint, clock } = this.#options;
    this.#registered.add(name);
    try {
      const created = (await endpoint.request({ verb: 'create', ...TARGET, body: object }))
        .object as KubeObject;
      const condition = {
        type: 'Available',
        status: 'True',
        lastTransitionTime: formatTime(clock.now()),
        reason: 'Local',
        message: 'Local APIServices are always available',
      };
      const body = { ...created, status: { conditions: [condition] } };
      await endpoint.request({ verb: 'update', ...TARGET, name, subresource: 'status', body });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }

  async #delete(name: string): Promise<void> {
    this.#registered.delete(name);
    try {
      await this.#options.endpoint.request({ verb: 'delete', ...TARGET, name });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}
