/**
 * What one Service means on this node, as data: for each of its ports the addresses under which it is reached and
 * the endpoints behind it. No nftables here.
 * Source: KEP-2433 (topology), KEP-1669 (terminating endpoints), KEP-2086 (internalTrafficPolicy).
 */
import type { coreV1, discoveryV1 } from '#api';

export interface Target {
  readonly ip: string;
  readonly port: number;
}

export interface ServicePortView {
  /** `namespace/name:port`, unique in the cluster. */
  readonly id: string;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly port: number;
  /** Reached from anywhere in the cluster under these addresses. */
  readonly clusterIps: readonly string[];
  /** Reached from outside: external and load balancer addresses. */
  readonly externalIps: readonly string[];
  /** 0: none. */
  readonly nodePort: number;
  /** Behind the cluster addresses. */
  readonly internal: readonly Target[];
  /** Behind node port and external addresses. */
  readonly external: readonly Target[];
  /** The client's address must survive: externalTrafficPolicy Local. */
  readonly keepClientIp: boolean;
  /** 0: none. */
  readonly affinitySeconds: number;
}

/** An endpoint that the node itself serves, whatever the slices say (cluster DNS). */
export interface NodeLocalService {
  readonly namespace: string;
  readonly name: string;
  readonly ports: readonly { readonly name: string; readonly target: Target }[];
}

export interface ServiceViewContext {
  readonly nodeName: string;
  readonly nodeLocal: readonly NodeLocalService[];
}

const isIpv4 = (address: string): boolean => /^\d+\.\d+\.\d+\.\d+$/.test(address);

interface Candidate extends Target {
  readonly local: boolean;
  readonly ready: boolean;
  /** Serves although it is being terminated: used only when nothing is ready. */
  readonly fallback: boolean;
}

function candidatesOf(
  slices: readonly discoveryV1.EndpointSlice[],
  portName: string,
  protocol: string,
  nodeName: string,
): readonly Candidate[] {
  return slices.flatMap((slice) => {
    if (slice.addressType !== 'IPv4') return [];
    const port = slice.ports?.find(
      (p) => (p.name ?? '') === portName && (p.protocol ?? 'TCP') === protocol,
    )?.port;
    if (port === undefined) return [];
    return (slice.endpoints ?? []).flatMap((endpoint): readonly Candidate[] => {
      const ip = endpoint.addresses[0];
      if (ip === undefined) return [];
      const { ready, serving, terminating } = endpoint.conditions ?? {};
      return [
        {
          ip,
          port,
          local: endpoint.nodeName === nodeName,
          ready: ready !== false && terminating !== true,
          fallback: terminating === true && (serving ?? ready) !== false,
        },
      ];
    });
  });
}

/** Ready ones; when there is none, those that still serve while terminating. In a stable order, none twice. */
function usable(candidates: readonly Candidate[]): readonly Target[] {
  const ready = candidates.filter((candidate) => candidate.ready);
  const chosen = ready.length > 0 ? ready : candidates.filter((candidate) => candidate.fallback);
  const unique = new Map(chosen.map(({ ip, port }) => [`${ip}:${port}`, { ip, port }]));
  return [...unique.keys()].sort().flatMap((key) => unique.get(key) ?? []);
}

function affinitySecondsOf(spec: coreV1.ServiceSpec): number {
  return spec.sessionAffinity === 'ClientIP'
    ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800)
    : 0;
}

/** Empty for headless and ExternalName services. */
export function serviceView(
  service: coreV1.Service,
  slices: readonly discoveryV1.EndpointSlice[],
  context: ServiceViewContext,
): readonly ServicePortView[] {
  const { spec, metadata, status } = service;
  const clusterIps = (spec.clusterIPs ?? [spec.clusterIP ?? '']).filter(isIpv4);
  if (spec.type === 'ExternalName' || clusterIps.length === 0) return [];
  const balancerIps = (status.loadBalancer?.ingress ?? []).flatMap(({ ip }) =>
    ip === undefined ? [] : [ip],
  );
  const externalIps = [...(spec.externalIPs ?? []), ...balancerIps].filter(isIpv4);
  const nodeLocal = context.nodeLocal.find(
    (local) => local.namespace === metadata.namespace && local.name === metadata.name,
  );
  return (spec.ports ?? []).map((port): ServicePortView => {
    const name = port.name ?? '';
    const protocol = port.protocol ?? 'TCP';
    const own = nodeLocal?.ports.find((p) => p.name === name)?.target;
    const candidates = candidatesOf(slices, name, protocol, context.nodeName);
    const everywhere = own === undefined ? usable(candidates) : [own];
    const here = own === undefined ? usable(candidates.filter((candidate) => candidate.local)) : [own];
    const keepClientIp = spec.externalTrafficPolicy === 'Local';
    return {
      id: `${metadata.namespace}/${metadata.name}:${name}/${protocol}`,
      protocol: protocol.toLowerCase() as ServicePortView['protocol'],
      port: port.port,
      clusterIps,
      externalIps,
      nodePort: port.nodePort ?? 0,
      internal: spec.internalTrafficPolicy === 'Local' ? here : everywhere,
      external: keepClientIp ? here : everywhere,
      keepClientIp,
      affinitySeconds: affinitySecondsOf(spec),
    };
  });
}
