/** Fields of the pod and its containers that environments and volumes may refer to. */
import {
  type FieldPath,
  invalid,
  notSupported,
  parseQuantity,
  required,
  validateQualifiedName,
} from '#machinery';
import type { coreV1 } from '../../../types/index.ts';
import { addInvalid, isEmpty, type Errors } from '../../field-rules.ts';

const KNOWN_FIELDS = new Set([
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.restartPolicy',
  'spec.serviceAccountName',
  'spec.schedulerName',
  'status.phase',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]);

/** `metadata.labels['app']` → path and key. */
const subscripted = /^(.+?)\['(.*)'\]$/;

/** @param allowed paths that may stand without a subscript, sorted. */
export function checkFieldSelector(
  selector: coreV1.ObjectFieldSelector,
  allowed: readonly string[],
  at: FieldPath,
  errors: Errors,
): void {
  const { apiVersion, fieldPath } = selector;
  if (isEmpty(apiVersion)) {
    errors.push(required(at.child('apiVersion')));
    return;
  }
  if (isEmpty(fieldPath)) {
    errors.push(required(at.child('fieldPath')));
    return;
  }
  const [, path = fieldPath, key] = subscripted.exec(fieldPath) ?? [];
  const problem = conversionProblem(apiVersion ?? '', fieldPath, path, key);
  if (problem !== undefined) {
    errors.push(invalid(at.child('fieldPath'), fieldPath, `error converting fieldPath: ${problem}`));
  } else if (key !== undefined) {
    const normalized = path === 'metadata.annotations' ? key.toLowerCase() : key;
    addInvalid(validateQualifiedName(normalized), at, normalized, errors);
  } else {
    const current = path === 'spec.host' ? 'spec.nodeName' : path;
    if (!allowed.includes(current)) errors.push(notSupported(at.child('fieldPath'), current, allowed));
  }
}

function conversionProblem(
  apiVersion: string,
  label: string,
  path: string,
  key: string | undefined,
): string | undefined {
  if (apiVersion !== 'v1') return `unsupported pod version: ${apiVersion}`;
  if (key !== undefined) {
    return path === 'metadata.annotations' || path === 'metadata.labels'
      ? undefined
      : `field label does not support subscript: ${label}`;
  }
  return KNOWN_FIELDS.has(label) || label === 'spec.host' ? undefined : `field label not supported: ${label}`;
}

const CONTAINER_RESOURCES = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];
const HUGE_PAGES = ['requests.hugepages-', 'limits.hugepages-'];
const isHugePages = (resource: string): boolean => HUGE_PAGES.some((prefix) => resource.startsWith(prefix));

export function checkResourceFieldSelector(
  selector: coreV1.ResourceFieldSelector,
  inVolume: boolean,
  at: FieldPath,
  errors: Errors,
): void {
  const { resource } = selector;
  if (inVolume && isEmpty(selector.containerName)) errors.push(required(at.child('containerName')));
  else if (resource === '') errors.push(required(at.child('resource')));
  else if (!CONTAINER_RESOURCES.includes(resource) && !isHugePages(resource)) {
    errors.push(notSupported(at.child('resource'), resource, CONTAINER_RESOURCES));
  }
  checkDivisor(resource, selector.divisor ?? '0', at.child('divisor'), errors);
}

const BYTE_DIVISORS = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'];

function checkDivisor(resource: string, divisor: string, at: FieldPath, errors: Errors): void {
  const quantity = parseQuantity(divisor);
  if (quantity.isZero()) return;
  const what = divisibleKind(resource);
  if (what === undefined) return;
  const allowed = what === 'cpu' ? ['1m', '1'] : BYTE_DIVISORS;
  if (allowed.includes(quantity.toString())) return;
  const list = what === 'cpu' ? '1m and 1' : BYTE_DIVISORS.join(', ');
  errors.push(invalid(at, resource, `only divisor's values ${list} are supported with the ${what} resource`));
}

function divisibleKind(resource: string): string | undefined {
  if (isHugePages(resource)) return 'hugepages';
  const kinds: Readonly<Record<string, string>> = {
    cpu: 'cpu',
    memory: 'memory',
    'ephemeral-storage': 'local ephemeral storage',
  };
  const [, name = ''] = /^(?:limits|requests)\.(.*)$/.exec(resource) ?? [];
  return kinds[name];
}
