/** Service, Endpoints, EndpointSlice. */
import type { KindBehaviour } from '../../kind-behaviour.ts';
import type { coreV1, discoveryV1 } from '../../types/index.ts';
import { ageColumn, formatLabels, nameColumn, orNone } from '../columns.ts';
import { defineKind } from '../define-kind.ts';
import { validateEndpoints, validateEndpointSlice } from './endpoint-validation.ts';
import { validateService, validateServiceStatus, validateServiceUpdate } from './validation.ts';

/** More than this many are counted, not listed. */
const LISTED = 3;

function listed(texts: readonly string[]): string {
  const shown = texts.slice(0, LISTED).join(',');
  return orNone(texts.length > LISTED ? `${shown} + ${texts.length - LISTED} more...` : shown);
}

function defaultService(service: coreV1.Service): coreV1.Service {
  const { spec, status } = service;
  const type = spec.type ?? 'ClusterIP';
  const inside = type === 'ClusterIP' || type === 'NodePort' || type === 'LoadBalancer';
  const outside =
    type === 'NodePort' ||
    type === 'LoadBalancer' ||
    (type === 'ClusterIP' && (spec.externalIPs ?? []).length > 0);
  const affinity = spec.sessionAffinityConfig?.clientIP;
  const ingress = status.loadBalancer?.ingress;
  return {
    ...service,
    spec: {
      ...withoutAffinityConfig(spec),
      ...(spec.ports === undefined
        ? {}
        : {
            ports: spec.ports.map((port) =>
              isUnset(port.targetPort) ? { ...port, targetPort: port.port } : port,
            ),
          }),
      ...(outside ? { externalTrafficPolicy: spec.externalTrafficPolicy ?? 'Cluster' } : {}),
      ...(inside ? { internalTrafficPolicy: spec.internalTrafficPolicy ?? 'Cluster' } : {}),
      ...(type === 'LoadBalancer'
        ? { allocateLoadBalancerNodePorts: spec.allocateLoadBalancerNodePorts ?? true }
        : {}),
      ...(spec.sessionAffinity === 'ClientIP'
        ? {
            sessionAffinityConfig: {
              clientIP: { ...affinity, timeoutSeconds: affinity?.timeoutSeconds ?? 10_800 },
            },
          }
        : {}),
    },
    ...(ingress === undefined
      ? {}
      : {
          status: {
            ...status,
            loadBalancer: {
              ingress: ingress.map((i) =>
                i.ip !== undefined && i.ipMode === undefined ? { ...i, ipMode: 'VIP' } : i,
              ),
            },
          },
        }),
  };
}

/** Without affinity it means nothing, and is not kept. */
function withoutAffinityConfig(spec: coreV1.ServiceSpec): coreV1.ServiceSpec {
  if (spec.sessionAffinity !== 'None' || spec.sessionAffinityConfig === undefined) return spec;
  const { sessionAffinityConfig: _, ...rest } = spec;
  return rest;
}

const isUnset = (port: number | string | undefined): boolean =>
  port === undefined || port === 0 || port === '';

/** `clusterIP` and the first of `clusterIPs` are the same thing; whichever was given fills the other. */
function sameClusterIps(service: coreV1.Service, old?: coreV1.Service): coreV1.Service {
  const { clusterIP, clusterIPs } = service.spec;
  const changedOne = old !== undefined && clusterIP !== old.spec.clusterIP;
  const changedList = old !== undefined && clusterIPs?.[0] !== old.spec.clusterIPs?.[0];
  if (
    clusterIP !== undefined &&
    clusterIP !== '' &&
    (clusterIPs === undefined || (changedOne && !changedList))
  ) {
    return { ...service, spec: { ...service.spec, clusterIPs: [clusterIP] } };
  }
  if (clusterIP === undefined && clusterIPs?.[0] !== undefined && old === undefined) {
    return { ...service, spec: { ...service.spec, clusterIP: clusterIPs[0] } };
  }
  return service;
}

function externalIp({ spec, status }: coreV1.Service): string {
  if (spec.type === 'ExternalName') return spec.externalName ?? '';
  const external = spec.externalIPs ?? [];
  if (spec.type !== 'LoadBalancer') return orNone(external.join(','));
  const ingress = (status.loadBalancer?.ingress ?? []).map((i) => i.ip ?? i.hostname ?? '');
  const all = [...ingress, ...external];
  return all.length === 0 ? '<pending>' : all.join(',');
}

const service = defineKind<coreV1.Service>({
  group: '',
  kind: 'Service',
  validateCreate: validateService,
  validateUpdate: validateServiceUpdate,
  validateStatusUpdate: validateServiceStatus,
  nameRule: 'dns1123-label',
  setDefaults: defaultService,
  prepareForCreate: (object) => sameClusterIps({ ...object, status: { loadBalancer: {} } }),
  // What was allocated stays when the update does not name it.
  prepareForUpdate(object, old) {
    const keeps = object.spec.type !== 'ExternalName' && old.spec.type !== 'ExternalName';
    const kept =
      keeps && (object.spec.clusterIP ?? '') === '' && (object.spec.clusterIPs ?? []).length === 0
        ? {
            ...object,
            spec: { ...object.spec, clusterIP: old.spec.clusterIP, clusterIPs: old.spec.clusterIPs },
          }
        : object;
    return { ...sameClusterIps(kept, old), status: old.status };
  },
  bumpsGeneration: () => false,
  selectableFields: ({ spec }) => ({ 'spec.clusterIP': spec.clusterIP ?? '', 'spec.type': spec.type ?? '' }),
  columns: [
    nameColumn,
    { name: 'Type', description: 'How it is reached.', cell: ({ spec }) => spec.type ?? '' },
    {
      name: 'Cluster-IP',
      description: 'Its address inside.',
      cell: ({ spec }) => orNone(spec.clusterIPs?.[0]),
    },
    { name: 'External-IP', description: 'Its addresses outside.', cell: externalIp },
    {
      name: 'Port(s)',
      description: 'Ports, with node ports behind a colon.',
      cell: ({ spec }) =>
        orNone(
          (spec.ports ?? [])
            .map(({ port, nodePort, protocol }) =>
              (nodePort ?? 0) > 0 ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
            )
            .join(','),
        ),
    },
    ageColumn,
    {
      name: 'Selector',
      description: 'Which pods serve it.',
      wide: true,
      cell: ({ spec }) => formatLabels(spec.selector),
    },
  ],
});

const endpoints = defineKind<coreV1.Endpoints>({
  group: '',
  kind: 'Endpoints',
  validateCreate: (object) => validateEndpoints(object),
  validateUpdate: (object, old) => validateEndpoints(object, old),
  bumpsGeneration: () => false,
  columns: [
    nameColumn,
    {
      name: 'Endpoints',
      description: 'Addresses and ports behind the service.',
      cell: ({ subsets = [] }) =>
        listed(
          subsets.flatMap(({ addresses = [], ports = [] }) =>
            ports.length === 0
              ? addresses.map(({ ip }) => ip)
              : ports.flatMap(({ port }) => addresses.map(({ ip }) => `${ip}:${port}`)),
          ),
        ),
    },
    ageColumn,
  ],
});

const endpointSlice = defineKind<discoveryV1.EndpointSlice>({
  group: 'discovery.k8s.io',
  kind: 'EndpointSlice',
  validateCreate: (object) => validateEndpointSlice(object),
  validateUpdate: (object, old) => validateEndpointSlice(object, old),
  setDefaults: (object) => ({
    ...object,
    ...(object.ports === undefined || object.ports === null
      ? {}
      : {
          ports: object.ports.map((port) => ({
            ...port,
            name: port.name ?? '',
            protocol: port.protocol ?? 'TCP',
          })),
        }),
  }),
  prepareForCreate: (object) => ({ ...object, metadata: { ...object.metadata, generation: 1 } }),
  columns: [
    nameColumn,
    { name: 'AddressType', description: 'IPv4, IPv6 or FQDN.', cell: ({ addressType }) => addressType },
    {
      name: 'Ports',
      description: 'Ports of every endpoint.',
      cell: ({ ports }) =>
        ports === undefined || ports === null || ports.length === 0
          ? '<unset>'
          : listed(ports.map(({ port, name }) => (port === undefined ? (name ?? '*') : String(port)))),
    },
    {
      name: 'Endpoints',
      description: 'Addresses in it.',
      cell: ({ endpoints: list }) => {
        const all = (list ?? []).flatMap((endpoint) => endpoint.addresses);
        return all.length === 0 ? '<unset>' : listed(all);
      },
    },
    ageColumn,
  ],
});

export const serviceKinds: readonly KindBehaviour[] = [service, endpoints, endpointSlice];
