/**
 * IP addresses and blocks. "Legacy" fields take any notation of IPv6, strict ones the canonical one only; leading
 * zeros and IPv4 mapped into IPv6 are refused in both, unless the object had them before.
 */
import { type FieldPath, invalid } from '#machinery';
import type { Errors } from './field-rules.ts';
import {
  blockContains,
  formatIp,
  hasHostBits,
  type IpAddress,
  type IpBlock,
  isMappedIpv4,
  parseBlock,
  parseIp,
} from './ip-address.ts';

const hasLeadingZeros = (text: string): boolean => /(^|[.])0\d/.test(text.slice(text.lastIndexOf(':') + 1));

export const isIpv6 = (text: string): boolean => parseIp(text)?.family === 6;
export const isIpv4 = (text: string): boolean => parseIp(text)?.family === 4;

/** Whether the addresses are of two families. */
export const isDualStack = (texts: readonly string[]): boolean =>
  texts.some((text) => text.includes(':')) && texts.some((text) => !text.includes(':'));

/** @param known values the old object had; they stay allowed. */
export function checkLegacyIp(
  value: string,
  at: FieldPath,
  errors: Errors,
  known: readonly string[] = [],
): boolean {
  if (known.includes(value)) return true;
  const address = parseIp(value);
  const before = errors.length;
  if (address === undefined) {
    errors.push(invalid(at, value, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'));
  } else if (address.family === 4 && hasLeadingZeros(value)) {
    errors.push(invalid(at, value, 'must not have leading 0s'));
  } else if (isMappedIpv4(address)) {
    errors.push(invalid(at, value, 'must not be an IPv4-mapped IPv6 address'));
  }
  return errors.length === before;
}

/** A strict field: canonical notation only. */
export function checkIp(value: string, at: FieldPath, errors: Errors): boolean {
  if (!checkLegacyIp(value, at, errors)) return false;
  const address = parseIp(value);
  return address !== undefined && checkCanonical(value, formatIp(address), at, errors);
}

function checkCanonical(value: string, canonical: string, at: FieldPath, errors: Errors): boolean {
  if (value === canonical) return true;
  errors.push(invalid(at, value, `must be in canonical form (${JSON.stringify(canonical)})`));
  return false;
}

const block = (text: string): IpBlock => {
  const parsed = parseBlock(text);
  if (parsed === undefined) throw new Error(`${text} is no block of addresses`);
  return parsed;
};
const LOOPBACK = [block('127.0.0.0/8'), block('::1/128')];
const LINK_LOCAL = [block('169.254.0.0/16'), block('fe80::/10')];
const LINK_LOCAL_MULTICAST = [block('224.0.0.0/24'), block('ff02::/16')];
const inAny = (blocks: readonly IpBlock[], address: IpAddress): boolean =>
  blocks.some((candidate) => blockContains(candidate, address));

/** Where traffic may be sent: not to oneself and not to the link. */
export function checkEndpointIp(value: string, at: FieldPath, errors: Errors): void {
  const address = parseIp(value);
  if (address === undefined) {
    errors.push(invalid(at, value, 'must be a valid IP address'));
    return;
  }
  if (address.bits === 0n) errors.push(invalid(at, value, `may not be unspecified (${value})`));
  if (inAny(LOOPBACK, address)) {
    errors.push(invalid(at, value, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'));
  }
  if (inAny(LINK_LOCAL, address)) {
    errors.push(invalid(at, value, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'));
  }
  if (inAny(LINK_LOCAL_MULTICAST, address)) {
    const range = '224.0.0.0/24, ff02::/10';
    errors.push(invalid(at, value, `may not be in the link-local multicast range (${range})`));
  }
}

/** @param known values the old object had; they stay allowed. */
export function checkLegacyCidr(
  value: string,
  at: FieldPath,
  errors: Errors,
  known: readonly string[] = [],
): boolean {
  if (known.includes(value)) return true;
  const before = errors.length;
  const parsed = parseBlock(value);
  if (parsed === undefined) {
    errors.push(invalid(at, value, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'));
  } else if (/\/0\d/.test(value) || (parsed.family === 4 && hasLeadingZeros(value))) {
    errors.push(invalid(at, value, 'must not have leading 0s in IP or prefix length'));
  } else if (isMappedIpv4(parsed)) {
    errors.push(invalid(at, value, 'must not have an IPv4-mapped IPv6 address'));
  } else if (hasHostBits(parsed)) {
    errors.push(invalid(at, value, 'must not have bits set beyond the prefix length'));
  }
  return errors.length === before;
}

/** A strict field: canonical notation only. */
export function checkCidr(value: string, at: FieldPath, errors: Errors): boolean {
  if (!checkLegacyCidr(value, at, errors)) return false;
  const parsed = parseBlock(value);
  return parsed !== undefined && checkCanonical(value, `${formatIp(parsed)}/${parsed.prefix}`, at, errors);
}
