/** What a Service of a type needs, and what an update keeps of what it has. */
import type { coreV1 } from '#api';

type Service = coreV1.Service;

export function needsAddress({ spec }: Service): boolean {
  return spec.type !== 'ExternalName' && spec.clusterIP !== 'None';
}

export function needsNodePorts({ spec }: Service): boolean {
  if (spec.type === 'NodePort') return true;
  return spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false;
}

export function needsHealthPort({ spec }: Service): boolean {
  return spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
}

/**
 * What was allocated stays when the update leaves it out; what the new type has no use for goes when the update has
 * only carried it along.
 */
export function keepAllocated(next: Service, before: Service | undefined): Service {
  if (before === undefined) return next;
  return withoutUnused(withKeptPorts(withKeptAddress(next, before), before), before);
}

function withKeptAddress(next: Service, before: Service): Service {
  if (!needsAddress(next) || !needsAddress(before) || (next.spec.clusterIP ?? '') !== '') return next;
  const { clusterIP, clusterIPs } = before.spec;
  return { ...next, spec: { ...next.spec, clusterIP, clusterIPs } };
}

function withKeptPorts(next: Service, before: Service): Service {
  if (!needsNodePorts(next) || !needsNodePorts(before)) return next;
  const old = before.spec.ports ?? [];
  const oldByName = new Map(old.map(({ name = '', nodePort = 0 }) => [name, nodePort]));
  const inUse = new Set((next.spec.ports ?? []).map(({ nodePort = 0 }) => nodePort));
  const ports = (next.spec.ports ?? []).map((port) => {
    const known = oldByName.get(port.name ?? '') ?? 0;
    return (port.nodePort ?? 0) === 0 && known !== 0 && !inUse.has(known)
      ? { ...port, nodePort: known }
      : port;
  });
  const health =
    needsHealthPort(next) && needsHealthPort(before) && (next.spec.healthCheckNodePort ?? 0) === 0
      ? { healthCheckNodePort: before.spec.healthCheckNodePort }
      : {};
  return { ...next, spec: { ...next.spec, ports, ...health } };
}

function withoutUnused(next: Service, before: Service): Service {
  let { spec } = next;
  const same = (field: keyof Service['spec']): boolean =>
    JSON.stringify(spec[field]) === JSON.stringify(before.spec[field]);
  if (needsAddress(before) && spec.type === 'ExternalName') {
    if (same('clusterIPs')) spec = without(without(spec, 'clusterIP'), 'clusterIPs');
    if (same('ipFamilies')) spec = without(spec, 'ipFamilies');
    if (same('ipFamilyPolicy')) spec = without(spec, 'ipFamilyPolicy');
  }
  if (needsNodePorts(before) && !needsNodePorts(next) && same('ports')) {
    spec = { ...spec, ports: spec.ports?.map((port) => without(port, 'nodePort')) };
  }
  if (needsHealthPort(before) && !needsHealthPort(next) && same('healthCheckNodePort')) {
    spec = without(spec, 'healthCheckNodePort');
  }
  const wasBalanced = before.spec.type === 'LoadBalancer';
  if (wasBalanced && spec.type !== 'LoadBalancer') {
    if (same('allocateLoadBalancerNodePorts')) spec = without(spec, 'allocateLoadBalancerNodePorts');
    if (same('loadBalancerClass')) spec = without(spec, 'loadBalancerClass');
  }
  const isExternal = (type: string | undefined): boolean => type === 'NodePort' || type === 'LoadBalancer';
  if (isExternal(before.spec.type) && !isExternal(spec.type) && same('externalTrafficPolicy')) {
    spec = without(spec, 'externalTrafficPolicy');
  }
  const status = spec.type === 'LoadBalancer' ? next.status : { ...next.status, loadBalancer: {} };
  return { ...next, spec, status };
}

function without<T extends object>(object: T, field: keyof T): T {
  const { [field]: _, ...rest } = object;
  // The fields left out here are optional in the API's types.
  return rest as unknown as T;
}
