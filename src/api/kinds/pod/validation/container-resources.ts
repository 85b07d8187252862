/** What containers and pods ask for: limits, requests, claims, and what a change of them means. */
import {
  duplicate,
  type FieldPath,
  fieldForbidden,
  fieldNotFound,
  invalid,
  notSupported,
  parseQuantity,
  type Quantity,
  required,
} from '#machinery';
import type { coreV1 } from '../../../types/index.ts';
import { checkPresent, type Errors, sortedEntries } from '../../field-rules.ts';
import { checkDns1123Label } from '../../metadata-rules.ts';
import {
  checkContainerResourceName,
  checkLimitsAndRequests,
  checkResourceName,
  isHugePages,
  type ResourceList,
} from '../../resource-rules.ts';

type Requirements = coreV1.ResourceRequirements;

export function checkContainerResources(
  resources: Requirements | undefined,
  podClaims: ReadonlySet<string>,
  at: FieldPath,
  errors: Errors,
): void {
  if (resources === undefined) return;
  checkLimitsAndRequests(resources, checkContainerResourceName, at, errors);
  checkClaimNames(resources.claims ?? [], podClaims, at.child('claims'), errors);
}

function checkClaimNames(
  claims: readonly coreV1.ResourceClaim[],
  podClaims: ReadonlySet<string>,
  at: FieldPath,
  errors: Errors,
): void {
  const seen = new Set<string>();
  for (const [i, { name, request = '' }] of claims.entries()) {
    const path = at.index(i);
    if (!checkPresent(name, path, errors)) continue;
    if (seen.has(name)) errors.push(duplicate(path, name));
    else {
      if (request !== '') checkDns1123Label(request, path.child('request'), errors);
      const key = request === '' ? name : `${name}/${request}`;
      const isCovered = request === '' && [...seen].some((other) => other.startsWith(`${name}/`));
      if (seen.has(key) || isCovered) errors.push(duplicate(path, request === '' ? name : key));
      seen.add(key);
    }
    if (podClaims.has(name)) continue;
    const list = podClaims.size === 0 ? ' which is empty' : `: ${[...podClaims].toSorted().join(', ')}`;
    const error = fieldNotFound(path, name);
    errors.push({
      ...error,
      body: `${error.body}: must be one of the names in pod.spec.resourceClaims${list}`,
    });
  }
}

const RESIZABLE = ['cpu', 'memory'];
const RESIZE_POLICIES = ['NotRequired', 'RestartContainer'];

export function checkResizePolicy(
  policies: readonly coreV1.ContainerResizePolicy[],
  podRestartPolicy: string | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  const seen = new Set<string>();
  for (const [i, policy] of policies.entries()) {
    const name: string = policy.resourceName;
    const restart: string = policy.restartPolicy;
    if (seen.has(name)) errors.push(duplicate(at.index(i), name));
    seen.add(name);
    if (name === '') errors.push(required(at));
    else if (!RESIZABLE.includes(name)) errors.push(notSupported(at, name, RESIZABLE));
    if (restart === '') errors.push(required(at));
    else if (!RESIZE_POLICIES.includes(restart)) errors.push(notSupported(at, restart, RESIZE_POLICIES));
    if (podRestartPolicy === 'Never' && restart !== 'NotRequired') {
      const why = "must be 'NotRequired' when pod `restartPolicy` is 'Never'";
      errors.push(invalid(at, restart, why));
    }
  }
}

const POD_LEVEL = ['cpu', 'hugepages-', 'memory'];

function checkPodResourceName(name: string, at: FieldPath, errors: Errors): void {
  if (!checkResourceName(name, at, errors)) return;
  if (name !== 'cpu' && name !== 'memory' && !isHugePages(name)) {
    errors.push(notSupported(at, name, POD_LEVEL));
  }
}

/** `spec.resources`: at least what the containers ask for together. */
export function checkPodLevelResources(spec: coreV1.PodSpec, at: FieldPath, errors: Errors): void {
  const { resources } = spec;
  if (resources === undefined) return;
  if (spec.os?.name === 'windows') {
    errors.push(fieldForbidden(at, 'may not be set for a windows pod'));
    return;
  }
  if (resources.claims !== undefined) {
    errors.push(fieldForbidden(at.child('claims'), 'claims may not be set for Resources at pod-level'));
  }
  checkLimitsAndRequests(resources, checkPodResourceName, at, errors);
  checkAgainstContainers(spec, resources, at, errors);
}

function checkAgainstContainers(
  spec: coreV1.PodSpec,
  { limits = {}, requests = {} }: Requirements,
  at: FieldPath,
  errors: Errors,
): void {
  for (const [name, sum] of sortedEntries(aggregate(spec, (container) => container.resources?.requests))) {
    const request = requests[name];
    if (request === undefined || sum.compare(parseQuantity(request)) <= 0) continue;
    const why = `must be greater than or equal to aggregate container requests of ${sum.toString()}`;
    errors.push(invalid(at.child('requests').key(name), request, why));
  }
  for (const [name, sum] of sortedEntries(aggregate(spec, (container) => container.resources?.limits))) {
    const limit = limits[name];
    if (limit === undefined || !isHugePages(name) || sum.compare(parseQuantity(limit)) <= 0) continue;
    const why = `must be greater than or equal to aggregate container limits of ${sum.toString()}`;
    errors.push(invalid(at.child('limits').key(name), limit, why));
  }
  for (const [i, container] of spec.containers.entries()) {
    for (const [name, own] of sortedEntries(container.resources?.limits)) {
      const limit = limits[name];
      if (limit === undefined || parseQuantity(own).compare(parseQuantity(limit)) <= 0) continue;
      const path = at.child('containers').index(i).key(name).child('limits');
      errors.push(invalid(path, own, `must be less than or equal to pod limits of ${limit}`));
    }
  }
}

type Sums = Readonly<Record<string, Quantity>>;

const plus = (a: Sums, b: Sums): Sums => merge(a, b, (x, y) => x.add(y));
const most = (a: Sums, b: Sums): Sums => merge(a, b, (x, y) => (x.compare(y) >= 0 ? x : y));

function merge(a: Sums, b: Sums, combine: (x: Quantity, y: Quantity) => Quantity): Sums {
  const merged: Record<string, Quantity> = { ...a };
  for (const [name, quantity] of Object.entries(b)) {
    const other = merged[name];
    merged[name] = other === undefined ? quantity : combine(other, quantity);
  }
  return merged;
}

/** Containers and sidecars add up; of plain init containers the biggest counts, with the sidecars before it. */
function aggregate(
  spec: coreV1.PodSpec,
  listOf: (container: coreV1.Container) => ResourceList | undefined,
): Sums {
  const sumsOf = (container: coreV1.Container): Sums =>
    Object.fromEntries(
      Object.entries(listOf(container) ?? {}).map(([name, text]) => [name, parseQuantity(text)]),
    );
  let running: Sums = {};
  for (const container of spec.containers) running = plus(running, sumsOf(container));
  let sidecars: Sums = {};
  let starting: Sums = {};
  for (const container of spec.initContainers ?? []) {
    const own = sumsOf(container);
    if (container.restartPolicy === 'Always') {
      running = plus(running, own);
      sidecars = plus(sidecars, own);
      starting = most(starting, sidecars);
    } else starting = most(starting, plus(own, sidecars));
  }
  return most(running, starting);
}
