/** `clusterIP`, `clusterIPs`, `ipFamilies` and `ipFamilyPolicy` of a Service: how they agree, and what may change. */
import { duplicate, type FieldError, FieldPath, invalid, notSupported, required } from '#machinery';
import type { coreV1 } from '../../types/index.ts';
import { checkSupported, collect, type Errors } from '../field-rules.ts';
import { checkLegacyIp, isDualStack, isIpv6 } from '../ip-rules.ts';

type Service = coreV1.Service;

const addressesPath = new FieldPath('spec.clusterIPs');
const familiesPath = new FieldPath('spec.ipFamilies');
const policyPath = new FieldPath('spec.ipFamilyPolicy');
const FAMILIES = ['IPv4', 'IPv6'];
const POLICIES = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];

export const isHeadless = ({ spec }: Service): boolean =>
  spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === 'None';

/** What must hold before addresses can be allocated. */
export const validateServiceAddresses = (service: Service, old: Service | undefined): readonly FieldError[] =>
  collect((errors) => checkAddresses(service, old, errors));

export function checkAddresses({ spec }: Service, old: Service | undefined, errors: Errors): void {
  if (spec.type === 'ExternalName') return;
  const { clusterIP = '', clusterIPs = [], ipFamilies = [], ipFamilyPolicy } = spec;
  if (clusterIP !== '') {
    if (clusterIPs.length === 0) errors.push(required(addressesPath));
    else if (clusterIPs[0] !== clusterIP) {
      errors.push(invalid(addressesPath, clusterIPs, 'first value must match `clusterIP`'));
    }
  } else if (clusterIPs.length > 0) {
    errors.push(invalid(addressesPath, clusterIPs, 'must be empty when `clusterIP` is not specified'));
  }
  const seen = new Set<string>();
  for (const [i, family] of ipFamilies.entries()) {
    if (!FAMILIES.includes(family)) errors.push(notSupported(familiesPath.index(i), family, FAMILIES));
    if (seen.has(family)) errors.push(duplicate(familiesPath.index(i), family));
    seen.add(family);
  }
  checkSupported(ipFamilyPolicy, POLICIES, policyPath, errors);
  if (checkEachAddress(clusterIPs, old?.spec.clusterIPs ?? [], errors)) {
    checkFamilies(spec, clusterIPs, errors);
  }
}

/** False when one of them is no address. */
function checkEachAddress(ips: readonly string[], known: readonly string[], errors: Errors): boolean {
  let isValid = true;
  for (const [i, ip] of ips.entries()) {
    if (i === 0 && ip === 'None') {
      if (ips.length === 1) continue;
      isValid = false;
      errors.push(invalid(addressesPath, ips, "'None' must be the first and only value"));
    } else if (!checkLegacyIp(ip, addressesPath.index(i), errors, known)) isValid = false;
  }
  if (ips.length > 2) errors.push(invalid(addressesPath, ips, 'may only hold up to 2 values'));
  return isValid;
}

function checkFamilies(spec: Service['spec'], ips: readonly string[], errors: Errors): void {
  const { ipFamilies = [] } = spec;
  if (ips.length > 1 && !isDualStack(ips)) {
    errors.push(invalid(addressesPath, ips, 'may specify no more than one IP for each IP family'));
  }
  if (ips[0] === 'None') return;
  for (const [i, family] of ipFamilies.entries()) {
    const ip = ips[i];
    if (ip === undefined || !FAMILIES.includes(family)) continue;
    if ((family === 'IPv6') === isIpv6(ip)) continue;
    const why = `expected an ${family} value as indicated by \`ipFamilies[${i}]\``;
    errors.push(invalid(addressesPath.index(i), ip, why));
  }
}

export function checkAddressUpdate(service: Service, old: Service, errors: Errors): void {
  if (service.spec.type === 'ExternalName' || old.spec.type === 'ExternalName') return;
  if (!(isHeadless(service) && isHeadless(old))) checkClusterIpUpdate(service, old, errors);
  if (!isHeadless(service) && !isHeadless(old)) checkFamilyUpdate(service, old, errors);
}

function checkClusterIpUpdate({ spec }: Service, old: Service, errors: Errors): void {
  const next = spec.clusterIPs ?? [];
  const before = old.spec.clusterIPs ?? [];
  const unchanging = (i: number): void => {
    errors.push(invalid(addressesPath.index(i), next, 'may not change once set'));
  };
  if (before.length === next.length) {
    for (const [i, ip] of before.entries()) if (ip !== next[i]) unchanging(i);
    return;
  }
  if (before.length > next.length && next.length === 0) {
    errors.push(invalid(addressesPath.index(0), null, 'primary clusterIP can not be unset'));
  }
  if (before.length > 0 && next.length > 0 && next[0] !== before[0]) unchanging(0);
  if (before.length > next.length && next.length === 1 && spec.ipFamilyPolicy !== 'SingleStack') {
    const why = "must be set to 'SingleStack' when releasing the secondary clusterIP";
    errors.push(invalid(policyPath, spec.ipFamilyPolicy, why));
  }
}

function checkFamilyUpdate({ spec }: Service, old: Service, errors: Errors): void {
  const next = spec.ipFamilies ?? [];
  const before = old.spec.ipFamilies ?? [];
  const first = familiesPath.index(0);
  if (before.length === next.length) {
    for (const [i, family] of before.entries()) {
      if (family !== next[i]) errors.push(invalid(first, next, 'may not change once set'));
    }
    return;
  }
  if (before.length > next.length && (spec.clusterIPs ?? []).length === 0) {
    errors.push(invalid(first, next, 'primary ipFamily can not be unset'));
  }
  if (before.length > 0 && next.length > 0 && next[0] !== before[0]) {
    errors.push(invalid(first, spec.clusterIPs, 'may not change once set'));
  }
  if (before.length > next.length && next.length === 1 && spec.ipFamilyPolicy !== 'SingleStack') {
    const why = "must be set to 'SingleStack' when releasing the secondary ipFamily";
    errors.push(invalid(policyPath, spec.ipFamilyPolicy, why));
  }
}
