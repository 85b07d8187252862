import type { coreV1 } from '#api';
import { type Informer, objectKey, resources } from '#client';
import { deepEqual, isAlreadyExists, isNamespaceTerminating, isNotFound } from '#machinery';
import { type ControllerContext, defineController } from '../frame/controller.ts';
import { messageOf } from '../frame/pod-control.ts';
import { isReady, isTerminating } from '../frame/pods.ts';
import { selects, watchPodsOfServices } from '../endpointslice/pod-services.ts';
import {
  addressTypes,
  endpointPorts,
  hasEndpoint,
  hostnameOf,
  isHeadless,
  podAddresses,
} from '../endpointslice/service-endpoints.ts';
import { type EndpointEntry, packSubsets, truncateSubsets } from './endpoint-subsets.ts';

type Service = coreV1.Service;
type Endpoints = coreV1.Endpoints;

const WORKERS = 5;
const HEADLESS = 'service.kubernetes.io/headless';
const MANAGED_BY = 'endpoints.kubernetes.io/managed-by';
const MANAGER = 'endpoint-controller';
const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';

/** Keeps the Endpoints object of every Service that selects pods: the older form, for those who still read it. */
export const endpointsController = defineController({
  name: 'endpoint-controller',
  workers: WORKERS,
  setup(context) {
    const services = context.informers.for(resources.services);
    const pods = context.informers.for(resources.pods);
    const endpoints = context.informers.for(resources.endpoints);
    const enqueue = (object: Service | Endpoints): void => context.queue.add(objectKey(object));
    const removeHandlers = [
      services.addHandler({ onAdd: enqueue, onUpdate: enqueue, onDelete: enqueue }),
      endpoints.addHandler({ onAdd: enqueue, onUpdate: enqueue, onDelete: enqueue }),
      watchPodsOfServices(pods, services, (key) => context.queue.add(key)),
    ];
    return {
      informers: [services, pods, endpoints],
      async reconcile(key) {
        await reconcileEndpoints(context, key, { services, pods, endpoints });
        return undefined;
      },
      stop() {
        for (const remove of removeHandlers) remove();
      },
    };
  },
});

interface Caches {
  readonly services: Informer<Service>;
  readonly pods: Informer<coreV1.Pod>;
  readonly endpoints: Informer<Endpoints>;
}

async function reconcileEndpoints(context: ControllerContext, key: string, caches: Caches): Promise<void> {
  const service = caches.services.get(key);
  const current = caches.endpoints.get(key);
  if (service === undefined) {
    // Those of someone else's making stay.
    if (current?.metadata.labels?.[MANAGED_BY] === MANAGER) await remove(context, current);
    return;
  }
  if (service.spec.selector === undefined || service.spec.type === 'ExternalName') return;
  if (service.metadata.deletionTimestamp !== undefined) return;
  const wanted = wantedEndpoints(service, caches.pods, current);
  const { labels, annotations } = current?.metadata ?? {};
  const isSame =
    current !== undefined &&
    deepEqual(current.subsets ?? [], wanted.subsets ?? []) &&
    deepEqual(labels ?? {}, wanted.metadata.labels) &&
    annotations?.[OVER_CAPACITY] === wanted.metadata.annotations?.[OVER_CAPACITY];
  if (!isSame) await write(context, service, current, wanted);
}

type Wanted = Pick<Endpoints, 'subsets'> & {
  readonly metadata: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
};

function wantedEndpoints(
  service: Service,
  pods: Informer<coreV1.Pod>,
  current: Endpoints | undefined,
): Wanted {
  const { subsets, truncated } = truncateSubsets(packSubsets(entriesOf(service, pods)));
  const { [OVER_CAPACITY]: _over, ...annotations } = current?.metadata.annotations ?? {};
  const { [HEADLESS]: _headless, ...labels } = service.metadata.labels ?? {};
  return {
    ...(subsets.length === 0 ? {} : { subsets }),
    metadata: {
      labels: { ...labels, [MANAGED_BY]: MANAGER, ...(isHeadless(service) ? { [HEADLESS]: '' } : {}) },
      annotations: truncated ? { ...annotations, [OVER_CAPACITY]: 'truncated' } : annotations,
    },
  };
}

function entriesOf(service: Service, pods: Informer<coreV1.Pod>): readonly EndpointEntry[] {
  const [type = 'IPv4'] = addressTypes(service);
  const publishNotReady = service.spec.publishNotReadyAddresses === true;
  return pods.list(service.metadata.namespace).flatMap((pod): readonly EndpointEntry[] => {
    if (!selects(service, pod.metadata.labels) || !hasEndpoint(pod)) return [];
    if (isTerminating(pod) && !publishNotReady) return [];
    const [ip] = podAddresses(pod, type);
    const ports = endpointPorts(service, pod).map(({ name = '', port = 0, ...rest }) => ({
      ...(name === '' ? {} : { name }),
      port,
      ...rest,
    }));
    const mayHaveNoPorts = isHeadless(service) && (service.spec.ports ?? []).length === 0;
    if (ip === undefined || (ports.length === 0 && !mayHaveNoPorts)) return [];
    const hostname = hostnameOf(pod, service);
    const nodeName = pod.spec.nodeName ?? '';
    const { namespace, name, uid } = pod.metadata;
    const address = {
      ip,
      ...(hostname === undefined ? {} : { hostname }),
      ...(nodeName === '' ? {} : { nodeName }),
      targetRef: { kind: 'Pod', namespace, name, uid },
    };
    return [{ address, ready: publishNotReady || isReady(pod), ports }];
  });
}

async function write(
  { client, events }: ControllerContext,
  service: Service,
  current: Endpoints | undefined,
  wanted: Wanted,
): Promise<void> {
  const { name, namespace = '' } = service.metadata;
  const endpoints = client.resource(resources.endpoints, namespace);
  try {
    if (current === undefined) {
      await endpoints.create({ ...wanted, metadata: { ...wanted.metadata, name, namespace } });
    } else {
      const { subsets: _, ...rest } = current;
      await endpoints.update({ ...rest, ...wanted, metadata: { ...current.metadata, ...wanted.metadata } });
    }
  } catch (error) {
    if (isNamespaceTerminating(error)) return;
    if (current === undefined && isAlreadyExists(error)) throw error;
    const [reason, doing] =
      current === undefined
        ? ['FailedToCreateEndpoint', `create endpoint for service ${namespace}/${name}`]
        : ['FailedToUpdateEndpoint', `update endpoint ${namespace}/${name}`];
    events.event(service, 'Warning', reason, `Failed to ${doing}: ${messageOf(error)}`);
    throw error;
  }
}

async function remove({ client }: ControllerContext, current: Endpoints): Promise<void> {
  try {
    await client
      .resource(resources.endpoints, current.metadata.namespace ?? '')
      .delete(current.metadata.name);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
