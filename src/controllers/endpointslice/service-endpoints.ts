/** From a Service and its pods to the endpoints they make. Pure; shared by EndpointSlices and Endpoints. */
import type { coreV1, discoveryV1 } from '#api';
import { isFinished, isReady, isTerminating } from '../frame/pods.ts';

type Pod = coreV1.Pod;
type Service = coreV1.Service;
export type AddressType = 'IPv4' | 'IPv6';

export const isHeadless = ({ spec }: Service): boolean => spec.clusterIP === 'None';

/** A pod that could take traffic: it has an address and has not ended. */
export function hasEndpoint(pod: Pod): boolean {
  return !isFinished(pod) && ((pod.status.podIP ?? '') !== '' || (pod.status.podIPs ?? []).length > 0);
}

export function addressTypes({ spec }: Service): readonly AddressType[] {
  const families = (spec.ipFamilies ?? []).filter((family) => family === 'IPv4' || family === 'IPv6');
  if (families.length > 0) return families;
  return [spec.clusterIP?.includes(':') === true ? 'IPv6' : 'IPv4'];
}

export function podAddresses(pod: Pod, type: AddressType): readonly string[] {
  const ips = pod.status.podIPs?.map(({ ip }) => ip) ?? [pod.status.podIP ?? ''];
  return ips.filter((ip) => ip !== '' && ip.includes(':') === (type === 'IPv6'));
}

/** The number behind a Service's port on this pod: a number is itself, a name is looked up in its containers. */
export function targetPort(pod: Pod, port: coreV1.ServicePort): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target === 0 ? port.port : target;
  const sidecars = (pod.spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  for (const { ports = [] } of [...pod.spec.containers, ...sidecars]) {
    const found = ports.find(
      ({ name, protocol }) => name === target && (protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    );
    if (found !== undefined) return found.containerPort;
  }
  return undefined;
}

/** Ports by the Service's names. Pods whose named ports differ end up in different slices. */
export function endpointPorts(service: Service, pod: Pod): readonly discoveryV1.EndpointPort[] {
  return (service.spec.ports ?? []).flatMap((port) => {
    const number = targetPort(pod, port);
    if (number === undefined) return [];
    return [
      {
        name: port.name ?? '',
        port: number,
        protocol: port.protocol ?? 'TCP',
        ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
      },
    ];
  });
}

/** A pod with a hostname that asks for this Service's name as its subdomain is found in DNS by that hostname. */
export const hostnameOf = (pod: Pod, service: Service): string | undefined =>
  (pod.spec.hostname ?? '') !== '' &&
  pod.spec.subdomain === service.metadata.name &&
  service.metadata.namespace === pod.metadata.namespace
    ? pod.spec.hostname
    : undefined;

export interface EndpointSource {
  readonly service: Service;
  readonly pod: Pod;
  readonly zone: string | undefined;
}

export function podEndpoint({ service, pod, zone }: EndpointSource, type: AddressType): discoveryV1.Endpoint {
  const serving = isReady(pod);
  const terminating = isTerminating(pod);
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating);
  const hostname = hostnameOf(pod, service);
  const nodeName = pod.spec.nodeName ?? '';
  const hints = ready ? endpointHints(service, nodeName, zone) : undefined;
  return {
    addresses: podAddresses(pod, type),
    conditions: { ready, serving, terminating },
    ...(hostname === undefined ? {} : { hostname }),
    targetRef: {
      kind: 'Pod',
      namespace: pod.metadata.namespace,
      name: pod.metadata.name,
      uid: pod.metadata.uid,
    },
    ...(nodeName === '' ? {} : { nodeName }),
    ...(zone === undefined ? {} : { zone }),
    ...(hints === undefined ? {} : { hints }),
  };
}

const CLOSE = new Set(['PreferClose', 'PreferSameZone', 'PreferSameNode']);

/** For whom an endpoint is meant first, when the Service asks for short ways (`trafficDistribution`). */
function endpointHints(
  { spec }: Service,
  nodeName: string,
  zone: string | undefined,
): discoveryV1.EndpointHints | undefined {
  if (!CLOSE.has(spec.trafficDistribution ?? '')) return undefined;
  const forNodes = spec.trafficDistribution === 'PreferSameNode' && nodeName !== '';
  if (zone === undefined && !forNodes) return undefined;
  return {
    ...(zone === undefined ? {} : { forZones: [{ name: zone }] }),
    ...(forNodes ? { forNodes: [{ name: nodeName }] } : {}),
  };
}
