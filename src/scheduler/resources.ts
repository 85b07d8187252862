/**
 * How much a pod asks for, as numbers that are fast to compare.
 * Source: KEP-753 (sidecars), KEP-2837 (pod-level resources), KEP-1287 (resize in place).
 */
import type { coreV1 } from '#api';
import { parseQuantity } from '#machinery';

/** CPU in thousandths of a core, memory and ephemeral storage in bytes, anything else by name in whole units. */
export interface Resources {
  readonly milliCpu: number;
  readonly memoryBytes: number;
  readonly ephemeralStorageBytes: number;
  readonly scalars: ReadonlyMap<string, number>;
}

/** What scoring assumes for a container that asks for nothing, so that such pods spread too. */
const DEFAULT_MILLI_CPU = 100;
const DEFAULT_MEMORY_BYTES = 200 * 1024 * 1024;
/** Distinct quantities remembered per unit; when full all are forgotten. A cluster uses few. */
const MAX_REMEMBERED = 4_096;

type ResourceList = Readonly<Record<string, string>>;
type Amounts = Map<string, number>;
type Assume = (amounts: Amounts) => Amounts;

const milliValues = new Map<string, number>();
const wholeValues = new Map<string, number>();

/** CPU in thousandths, everything else rounded up to whole units. */
function amountOf(name: string, quantity: string): number {
  const remembered = name === 'cpu' ? milliValues : wholeValues;
  const known = remembered.get(quantity);
  if (known !== undefined) return known;
  const parsed = parseQuantity(quantity);
  const amount = name === 'cpu' ? parsed.milliValue() : parsed.value();
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  remembered.set(quantity, amount);
  return amount;
}

function amountsOf(list: ResourceList | undefined): Amounts {
  const amounts: Amounts = new Map();
  for (const name in list) {
    const quantity = list[name];
    if (quantity !== undefined) amounts.set(name, amountOf(name, quantity));
  }
  return amounts;
}

function add(into: Amounts, more: Amounts): void {
  for (const [name, amount] of more) into.set(name, (into.get(name) ?? 0) + amount);
}

function raiseTo(into: Amounts, least: Amounts): void {
  for (const [name, amount] of least) into.set(name, Math.max(into.get(name) ?? 0, amount));
}

export function resourcesOf(list: ResourceList | undefined): Resources {
  return toResources(amountsOf(list));
}

function toResources(amounts: Amounts): Resources {
  const scalars = new Map(amounts);
  for (const name of ['cpu', 'memory', 'ephemeral-storage', 'pods']) scalars.delete(name);
  return {
    milliCpu: amounts.get('cpu') ?? 0,
    memoryBytes: amounts.get('memory') ?? 0,
    ephemeralStorageBytes: amounts.get('ephemeral-storage') ?? 0,
    scalars,
  };
}

/**
 * While a resize is under way the larger of what is wanted, what the node has set aside and what is in force counts;
 * a wish the node can never grant does not.
 */
function resized(
  wanted: ResourceList | undefined,
  status: Pick<coreV1.ContainerStatus, 'resources' | 'allocatedResources'> | undefined,
  infeasible: boolean,
): Amounts {
  if (status?.resources === undefined) return amountsOf(wanted);
  const amounts = infeasible ? new Map<string, number>() : amountsOf(wanted);
  raiseTo(amounts, amountsOf(status.resources.requests));
  raiseTo(amounts, amountsOf(status.allocatedResources));
  return amounts;
}

const isSidecar = (container: coreV1.Container): boolean => container.restartPolicy === 'Always';

/** Only these may be asked for by the pod as a whole. */
const isPodLevel = (name: string): boolean =>
  name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');

/**
 * The pod's demand: the larger of what its containers ask together and what any moment of initialisation asks,
 * plus overhead. Sidecars (restartable init containers) run beside everything that starts after them.
 * `assume` fills in for containers that ask for nothing.
 */
function podAmounts({ spec, status }: coreV1.Pod, assume: Assume): Amounts {
  const infeasible =
    status.conditions?.find(({ type }) => type === 'PodResizePending')?.reason === 'Infeasible';
  const askedBy = (
    container: coreV1.Container,
    statuses: readonly coreV1.ContainerStatus[] | undefined,
  ): Amounts => {
    const known = statuses?.find(({ name }) => name === container.name);
    return assume(resized(container.resources?.requests, known, infeasible));
  };

  const running: Amounts = new Map();
  for (const container of spec.containers) add(running, askedBy(container, status.containerStatuses));

  const sidecars: Amounts = new Map();
  const initPeak: Amounts = new Map();
  for (const container of spec.initContainers ?? []) {
    if (isSidecar(container)) {
      add(sidecars, askedBy(container, status.initContainerStatuses));
      raiseTo(initPeak, sidecars);
    } else {
      const moment = new Map(sidecars);
      add(moment, askedBy(container, undefined));
      raiseTo(initPeak, moment);
    }
  }
  add(running, sidecars);
  raiseTo(running, initPeak);
  for (const [name, amount] of resized(spec.resources?.requests, status, infeasible)) {
    if (isPodLevel(name) && spec.resources?.requests?.[name] !== undefined) running.set(name, amount);
  }
  add(running, amountsOf(spec.overhead));
  return running;
}

export function podRequests(pod: coreV1.Pod): Resources {
  return toResources(podAmounts(pod, (amounts) => amounts));
}

/** Like `podRequests`, with a small assumption for containers that ask for nothing. For scoring only. */
export function podRequestsForScoring(pod: coreV1.Pod): Resources {
  return toResources(
    podAmounts(pod, (amounts) => {
      if (!amounts.has('cpu')) amounts.set('cpu', DEFAULT_MILLI_CPU);
      if (!amounts.has('memory')) amounts.set('memory', DEFAULT_MEMORY_BYTES);
      return amounts;
    }),
  );
}
