/** Names of resources (`cpu`, `requests.memory`, `example.com/gpu`) and what may be asked for of them. */
import {
  type FieldPath,
  fieldForbidden,
  invalid,
  parseQuantity,
  required,
  validateQualifiedName,
} from '#machinery';
import type { coreV1 } from '../types/index.ts';
import { addInvalid, type Errors, IS_NEGATIVE, sortedEntries } from './field-rules.ts';

export type ResourceList = Readonly<Record<string, string>>;

const HUGE_PAGES = 'hugepages-';
const COUNTED = [
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
];
const COMPUTE = ['cpu', 'memory', 'ephemeral-storage'];
const standardContainer = new Set(COMPUTE);
const integers = new Set(COUNTED);
const standardQuota = new Set([
  ...COMPUTE,
  ...COMPUTE.map((name) => `requests.${name}`),
  ...COMPUTE.map((name) => `limits.${name}`),
  'requests.storage',
  ...COUNTED,
]);
const standard = new Set([...standardQuota, 'storage']);

export const isHugePages = (name: string): boolean => name.startsWith(HUGE_PAGES);
const isQuotaHugePages = (name: string): boolean =>
  isHugePages(name) || name.startsWith(`requests.${HUGE_PAGES}`);

/** Of Kubernetes itself: without a prefix, or in `kubernetes.io/`. */
export const isNativeResource = (name: string): boolean =>
  !name.includes('/') || name.includes('kubernetes.io/');

export const isExtendedResource = (name: string): boolean =>
  !isNativeResource(name) &&
  !name.startsWith('requests.') &&
  validateQualifiedName(`requests.${name}`).length === 0;

export const isStandardQuotaResource = (name: string): boolean =>
  standardQuota.has(name) || isQuotaHugePages(name);

/** More may be promised than there is. */
export const allowsOvercommit = (name: string): boolean => isNativeResource(name) && !isHugePages(name);

export function checkResourceName(name: string, at: FieldPath, errors: Errors): boolean {
  const messages = validateQualifiedName(name);
  addInvalid(messages, at, name, errors);
  if (messages.length > 0) return false;
  if (name.includes('/') || standard.has(name) || isQuotaHugePages(name)) return true;
  errors.push(invalid(at, name, 'must be a standard resource type or fully qualified'));
  return false;
}

export function checkContainerResourceName(name: string, at: FieldPath, errors: Errors): void {
  checkResourceName(name, at, errors);
  if (!name.includes('/')) {
    if (!standardContainer.has(name) && !isHugePages(name)) {
      errors.push(invalid(at, name, 'must be a standard resource for containers'));
    }
  } else if (!isNativeResource(name) && !isExtendedResource(name)) {
    errors.push(invalid(at, name, "doesn't follow extended resource name standard"));
  }
}

export function checkQuotaResourceName(name: string, at: FieldPath, errors: Errors): void {
  checkResourceName(name, at, errors);
  if (!name.includes('/') && !isStandardQuotaResource(name)) {
    errors.push(invalid(at, name, 'must be a standard resource for quota'));
  }
}

/** Not negative; whole for what is counted. */
export function checkResourceQuantity(name: string, text: string, at: FieldPath, errors: Errors): void {
  const quantity = parseQuantity(text);
  if (quantity.sign() < 0) errors.push(invalid(at, text, IS_NEGATIVE));
  if ((integers.has(name) || isExtendedResource(name)) && quantity.scaledValue(-3) % 1000n !== 0n) {
    errors.push(invalid(at, text, 'must be an integer'));
  }
}

/** Not negative in whole units. */
export function checkBasicQuantity(text: string, at: FieldPath, errors: Errors): void {
  const value = parseQuantity(text).value();
  if (value < 0) errors.push(invalid(at, value, 'must be a valid resource quantity'));
}

export function checkPositiveQuantity(text: string, at: FieldPath, errors: Errors): boolean {
  if (parseQuantity(text).sign() > 0) return true;
  errors.push(invalid(at, text, 'must be greater than zero'));
  return false;
}

function checkHugePages(name: string, text: string, at: FieldPath, errors: Errors): void {
  if (!isDivisibleByPage(name, text)) {
    errors.push(invalid(at, text, `${text} is not positive integer multiple of ${name}`));
  }
}

function isDivisibleByPage(name: string, text: string): boolean {
  try {
    const page = parseQuantity(name.slice(HUGE_PAGES.length));
    if (page.sign() <= 0 || page.scaledValue(-3) % 1000n !== 0n) return false;
    return parseQuantity(text).scaledValue(0) % page.scaledValue(0) === 0n;
  } catch {
    return false;
  }
}

type NameRule = (name: string, at: FieldPath, errors: Errors) => void;

/** Limits and requests of a container or of a pod as a whole; claims are looked at elsewhere. */
export function checkLimitsAndRequests(
  resources: Pick<coreV1.ResourceRequirements, 'limits' | 'requests'>,
  checkName: NameRule,
  at: FieldPath,
  errors: Errors,
): void {
  const { limits = {}, requests = {} } = resources;
  const limitsPath = at.child('limits');
  const requestsPath = at.child('requests');
  for (const [name, quantity] of sortedEntries(limits)) {
    checkNamedQuantity(name, quantity, checkName, limitsPath.key(name), errors);
    if (isHugePages(name)) checkHugePages(name, quantity, limitsPath.key(name), errors);
  }
  for (const [name, quantity] of sortedEntries(requests)) {
    checkNamedQuantity(name, quantity, checkName, requestsPath.key(name), errors);
    checkAgainstLimit(name, quantity, limits, limitsPath, requestsPath, errors);
    if (isHugePages(name)) checkHugePages(name, quantity, requestsPath.key(name), errors);
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)];
  if (names.some(isHugePages) && !names.some((name) => name === 'cpu' || name === 'memory')) {
    errors.push(fieldForbidden(at, 'HugePages require cpu or memory'));
  }
}

function checkNamedQuantity(
  name: string,
  quantity: string,
  checkName: NameRule,
  at: FieldPath,
  errors: Errors,
): void {
  checkName(name, at, errors);
  checkResourceQuantity(name, quantity, at, errors);
}

function checkAgainstLimit(
  name: string,
  quantity: string,
  limits: ResourceList,
  limitsPath: FieldPath,
  requestsPath: FieldPath,
  errors: Errors,
): void {
  const limit = limits[name];
  if (limit === undefined) {
    if (!allowsOvercommit(name)) {
      errors.push(required(limitsPath, 'Limit must be set for non overcommitable resources'));
    }
    return;
  }
  const order = parseQuantity(quantity).compare(parseQuantity(limit));
  if (order !== 0 && !allowsOvercommit(name)) {
    errors.push(invalid(requestsPath, quantity, `must be equal to ${name} limit of ${limit}`));
  } else if (order > 0) {
    errors.push(invalid(requestsPath, quantity, `must be less than or equal to ${name} limit of ${limit}`));
  }
}
