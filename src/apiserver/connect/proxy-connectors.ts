/** `pods/proxy` and `services/proxy`: HTTP through the API server to a pod or to an endpoint of a service. */
import type { coreV1, discoveryV1 } from '#api';
import { badRequest, notFound, StatusError } from '#machinery';
import type { Random } from '#platform';
import type { CacheReader } from '../reader.ts';
import type { Connector, ConnectRequest } from '../serving/connector.ts';
import { forward } from './forward.ts';
import { findPod, splitSchemeNamePort } from './pod-lookup.ts';

const SERVICES = { group: '', resource: 'services' } as const;
const SLICES = { group: 'discovery.k8s.io', resource: 'endpointslices' } as const;
const SERVICE_LABEL = 'kubernetes.io/service-name';
const DEFAULT_PORTS = { http: 80, https: 443 } as const;

interface Destination {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
}

/** What comes before the proxied path in this request's own URL. */
function ownPrefix({ target }: ConnectRequest): string {
  return `/api/v1/namespaces/${target.namespace}/${target.resource}/${target.name}/proxy`;
}

/** Loopback and link-local addresses belong to somebody else than the pod. */
const isAllowed = (host: string): boolean => host !== '' && !/^(127\.|169\.254\.|0\.|::1$|fe80:)/i.test(host);

function proxy(request: ConnectRequest, destination: Destination): Promise<void> {
  const { trailingPath } = request;
  const prefix = ownPrefix(request);
  // A folder's address must end with a slash, or its relative links lead elsewhere.
  if (trailingPath === '' && request.upgrade === undefined && ['GET', 'HEAD'].includes(request.method)) {
    const query = request.query.toString();
    request.respond(301, { location: `${prefix}/${query === '' ? '' : `?${query}`}` }).end();
    return Promise.resolve();
  }
  const query = request.query.toString();
  return forward(request, {
    ...destination,
    path: `${trailingPath === '' ? '/' : trailingPath}${query === '' ? '' : `?${query}`}`,
    place: {
      host: `${destination.host}:${destination.port}`,
      requestHost: String(request.headers[':authority'] ?? request.headers['host'] ?? ''),
      prefix,
    },
  });
}

function podDestination(reader: CacheReader, request: ConnectRequest): Destination {
  const { namespace = '', name: id = '' } = request.target;
  const split = splitSchemeNamePort(id);
  if (split === undefined) throw badRequest(`invalid pod request "${id}"`);
  const pod = findPod(reader, namespace, split.name);
  const scheme = split.scheme === 'https' ? 'https' : 'http';
  const declared = pod.spec.containers.flatMap((container) => container.ports ?? [])[0]?.containerPort;
  const port = split.port === '' ? (declared ?? DEFAULT_PORTS[scheme]) : Number(split.port);
  if (!Number.isInteger(port) || port < 1) throw badRequest(`invalid pod request "${id}"`);
  const host = pod.status.podIPs?.[0]?.ip ?? '';
  if (!isAllowed(host)) throw badRequest('address not allowed');
  return { scheme, host, port };
}

function servicePort(service: coreV1.Service, asked: string): coreV1.ServicePort | undefined {
  const { ports = [] } = service.spec;
  if (asked === '') return ports.length === 1 ? ports[0] : undefined;
  return ports.find((port) => port.name === asked || String(port.port) === asked);
}

function serviceDestination(reader: CacheReader, random: Random, request: ConnectRequest): Destination {
  const { namespace = '', name: id = '' } = request.target;
  const split = splitSchemeNamePort(id);
  if (split === undefined) throw badRequest(`invalid service request "${id}"`);
  const service = reader.get<coreV1.Service>(SERVICES, namespace, split.name);
  if (service === undefined) throw notFound(SERVICES, split.name);
  const unavailable = (): StatusError =>
    new StatusError(503, 'ServiceUnavailable', `no endpoints available for service "${split.name}"`);
  const port = servicePort(service, split.port);
  if (port === undefined) {
    throw new StatusError(
      503,
      'ServiceUnavailable',
      `no service port "${split.port}" found for service "${split.name}"`,
    );
  }
  const slices = reader
    .list<discoveryV1.EndpointSlice>(SLICES, namespace)
    .filter((slice) => slice.metadata.labels?.[SERVICE_LABEL] === split.name);
  const candidates = slices.flatMap((slice) => {
    const slicePort = slice.ports?.find((p) => (p.name ?? '') === (port.name ?? ''))?.port;
    if (slicePort === undefined) return [];
    return (slice.endpoints ?? [])
      .filter((endpoint) => endpoint.conditions?.ready !== false)
      .flatMap((endpoint) => endpoint.addresses.map((host) => ({ host, port: slicePort })));
  });
  const chosen = candidates[Math.floor(random.next() * candidates.length)];
  if (chosen === undefined) throw unavailable();
  if (!isAllowed(chosen.host)) throw badRequest('address not allowed');
  return { scheme: split.scheme === 'https' ? 'https' : 'http', ...chosen };
}

export function proxyConnectors(options: {
  readonly reader: CacheReader;
  readonly random: Random;
}): readonly Connector[] {
  const { reader, random } = options;
  return [
    {
      group: '',
      resource: 'pods',
      subresource: 'proxy',
      connect: (request) => proxy(request, podDestination(reader, request)),
    },
    {
      group: '',
      resource: 'services',
      subresource: 'proxy',
      connect: (request) => proxy(request, serviceDestination(reader, random, request)),
    },
  ];
}
