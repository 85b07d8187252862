/** Endpoints and EndpointSlices. */
import {
  deepEqual,
  duplicate,
  type FieldError,
  FieldPath,
  invalid,
  required,
  tooMany,
  validateDns1123Label,
  validateDns1123Subdomain,
  validateLabelValue,
  validatePortNumber,
} from '#machinery';
import type { coreV1, discoveryV1 } from '../../types/index.ts';
import {
  addInvalid,
  checkImmutable,
  checkOneOf,
  checkSupported,
  collect,
  type Errors,
} from '../field-rules.ts';
import { checkEndpointIp, checkIp, checkLegacyIp, isIpv4, isIpv6 } from '../ip-rules.ts';
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabels,
  checkQualifiedName,
} from '../metadata-rules.ts';
import { PROTOCOLS } from '../pod/validation/containers.ts';

const subsetsPath = new FieldPath('subsets');

export const validateEndpoints = (
  { subsets = [] }: coreV1.Endpoints,
  old?: coreV1.Endpoints,
): readonly FieldError[] =>
  collect((errors) => {
    // What is there already may stay.
    if (old !== undefined && deepEqual(old.subsets ?? [], subsets)) return;
    for (const [i, subset] of subsets.entries()) checkSubset(subset, subsetsPath.index(i), errors);
  });

function checkSubset(subset: coreV1.EndpointSubset, at: FieldPath, errors: Errors): void {
  const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
  if (addresses.length + notReadyAddresses.length === 0) {
    errors.push(required(at, 'must specify `addresses` or `notReadyAddresses`'));
  }
  for (const [field, list] of [
    ['addresses', addresses],
    ['notReadyAddresses', notReadyAddresses],
  ] as const) {
    for (const [i, address] of list.entries()) checkAddress(address, at.child(field).index(i), errors);
  }
  for (const [i, port] of ports.entries()) {
    const path = at.child('ports').index(i);
    const { name = '' } = port;
    if (name !== '') checkDns1123Label(name, path.child('name'), errors);
    else if (ports.length > 1) errors.push(required(path.child('name')));
    addInvalid(validatePortNumber(port.port), path.child('port'), port.port, errors);
    checkOneOf(port.protocol, PROTOCOLS, path.child('protocol'), errors);
    if (port.appProtocol !== undefined) {
      checkQualifiedName(port.appProtocol, path.child('appProtocol'), errors);
    }
  }
}

function checkAddress(address: coreV1.EndpointAddress, at: FieldPath, errors: Errors): void {
  const { ip, hostname = '', nodeName } = address;
  checkLegacyIp(ip, at.child('ip'), errors);
  if (hostname !== '') checkDns1123Label(hostname, at.child('hostname'), errors);
  if (nodeName !== undefined) checkDns1123Subdomain(nodeName, at.child('nodeName'), errors);
  checkEndpointIp(ip, at.child('ip'), errors);
}

type Slice = discoveryV1.EndpointSlice;
type Endpoint = discoveryV1.Endpoint;

const ADDRESS_TYPES = ['FQDN', 'IPv4', 'IPv6'];
const MAX_ADDRESSES = 100;
const MAX_PORTS = 20_000;
const MAX_ENDPOINTS = 1_000;
const MAX_TOPOLOGY_LABELS = 16;
const MAX_HINTS = 8;

const typePath = new FieldPath('addressType');
const portsPath = new FieldPath('ports');
const endpointsPath = new FieldPath('endpoints');

export const validateEndpointSlice = (slice: Slice, old?: Slice): readonly FieldError[] =>
  collect((errors) => {
    const endpoints: readonly Endpoint[] = slice.endpoints ?? [];
    checkOneOf(slice.addressType, ADDRESS_TYPES, typePath, errors);
    checkSlicePorts(slice.ports ?? [], errors);
    if (old === undefined || !deepEqual(old.endpoints ?? [], endpoints)) {
      checkEndpoints(endpoints, slice.addressType, errors);
    }
    if (old !== undefined) checkImmutable(slice.addressType, old.addressType, typePath, errors);
  });

function checkSlicePorts(ports: readonly discoveryV1.EndpointPort[], errors: Errors): void {
  if (ports.length > MAX_PORTS) {
    errors.push(tooMany(portsPath, ports.length, MAX_PORTS));
    return;
  }
  const names = new Set<string>();
  for (const [i, { name = '', protocol, appProtocol }] of ports.entries()) {
    const path = portsPath.index(i);
    if (name !== '') checkDns1123Label(name, path.child('name'), errors);
    if (names.has(name)) errors.push(duplicate(path.child('name'), name));
    names.add(name);
    if (protocol === undefined) errors.push(required(path.child('protocol')));
    else checkSupported(protocol, PROTOCOLS, path.child('protocol'), errors);
    if (appProtocol !== undefined) checkQualifiedName(appProtocol, path.child('appProtocol'), errors);
  }
}

function checkEndpoints(endpoints: readonly Endpoint[], type: string, errors: Errors): void {
  if (endpoints.length > MAX_ENDPOINTS) {
    errors.push(tooMany(endpointsPath, endpoints.length, MAX_ENDPOINTS));
    return;
  }
  for (const [i, endpoint] of endpoints.entries())
    checkEndpoint(endpoint, type, endpointsPath.index(i), errors);
}

function checkEndpoint(endpoint: Endpoint, type: string, at: FieldPath, errors: Errors): void {
  const { nodeName, hostname, hints, deprecatedTopology } = endpoint;
  const addresses: readonly string[] = endpoint.addresses ?? [];
  const path = at.child('addresses');
  if (addresses.length === 0) errors.push(required(path, 'must contain at least 1 address'));
  else if (addresses.length > MAX_ADDRESSES) errors.push(tooMany(path, addresses.length, MAX_ADDRESSES));
  for (const [i, address] of addresses.entries()) checkSliceAddress(address, type, path, i, errors);
  if (nodeName !== undefined) checkDns1123Subdomain(nodeName, at.child('nodeName'), errors);
  const labels = Object.keys(deprecatedTopology ?? {}).length;
  const topologyPath = at.child('deprecatedTopology');
  if (labels > MAX_TOPOLOGY_LABELS) errors.push(tooMany(topologyPath, labels, MAX_TOPOLOGY_LABELS));
  checkLabels(deprecatedTopology, topologyPath, errors);
  if (hostname !== undefined) checkDns1123Label(hostname, at.child('hostname'), errors);
  if (hints !== undefined) checkHints(hints, at.child('hints'), errors);
}

/** A wrong family is reported at the list, everything else at the address. */
function checkSliceAddress(address: string, type: string, list: FieldPath, i: number, errors: Errors): void {
  const path = list.index(i);
  switch (type) {
    case 'IPv4':
      if (!checkLegacyIp(address, path, errors)) return;
      if (!isIpv4(address)) errors.push(invalid(list, address, 'must be an IPv4 address'));
      checkEndpointIp(address, path, errors);
      return;
    case 'IPv6':
      if (!checkIp(address, path, errors)) return;
      if (!isIpv6(address)) errors.push(invalid(list, address, 'must be an IPv6 address'));
      checkEndpointIp(address, path, errors);
      return;
    case 'FQDN':
      checkDomainName(address, path, errors);
      return;
    default:
  }
}

function checkDomainName(text: string, at: FieldPath, errors: Errors): void {
  if (text === '') {
    errors.push(required(at));
    return;
  }
  const name = text.replace(/\.$/, '');
  const messages = validateDns1123Subdomain(name);
  if (messages.length > 0) errors.push(invalid(at, name, messages.join(',')));
  else if (!name.includes('.')) {
    errors.push(invalid(at, name, 'should be a domain with at least two segments separated by dots'));
  } else {
    for (const label of name.split('.')) {
      const wrong = validateDns1123Label(label);
      if (wrong.length === 0) continue;
      errors.push(invalid(at, label, wrong.join(',')));
      return;
    }
  }
}

function checkHints(hints: discoveryV1.EndpointHints, at: FieldPath, errors: Errors): void {
  for (const [field, rule] of [
    ['forZones', validateLabelValue],
    ['forNodes', validateDns1123Subdomain],
  ] as const) {
    const list = hints[field] ?? [];
    const path = at.child(field);
    if (list.length > MAX_HINTS) {
      errors.push(tooMany(path, list.length, MAX_HINTS));
      return;
    }
    const names = new Set<string>();
    for (const [i, { name }] of list.entries()) {
      const namePath = path.index(i).child('name');
      if (names.has(name)) errors.push(duplicate(namePath, name));
      names.add(name);
      addInvalid(rule(name), namePath, name, errors);
    }
  }
}
