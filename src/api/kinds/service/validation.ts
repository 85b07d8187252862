/** Services: types, ports, addresses, traffic. */
import {
  duplicate,
  type FieldError,
  FieldPath,
  fieldForbidden,
  invalid,
  notSupported,
  required,
  validatePortNumber,
} from '#machinery';
import type { coreV1 } from '../../types/index.ts';
import { addInvalid, checkOneOf, checkSupported, collect, type Errors } from '../field-rules.ts';
import { checkEndpointIp, checkLegacyCidr, checkLegacyIp } from '../ip-rules.ts';
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabels,
  checkQualifiedName,
} from '../metadata-rules.ts';
import { PROTOCOLS } from '../pod/validation/containers.ts';
import { checkPortNumberOrName } from '../pod/validation/probes.ts';
import { checkAddresses, checkAddressUpdate, isHeadless } from './address-validation.ts';

type Service = coreV1.Service;

const specPath = new FieldPath('spec');
const annotationsPath = new FieldPath('metadata.annotations');
const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const TOPOLOGY_MODE = 'service.kubernetes.io/topology-mode';
const TOPOLOGY_HINTS = 'service.kubernetes.io/topology-aware-hints';
const SOURCE_RANGES = 'service.beta.kubernetes.io/load-balancer-source-ranges';
const ONLY_BALANCED = "may only be used when `type` is 'LoadBalancer'";

export const validateService = (service: Service): readonly FieldError[] =>
  collect((errors) => checkService(service, undefined, errors));

export const validateServiceUpdate = (service: Service, old: Service): readonly FieldError[] =>
  collect((errors) => {
    checkAddressUpdate(service, old, errors);
    const { loadBalancerClass } = service.spec;
    if (isBalanced(service) && isBalanced(old) && loadBalancerClass !== old.spec.loadBalancerClass) {
      const path = specPath.child('loadBalancerClass');
      errors.push(invalid(path, loadBalancerClass, 'may not change once set'));
    }
    checkBalancerClass(service, errors);
    const port = service.spec.healthCheckNodePort ?? 0;
    if (needsHealthCheck(service) && needsHealthCheck(old) && port !== (old.spec.healthCheckNodePort ?? 0)) {
      errors.push(fieldForbidden(specPath.child('healthCheckNodePort'), 'field is immutable'));
    }
    checkService(service, old, errors);
  });

const isBalanced = ({ spec }: Service): boolean => spec.type === 'LoadBalancer';
const needsHealthCheck = ({ spec }: Service): boolean =>
  spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';

function checkService(service: Service, old: Service | undefined, errors: Errors): void {
  const { spec } = service;
  checkTopologyAnnotations(service, errors);
  checkType(service, errors);
  checkPorts(service, errors);
  checkLabels(spec.selector, specPath.child('selector'), errors);
  checkAffinity(spec, errors);
  checkAddresses(service, old, errors);
  const known = old?.spec.externalIPs ?? [];
  for (const [i, ip] of (spec.externalIPs ?? []).entries()) {
    const path = specPath.child('externalIPs').index(i);
    if (checkLegacyIp(ip, path, errors, known)) checkEndpointIp(ip, path, errors);
  }
  checkOneOf(spec.type, TYPES, specPath.child('type'), errors);
  checkPortUse(spec, errors);
  checkSourceRanges(service, old, errors);
  if (spec.allocateLoadBalancerNodePorts !== undefined && spec.type !== 'LoadBalancer') {
    errors.push(fieldForbidden(specPath.child('allocateLoadBalancerNodePorts'), ONLY_BALANCED));
  }
  if (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts === undefined) {
    errors.push(required('allocateLoadBalancerNodePorts'));
  }
  checkBalancerClass(service, errors);
  checkTraffic(spec, errors);
}

function checkTopologyAnnotations({ metadata }: Service, errors: Errors): void {
  const mode = metadata.annotations?.[TOPOLOGY_MODE];
  const hints = metadata.annotations?.[TOPOLOGY_HINTS];
  if (mode === undefined || hints === undefined || mode === hints) return;
  const why = `must match annotations[${TOPOLOGY_HINTS}] when both are specified`;
  errors.push(invalid(annotationsPath.key(TOPOLOGY_MODE), mode, why));
}

function checkType(service: Service, errors: Errors): void {
  const { spec } = service;
  const headless = isHeadless(service);
  if ((spec.ports ?? []).length === 0 && !headless && spec.type !== 'ExternalName') {
    errors.push(required(specPath.child('ports')));
  }
  const first = specPath.child('clusterIPs').index(0);
  if ((spec.type === 'LoadBalancer' || spec.type === 'NodePort') && headless) {
    errors.push(invalid(first, 'None', `may not be set to 'None' for ${spec.type} services`));
  }
  if (spec.type !== 'ExternalName') return;
  const why = 'may not be set for ExternalName services';
  if ((spec.clusterIPs ?? []).length > 0) errors.push(fieldForbidden(specPath.child('clusterIPs'), why));
  if ((spec.ipFamilies ?? []).length > 0) errors.push(fieldForbidden(specPath.child('ipFamilies'), why));
  if (spec.ipFamilyPolicy !== undefined) errors.push(fieldForbidden(specPath.child('ipFamilyPolicy'), why));
  const name = (spec.externalName ?? '').replace(/\.$/, '');
  if (name === '') errors.push(required(specPath.child('externalName')));
  else checkDns1123Subdomain(name, specPath.child('externalName'), errors);
}

function checkPorts({ spec }: Service, errors: Errors): void {
  const { ports = [] } = spec;
  const names = new Set<string>();
  for (const [i, port] of ports.entries()) {
    const path = specPath.child('ports').index(i);
    const { name = '' } = port;
    if (name === '') {
      if (ports.length > 1) errors.push(required(path.child('name')));
    } else {
      checkDns1123Label(name, path.child('name'), errors);
      if (names.has(name)) errors.push(duplicate(path.child('name'), name));
      names.add(name);
    }
    addInvalid(validatePortNumber(port.port), path.child('port'), port.port, errors);
    checkOneOf(port.protocol, PROTOCOLS, path.child('protocol'), errors);
    checkPortNumberOrName(port.targetPort, path.child('targetPort'), errors);
    if (port.appProtocol !== undefined) {
      checkQualifiedName(port.appProtocol, path.child('appProtocol'), errors);
    }
  }
}

const MAX_AFFINITY_SECONDS = 86_400;

function checkAffinity(spec: Service['spec'], errors: Errors): void {
  const { sessionAffinity, sessionAffinityConfig } = spec;
  const path = specPath.child('sessionAffinityConfig');
  checkOneOf(sessionAffinity, ['ClientIP', 'None'], specPath.child('sessionAffinity'), errors);
  if (sessionAffinity === 'None' && sessionAffinityConfig !== undefined) {
    errors.push(fieldForbidden(path, 'must not be set when session affinity is None'));
  }
  if (sessionAffinity !== 'ClientIP') return;
  const when = 'when session affinity type is ClientIP';
  const timeoutPath = path.child('clientIP', 'timeoutSeconds');
  const timeout = sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (sessionAffinityConfig === undefined) errors.push(required(path, when));
  else if (sessionAffinityConfig.clientIP === undefined) errors.push(required(path.child('clientIP'), when));
  else if (timeout === undefined) errors.push(required(timeoutPath, when));
  else if (timeout <= 0 || timeout > MAX_AFFINITY_SECONDS) {
    const why = `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`;
    errors.push(invalid(timeoutPath, timeout, why));
  }
}

/** A port as upstream's internal type prints it when it is a key. */
const printedPort = (protocol: string | undefined, port: number): object => ({
  Name: '',
  Protocol: protocol ?? '',
  AppProtocol: null,
  Port: port,
  TargetPort: 0,
  NodePort: 0,
});

function checkPortUse({ type, ports = [] }: Service['spec'], errors: Errors): void {
  const path = specPath.child('ports');
  const nodePorts = new Set<string>();
  const seen = new Set<string>();
  const found: Errors = [];
  for (const [i, { nodePort = 0 }] of ports.entries()) {
    if (type !== 'ClusterIP' || nodePort === 0) continue;
    const why = "may not be used when `type` is 'ClusterIP'";
    errors.push(fieldForbidden(path.index(i).child('nodePort'), why));
  }
  for (const [i, { protocol, port, nodePort = 0 }] of ports.entries()) {
    if (nodePort !== 0) {
      const key = `${protocol}/${nodePort}`;
      if (nodePorts.has(key)) errors.push(duplicate(path.index(i).child('nodePort'), nodePort));
      nodePorts.add(key);
    }
    const key = `${protocol}/${port}`;
    if (seen.has(key)) found.push(duplicate(path.index(i), printedPort(protocol, port)));
    seen.add(key);
  }
  errors.push(...found);
}

function checkSourceRanges(service: Service, old: Service | undefined, errors: Errors): void {
  const { loadBalancerSourceRanges = [], type } = service.spec;
  const annotation = service.metadata.annotations?.[SOURCE_RANGES];
  if (loadBalancerSourceRanges.length > 0) {
    const path = specPath.child('LoadBalancerSourceRanges');
    if (type !== 'LoadBalancer') errors.push(fieldForbidden(path, ONLY_BALANCED));
    const known = (old?.spec.loadBalancerSourceRanges ?? []).map((range) => range.trim());
    for (const [i, range] of loadBalancerSourceRanges.entries()) {
      checkLegacyCidr(range.trim(), path.index(i), errors, known);
    }
  } else if (annotation !== undefined) {
    const path = annotationsPath.key(SOURCE_RANGES);
    if (type !== 'LoadBalancer') errors.push(fieldForbidden(path, ONLY_BALANCED));
    if (old?.metadata.annotations?.[SOURCE_RANGES] === annotation || annotation.trim() === '') return;
    for (const range of annotation.trim().split(',')) checkLegacyCidr(range.trim(), path, errors);
  }
}

function checkBalancerClass(service: Service, errors: Errors): void {
  const { loadBalancerClass } = service.spec;
  if (loadBalancerClass === undefined) return;
  const path = specPath.child('loadBalancerClass');
  if (isBalanced(service)) checkQualifiedName(loadBalancerClass, path, errors);
  else errors.push(fieldForbidden(path, ONLY_BALANCED));
}

function checkTraffic(spec: Service['spec'], errors: Errors): void {
  const { type, externalTrafficPolicy: external, internalTrafficPolicy: internal } = spec;
  const { healthCheckNodePort = 0, externalIPs = [] } = spec;
  const isExternal =
    type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && externalIPs.length > 0);
  const path = specPath.child('externalTrafficPolicy');
  const policies = ['Cluster', 'Local'];
  if (isExternal) checkOneOf(external, policies, path, errors);
  else if (external !== undefined) {
    errors.push(invalid(path, external, 'may only be set for externally-accessible services'));
  }
  const portPath = specPath.child('healthCheckNodePort');
  if (type === 'LoadBalancer' && external === 'Local') {
    if (healthCheckNodePort === 0) errors.push(required(portPath));
    else addInvalid(validatePortNumber(healthCheckNodePort), portPath, healthCheckNodePort, errors);
  } else if (healthCheckNodePort !== 0) {
    const why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    errors.push(invalid(portPath, healthCheckNodePort, why));
  }
  const internalPath = specPath.child('internalTrafficPolicy');
  const isInternal = type === 'NodePort' || type === 'LoadBalancer' || type === 'ClusterIP';
  if (internal === undefined && isInternal) errors.push(required(internalPath));
  checkSupported(internal, policies, internalPath, errors);
  const distributions = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];
  checkSupported(spec.trafficDistribution, distributions, specPath.child('trafficDistribution'), errors);
}

interface Ingress {
  readonly ip?: string;
  readonly ipMode?: string;
  readonly hostname?: string;
}

/** Names and addresses under which a balancer is reached: the same for Services and Ingresses. */
export function checkIngressAddress(
  { ip = '', hostname = '' }: Ingress,
  known: readonly string[],
  at: FieldPath,
  errors: Errors,
  between?: () => void,
): void {
  if (ip !== '') checkLegacyIp(ip, at.child('ip'), errors, known);
  between?.();
  if (hostname === '') return;
  checkDns1123Subdomain(hostname, at.child('hostname'), errors);
  if (
    /^[\d.]+$|:/.test(hostname) &&
    collect((found) => void checkLegacyIp(hostname, at, found)).length === 0
  ) {
    errors.push(invalid(at.child('hostname'), hostname, 'must be a DNS name, not an IP address'));
  }
}

export const validateServiceStatus = (service: Service, old: Service): readonly FieldError[] =>
  collect((errors) => {
    const path = new FieldPath('status.loadBalancer.ingress');
    const ingress: readonly Ingress[] = service.status.loadBalancer?.ingress ?? [];
    if (service.spec.type !== 'LoadBalancer' && ingress.length > 0) {
      errors.push(fieldForbidden(path, "may only be used when `spec.type` is 'LoadBalancer'"));
      return;
    }
    const known = (old.status.loadBalancer?.ingress ?? []).map(({ ip = '' }) => ip);
    for (const [i, entry] of ingress.entries()) {
      checkIngressAddress(entry, known, path.index(i), errors, () => {
        checkIpMode(entry, path.index(i).child('ipMode'), errors);
      });
    }
  });

function checkIpMode({ ip = '', ipMode }: Ingress, at: FieldPath, errors: Errors): void {
  if (ipMode === undefined) {
    if (ip !== '') errors.push(required(at, 'must be specified when `ip` is set'));
  } else if (ip === '') errors.push(fieldForbidden(at, 'may not be specified when `ip` is not set'));
  else if (ipMode !== 'Proxy' && ipMode !== 'VIP') errors.push(notSupported(at, ipMode, ['Proxy', 'VIP']));
}
