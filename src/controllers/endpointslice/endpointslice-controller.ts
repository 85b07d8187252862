import type { coreV1, discoveryV1 } from '#api';
import { type Informer, objectKey, resources } from '#client';
import { deepEqual, isNamespaceTerminating, isNotFound } from '#machinery';
import { type ControllerContext, defineController } from '../frame/controller.ts';
import { Expectations } from '../frame/expectations.ts';
import { controllerReference } from '../frame/ownership.ts';
import { messageOf } from '../frame/pod-control.ts';
import { selects, watchPodsOfServices } from './pod-services.ts';
import {
  addressTypes,
  endpointPorts,
  hasEndpoint,
  isHeadless,
  podAddresses,
  podEndpoint,
} from './service-endpoints.ts';
import { planSlices, portsKey, type WantedSlice } from './slice-plan.ts';

type Slice = discoveryV1.EndpointSlice;
type Service = coreV1.Service;

const WORKERS = 5;
const MAX_ENDPOINTS_PER_SLICE = 100;
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
const SERVICE_NAME = 'kubernetes.io/service-name';
const HEADLESS = 'service.kubernetes.io/headless';
const RESERVED_LABELS = new Set([MANAGED_BY, SERVICE_NAME, HEADLESS]);
const CONTROLLER = 'endpointslice-controller.k8s.io';
const ZONE = 'topology.kubernetes.io/zone';

/** Keeps the EndpointSlices of every Service that selects pods. */
export const endpointSliceController = defineController({
  name: 'endpointslice-controller',
  workers: WORKERS,
  setup(context) {
    const loop = new SliceLoop(context);
    return {
      informers: [loop.services, loop.pods, loop.slices, loop.nodes],
      reconcile: (key) => loop.reconcile(key),
      stop: () => loop.stop(),
    };
  },
});

const serviceKeyOf = (slice: Slice): string | undefined => {
  const { namespace = '', labels } = slice.metadata;
  if (labels?.[MANAGED_BY] !== CONTROLLER || labels[SERVICE_NAME] === undefined) return undefined;
  return `${namespace}/${labels[SERVICE_NAME]}`;
};
const sliceIndex = (slice: Slice): readonly string[] => {
  const key = serviceKeyOf(slice);
  return key === undefined ? [] : [key];
};
const BY_SERVICE = 'endpointslice-controller/service';

class SliceLoop {
  readonly services: Informer<Service>;
  readonly pods: Informer<coreV1.Pod>;
  readonly slices: Informer<Slice>;
  readonly nodes: Informer<coreV1.Node>;
  readonly #context: ControllerContext;
  /** Slices just created: until the cache shows them a second reconcile would create them again. */
  readonly #expectations: Expectations;
  readonly #removeHandlers: readonly (() => void)[];

  constructor(context: ControllerContext) {
    const { informers, queue, clock } = context;
    this.#context = context;
    this.services = informers.for(resources.services);
    this.pods = informers.for(resources.pods);
    this.slices = informers.for(resources.endpointSlices);
    this.nodes = informers.for(resources.nodes);
    this.slices.addIndex(BY_SERVICE, sliceIndex);
    this.#expectations = new Expectations(clock);
    const enqueue = (service: Service): void => queue.add(objectKey(service));
    const enqueueOwner = (slice: Slice): void => {
      const key = serviceKeyOf(slice);
      if (key !== undefined) queue.add(key);
    };
    this.#removeHandlers = [
      this.services.addHandler({ onAdd: enqueue, onUpdate: enqueue, onDelete: enqueue }),
      watchPodsOfServices(this.pods, this.services, (key) => queue.add(key)),
      this.slices.addHandler({
        onAdd: (slice) => {
          const key = serviceKeyOf(slice);
          if (key === undefined) return;
          this.#expectations.creationObserved(key);
          queue.add(key);
        },
        onUpdate: enqueueOwner,
        onDelete: enqueueOwner,
      }),
      this.nodes.addHandler({
        onAdd: (node) => this.#onZone(node, undefined),
        onUpdate: (node, old) => this.#onZone(node, old),
      }),
    ];
  }

  stop(): void {
    for (const remove of this.#removeHandlers) remove();
  }

  async reconcile(key: string): Promise<undefined> {
    const service = this.services.get(key);
    if (service === undefined) {
      // Its slices go with it: they are owned.
      this.#expectations.forget(key);
      return undefined;
    }
    if (service.spec.selector === undefined || service.metadata.deletionTimestamp !== undefined)
      return undefined;
    if (!this.#expectations.satisfied(key)) return undefined;
    const existing = this.slices
      .byIndex(BY_SERVICE, key)
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const wanted = service.spec.type === 'ExternalName' ? [] : this.#wanted(service);
    const plan = planSlices({ existing, wanted, maxPerSlice: MAX_ENDPOINTS_PER_SLICE });
    const relabelled = existing.filter(
      (slice) => ![...plan.update, ...plan.remove].some((other) => other.metadata.uid === slice.metadata.uid),
    );
    const labels = sliceLabels(service);
    const update = [
      ...plan.update,
      ...relabelled.filter(({ metadata }) => !deepEqual(metadata.labels, labels)),
    ];
    try {
      await this.#write(key, service, plan.create, update, plan.remove);
    } catch (error) {
      if (isNamespaceTerminating(error)) return undefined;
      const message = `Error updating Endpoint Slices for Service ${key}: ${messageOf(error)}`;
      this.#context.events.event(service, 'Warning', 'FailedToUpdateEndpointSlices', message);
      throw error;
    }
    return undefined;
  }

  #wanted(service: Service): readonly WantedSlice[] {
    const pods = this.pods
      .list(service.metadata.namespace)
      .filter((pod) => selects(service, pod.metadata.labels) && hasEndpoint(pod));
    return addressTypes(service).flatMap((addressType): readonly WantedSlice[] => {
      const groups = new Map<string, WantedSlice & { readonly endpoints: discoveryV1.Endpoint[] }>();
      for (const pod of pods) {
        const ports = endpointPorts(service, pod);
        // Only a headless Service may have endpoints without ports.
        if (podAddresses(pod, addressType).length === 0) continue;
        if (ports.length === 0 && !(isHeadless(service) && (service.spec.ports ?? []).length === 0)) continue;
        const key = portsKey(ports);
        const group = groups.get(key) ?? { addressType, ports, endpoints: [] };
        const zone = this.nodes.get(pod.spec.nodeName ?? '')?.metadata.labels?.[ZONE];
        group.endpoints.push(podEndpoint({ service, pod, zone }, addressType));
        groups.set(key, group);
      }
      return groups.size === 0 ? [{ addressType, ports: [], endpoints: [] }] : [...groups.values()];
    });
  }

  async #write(
    key: string,
    service: Service,
    create: readonly WantedSlice[],
    update: readonly Slice[],
    remove: readonly Slice[],
  ): Promise<void> {
    const { namespace = '', name } = service.metadata;
    const slices = this.#context.client.resource(resources.endpointSlices, namespace);
    const labels = sliceLabels(service);
    if (create.length > 0) this.#expectations.expectCreations(key, create.length);
    const metadata = {
      generateName: `${name}-`,
      namespace,
      labels,
      ownerReferences: [controllerReference(service)],
    };
    await Promise.all(
      create.map(async (wanted) => {
        try {
          await slices.create({ metadata, ...wanted });
        } catch (error) {
          this.#expectations.creationObserved(key);
          throw error;
        }
      }),
    );
    // What is added before what is removed, so that no endpoint is missing in between.
    for (const slice of update) await slices.update({ ...slice, metadata: { ...slice.metadata, labels } });
    for (const slice of remove) {
      try {
        await slices.delete(slice.metadata.name);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
  }

  #onZone(node: coreV1.Node, old: coreV1.Node | undefined): void {
    const zone = node.metadata.labels?.[ZONE];
    if (zone === old?.metadata.labels?.[ZONE]) return;
    for (const service of this.services.list()) this.#context.queue.add(objectKey(service));
  }
}

/** The Service's own labels and those by which its slices are found. */
function sliceLabels(service: Service): Readonly<Record<string, string>> {
  const own = Object.entries(service.metadata.labels ?? {}).filter(([key]) => !RESERVED_LABELS.has(key));
  return {
    ...Object.fromEntries(own),
    [MANAGED_BY]: CONTROLLER,
    [SERVICE_NAME]: service.metadata.name,
    ...(isHeadless(service) ? { [HEADLESS]: '' } : {}),
  };
}
