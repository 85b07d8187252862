import type { coreV1, discoveryV1 } from '#api';
import { type Informer, objectKey, resources, splitKey } from '#client';
import { isNamespaceTerminating, isNotFound } from '#machinery';
import { type ControllerContext, defineController } from '../frame/controller.ts';
import { MANAGED_BY, MAX_PER_SUBSET, MIRRORED_BY, planMirror, SERVICE_NAME } from './mirror-plan.ts';

type Endpoints = coreV1.Endpoints;
type Slice = discoveryV1.EndpointSlice;

const WORKERS = 5;
const SKIP_LABEL = 'endpointslice.kubernetes.io/skip-mirror';
const LEADER_ANNOTATION = 'control-plane.alpha.kubernetes.io/leader';
const BY_SERVICE = 'endpointslicemirroring/service';

const isMirror = ({ metadata }: Slice): boolean => metadata.labels?.[MANAGED_BY] === MIRRORED_BY;
const serviceOf = ({ metadata }: Slice): string =>
  `${metadata.namespace ?? ''}/${metadata.labels?.[SERVICE_NAME] ?? ''}`;
const serviceKeys = (slice: Slice): readonly string[] => (isMirror(slice) ? [serviceOf(slice)] : []);

/** Gives Services without selector the EndpointSlices that say what was written into their Endpoints by hand. */
export const endpointSliceMirroringController = defineController({
  name: 'endpoint-slice-mirroring-controller',
  identity: 'endpointslicemirroring-controller',
  workers: WORKERS,
  setup(context) {
    const loop = new MirrorLoop(context);
    return {
      informers: [loop.endpoints, loop.services, loop.slices],
      reconcile: (key) => loop.reconcile(key),
      stop: () => loop.stop(),
    };
  },
});

class MirrorLoop {
  readonly endpoints: Informer<Endpoints>;
  readonly services: Informer<coreV1.Service>;
  readonly slices: Informer<Slice>;
  readonly #context: ControllerContext;
  readonly #removeHandlers: readonly (() => void)[];

  constructor(context: ControllerContext) {
    this.#context = context;
    const { informers, queue } = context;
    this.endpoints = informers.for(resources.endpoints);
    this.services = informers.for(resources.services);
    this.slices = informers.for(resources.endpointSlices);
    this.slices.addIndex(BY_SERVICE, serviceKeys);
    const onEndpoints = (endpoints: Endpoints): void => {
      if (mayBeMirrored(endpoints) || this.#slicesOf(objectKey(endpoints)).length > 0)
        queue.add(objectKey(endpoints));
    };
    const onService = (service: coreV1.Service): void => {
      if (!hasSelector(service)) queue.add(objectKey(service));
    };
    this.#removeHandlers = [
      this.endpoints.addHandler({ onAdd: onEndpoints, onUpdate: onEndpoints, onDelete: onEndpoints }),
      this.services.addHandler({
        onAdd: onService,
        onUpdate: (service, old) => {
          if (hasSelector(service) !== hasSelector(old)) queue.add(objectKey(service));
        },
        onDelete: onService,
      }),
      this.slices.addHandler({
        onUpdate: (slice) => {
          if (isMirror(slice)) queue.add(serviceOf(slice));
        },
        onDelete: (slice) => {
          if (isMirror(slice)) queue.add(serviceOf(slice));
        },
      }),
    ];
  }

  stop(): void {
    for (const remove of this.#removeHandlers) remove();
  }

  async reconcile(key: string): Promise<undefined> {
    const endpoints = this.endpoints.get(key);
    const service = this.services.get(key);
    const isWanted =
      endpoints !== undefined && mayBeMirrored(endpoints) && service !== undefined && !hasSelector(service);
    if (!isWanted) {
      await Promise.all(this.#slicesOf(key).map((slice) => this.#delete(slice)));
      return;
    }
    const plan = planMirror(endpoints, this.#slicesOf(key));
    this.#tell(endpoints, plan.invalid, plan.skipped);
    const client = this.#context.client.resource(resources.endpointSlices, splitKey(key).namespace);
    if (endpoints.metadata.deletionTimestamp === undefined) {
      for (const slice of plan.create)
        try {
          await client.create(slice);
        } catch (error) {
          if (isNamespaceTerminating(error)) return;
          throw error;
        }
    }
    for (const slice of plan.update) await client.update(slice);
    for (const slice of plan.remove) await this.#delete(slice);
  }

  #tell(endpoints: Endpoints, invalid: number, skipped: number): void {
    const { events } = this.#context;
    if (invalid > 0) {
      const message = `Skipped ${invalid} invalid IP addresses when mirroring to EndpointSlices`;
      events.event(endpoints, 'Warning', 'InvalidIPAddress', message);
    }
    if (skipped > 0) {
      const message =
        `A max of ${MAX_PER_SUBSET} addresses can be mirrored to EndpointSlices per Endpoints subset. ` +
        `${invalid + skipped} addresses were skipped`;
      events.event(endpoints, 'Warning', 'TooManyAddressesToMirror', message);
    }
  }

  #slicesOf(serviceKey: string): readonly Slice[] {
    return this.slices.byIndex(BY_SERVICE, serviceKey);
  }

  async #delete({ metadata: { name, namespace = '' } }: Slice): Promise<void> {
    try {
      await this.#context.client.resource(resources.endpointSlices, namespace).delete(name);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

function hasSelector({ spec }: coreV1.Service): boolean {
  return Object.keys(spec.selector ?? {}).length > 0;
}

/** Those of leader elections change all the time and are nobody's endpoints. */
function mayBeMirrored({ metadata }: Endpoints): boolean {
  return metadata.labels?.[SKIP_LABEL] !== 'true' && metadata.annotations?.[LEADER_ANNOTATION] === undefined;
}
