import { quotaEvaluator, type QuotaEvaluator } from '#api';
import { createInformer, type Informer, type OwnInformer } from '#client';
import { deepEqual, type KubeObject } from '#machinery';
import type { ControllerContext } from '../frame/controller.ts';
import { customResource, type ServedResource, ServedResources } from '../frame/served-resources.ts';

export interface CountedResource {
  readonly evaluator: QuotaEvaluator;
  readonly informer: Informer<KubeObject>;
}

const idOf = ({ group, resource }: Pick<ServedResource, 'group' | 'resource'>): string =>
  `${group}/${resource}`;

export interface CountedResourcesOptions {
  /** Whether anything in the namespace is counted at all. */
  readonly isCounted: (namespace: string) => boolean;
  /** Something was given back in a namespace, or counts differently now. */
  readonly onChange: (namespace: string) => void;
}

/** Caches of what quotas count: opened when the first quota names a resource, and no earlier. */
export class CountedResources {
  readonly served: ServedResources;
  readonly #context: ControllerContext;
  readonly #options: CountedResourcesOptions;
  readonly #open = new Map<string, CountedResource & { readonly close: () => void }>();
  readonly #removeHandler: () => void;

  constructor(context: ControllerContext, options: CountedResourcesOptions) {
    this.#context = context;
    this.#options = options;
    this.served = new ServedResources(context.informers);
    this.#removeHandler = this.served.definitions.addHandler({
      onDelete: (definition) => {
        for (const resource of customResource(definition)) this.#close(idOf(resource));
      },
    });
  }

  stop(): void {
    this.#removeHandler();
    for (const { close } of this.#open.values()) close();
    this.#open.clear();
  }

  /** Those that count towards one of the names. */
  for(names: readonly string[]): readonly CountedResource[] {
    return this.served
      .list('list', 'watch', 'create')
      .filter(({ namespaced }) => namespaced)
      .map((resource) => {
        const evaluator = quotaEvaluator(resource);
        const counts = evaluator !== undefined && evaluator.matchingResources(names).length > 0;
        return counts ? this.#ensure(resource, evaluator) : undefined;
      })
      .filter((counted) => counted !== undefined);
  }

  #ensure(resource: ServedResource, evaluator: QuotaEvaluator): CountedResource {
    const id = idOf(resource);
    const known = this.#open.get(id);
    if (known !== undefined) return known;
    const own = this.#isCustom(resource) ? this.#ownInformer(resource) : undefined;
    const informer = own ?? this.#context.informers.for(resource);
    const { isCounted, onChange } = this.#options;
    const tell = ({ metadata }: KubeObject): void => onChange(metadata.namespace ?? '');
    const remove = informer.addHandler({
      onDelete: tell,
      // What is created was counted when it was admitted.
      onUpdate: (object, old) => {
        if (!isCounted(object.metadata.namespace ?? '')) return;
        const now = this.#context.clock.now();
        if (!deepEqual(amounts(evaluator, object, now), amounts(evaluator, old, now))) tell(object);
      },
    });
    const close = (): void => {
      remove();
      void own?.stop();
    };
    const counted = { evaluator, informer, close };
    this.#open.set(id, counted);
    own?.start();
    return counted;
  }

  #isCustom(resource: ServedResource): boolean {
    return this.served.definitions.list().some((definition) => {
      const { group, names } = definition.spec;
      return group === resource.group && names.plural === resource.resource;
    });
  }

  /** One that can be closed when the kind is gone. */
  #ownInformer(ref: ServedResource): OwnInformer<KubeObject> {
    const { client, clock, random, logger } = this.#context;
    return createInformer<KubeObject>({ client, ref, clock, random, logger });
  }

  #close(id: string): void {
    this.#open.get(id)?.close();
    this.#open.delete(id);
  }
}

function amounts(
  evaluator: QuotaEvaluator,
  object: KubeObject,
  nowMs: number,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...evaluator.usage(object, nowMs)].map(([name, amount]) => [name, amount.toString()]),
  );
}
