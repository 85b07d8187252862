import type { KubeObject } from '#machinery';
import type { InformerHandler } from '#client';
import { createInformer, type Informer, objectKey, type OwnInformer } from '#client';
import type { MonotonicMs } from '#platform';
import type { ControllerContext } from '../frame/controller.ts';
import { customResource, type ServedResource, ServedResources } from '../frame/served-resources.ts';

interface CustomMonitor {
  readonly informer: OwnInformer<KubeObject>;
  readonly resource: ServedResource;
  readonly since: MonotonicMs;
}

/** Neither owns anything nor is owned, and there are many of them. */
const IGNORED = new Set(['events', 'events.events.k8s.io']);
/** How long the collector waits for the first list of a custom resource before it goes on without. */
const MAX_SYNC_WAIT_MS = 30_000;

const idOf = ({ group, version, resource }: ServedResource): string => `${resource}.${group}/${version}`;

/** Watches everything that can be owned: shared informers for built-in resources, own ones for custom resources. */
export class ResourceMonitors {
  readonly served: ServedResources;
  readonly builtin: readonly Informer<KubeObject>[];
  readonly #context: ControllerContext;
  readonly #handlerFor: (resource: ServedResource) => InformerHandler<KubeObject>;
  readonly #custom = new Map<string, CustomMonitor>();
  readonly #removeHandlers: (() => void)[] = [];

  constructor(
    context: ControllerContext,
    handlerFor: (resource: ServedResource) => InformerHandler<KubeObject>,
  ) {
    this.#context = context;
    this.#handlerFor = handlerFor;
    this.served = new ServedResources(context.informers);
    // Custom resources are followed by the handler below.
    this.builtin = this.served
      .list('list', 'watch', 'delete')
      .filter(({ group, resource }) => !IGNORED.has(group === '' ? resource : `${resource}.${group}`))
      .map((resource) => {
        const informer = context.informers.for(resource);
        this.#removeHandlers.push(informer.addHandler(handlerFor(resource)));
        return informer;
      });
    this.#removeHandlers.push(
      this.served.definitions.addHandler({
        onAdd: (definition) => this.#follow(customResource(definition)),
        onUpdate: (definition, old) => {
          this.#follow(customResource(definition));
          this.#unfollow(
            customResource(old).filter((resource) => !isIn(customResource(definition), resource)),
          );
        },
        onDelete: (definition) => this.#unfollow(customResource(definition)),
      }),
    );
  }

  /** False while the first list of a custom resource is on its way. */
  get isComplete(): boolean {
    const now = this.#context.clock.monotonic();
    for (const { informer, since } of this.#custom.values()) {
      if (!informer.hasSynced && now - since < MAX_SYNC_WAIT_MS) return false;
    }
    return true;
  }

  stop(): void {
    for (const remove of this.#removeHandlers) remove();
    for (const { informer } of this.#custom.values()) void informer.stop();
  }

  #follow(found: readonly ServedResource[]): void {
    const { client, clock, random, logger } = this.#context;
    for (const resource of found) {
      if (this.#custom.has(idOf(resource))) continue;
      const informer = createInformer<KubeObject>({ client, ref: resource, clock, random, logger });
      informer.addHandler(this.#handlerFor(resource));
      this.#custom.set(idOf(resource), { informer, resource, since: clock.monotonic() });
      informer.start();
    }
  }

  #unfollow(gone: readonly ServedResource[]): void {
    for (const resource of gone) {
      const monitor = this.#custom.get(idOf(resource));
      if (monitor === undefined) continue;
      this.#custom.delete(idOf(resource));
      void monitor.informer.stop();
      // Its objects went with the definition.
      const handler = this.#handlerFor(resource);
      for (const object of monitor.informer.list()) handler.onDelete?.(object);
      this.#context.logger.debug(
        { resource: idOf(resource), objects: monitor.informer.list().map(objectKey) },
        'no longer watched',
      );
    }
  }
}

const isIn = (list: readonly ServedResource[], resource: ServedResource): boolean =>
  list.some((other) => idOf(other) === idOf(resource));
