/**
 * What a pod needs as a whole: containers together, or its largest init container beside the sidecars started before
 * it, whichever is more (KEP-753); then what is set for the pod itself (KEP-2837), then its runtime's overhead.
 *
 * Everybody who asks gets it from here: quota counts exactly and keeps the form of quantities, scheduler and kubelet
 * count in plain numbers.
 */
import { parseQuantity, type Quantity } from '#machinery';
import type { coreV1 } from './types/index.ts';

/** Amounts by resource name. */
export type Amounts<V> = ReadonlyMap<string, V>;

type ResourceStrings = Readonly<Record<string, string>>;

/** In what amounts are counted. */
export interface Counting<V> {
  /** `quantity` has been validated. */
  parse(resource: string, quantity: string): V;
  sum(a: V, b: V): V;
  isMore(a: V, b: V): boolean;
  isZero(value: V): boolean;
}

export const QUANTITIES: Counting<Quantity> = {
  parse: (_, quantity) => parseQuantity(quantity),
  sum: (a, b) => a.add(b),
  isMore: (a, b) => a.compare(b) > 0,
  isZero: (value) => value.isZero(),
};

/** Distinct quantities remembered per unit; when full all are forgotten. A cluster uses few. */
const MAX_REMEMBERED = 4_096;
const milliValues = new Map<string, number>();
const wholeValues = new Map<string, number>();

/** CPU in thousandths of a core, everything else rounded up to whole units. Exact up to 2^53. */
export const NUMBERS: Counting<number> = {
  parse(resource, quantity) {
    const remembered = resource === 'cpu' ? milliValues : wholeValues;
    const known = remembered.get(quantity);
    if (known !== undefined) return known;
    const parsed = parseQuantity(quantity);
    const amount = resource === 'cpu' ? parsed.milliValue() : parsed.value();
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(quantity, amount);
    return amount;
  },
  sum: (a, b) => a + b,
  isMore: (a, b) => a > b,
  isZero: (value) => value === 0,
};

export interface PodResourcesOptions<V> {
  /** Count what a container holds now where that is more than its spec asks (KEP-1287, resize in place). */
  readonly useStatus: boolean;
  readonly includeOverhead: boolean;
  /** Fills in what a container does not ask for. */
  readonly assume?: (amounts: Map<string, V>) => void;
}

export function podRequests<V>(
  pod: coreV1.Pod,
  counting: Counting<V>,
  options: PodResourcesOptions<V>,
): Map<string, V> {
  const total = new PodTotal(pod, 'requests', counting, options).sum();
  if (options.includeOverhead) add(total, amountsOf(pod.spec.overhead, counting), counting);
  return total;
}

/** Overhead is added to limits that are set, since no limit means none. */
export function podLimits<V>(
  pod: coreV1.Pod,
  counting: Counting<V>,
  options: PodResourcesOptions<V>,
): Map<string, V> {
  const total = new PodTotal(pod, 'limits', counting, options).sum();
  if (!options.includeOverhead) return total;
  for (const [name, overhead] of amountsOf(pod.spec.overhead, counting)) {
    const limit = total.get(name);
    if (limit !== undefined && !counting.isZero(limit)) total.set(name, counting.sum(limit, overhead));
  }
  return total;
}

export function amountsOf<V>(list: ResourceStrings | undefined, counting: Counting<V>): Map<string, V> {
  const amounts = new Map<string, V>();
  for (const name in list) {
    const quantity = list[name];
    if (quantity !== undefined) amounts.set(name, counting.parse(name, quantity));
  }
  return amounts;
}

type Kind = 'requests' | 'limits';
/** As a container's status says, and a pod's. */
type Held = Pick<coreV1.ContainerStatus, 'resources' | 'allocatedResources'>;

class PodTotal<V> {
  readonly #pod: coreV1.Pod;
  readonly #kind: Kind;
  readonly #counting: Counting<V>;
  readonly #options: PodResourcesOptions<V>;

  constructor(pod: coreV1.Pod, kind: Kind, counting: Counting<V>, options: PodResourcesOptions<V>) {
    this.#pod = pod;
    this.#kind = kind;
    this.#counting = counting;
    this.#options = options;
  }

  sum(): Map<string, V> {
    const counting = this.#counting;
    const { spec, status } = this.#pod;
    const total = new Map<string, V>();
    for (const container of spec.containers)
      add(total, this.#of(container, status?.containerStatuses), counting);
    const sidecars = new Map<string, V>();
    const initPeak = new Map<string, V>();
    for (const container of spec.initContainers ?? []) {
      if (container.restartPolicy === 'Always') {
        add(sidecars, this.#of(container, status?.initContainerStatuses), counting);
        raise(initPeak, sidecars, counting);
      } else {
        const moment = new Map(sidecars);
        add(moment, this.#of(container, undefined), counting);
        raise(initPeak, moment, counting);
      }
    }
    add(total, sidecars, counting);
    raise(total, initPeak, counting);
    const ofPod = spec.resources?.[this.#kind];
    for (const [name, amount] of this.#held(ofPod, status)) {
      if (isPodLevel(name) && ofPod?.[name] !== undefined) total.set(name, amount);
    }
    return total;
  }

  #of(container: coreV1.Container, statuses: readonly coreV1.ContainerStatus[] | undefined): Map<string, V> {
    const status = statuses?.find(({ name }) => name === container.name);
    const amounts = this.#held(container.resources?.[this.#kind], status);
    this.#options.assume?.(amounts);
    return amounts;
  }

  /**
   * While a resize is under way the larger of what is wanted, what the node has set aside and what is in force
   * counts; a wish the node can never grant does not.
   */
  #held(wanted: ResourceStrings | undefined, status: Held | undefined): Map<string, V> {
    const counting = this.#counting;
    if (!this.#options.useStatus || status?.resources === undefined) return amountsOf(wanted, counting);
    const amounts = this.#isInfeasible ? new Map<string, V>() : amountsOf(wanted, counting);
    raise(amounts, amountsOf(status.resources[this.#kind], counting), counting);
    if (this.#kind === 'requests') raise(amounts, amountsOf(status.allocatedResources, counting), counting);
    return amounts;
  }

  get #isInfeasible(): boolean {
    const pending = this.#pod.status?.conditions?.find(({ type }) => type === 'PodResizePending');
    return pending?.reason === 'Infeasible';
  }
}

/** Only these may be asked for by the pod as a whole. */
const isPodLevel = (name: string): boolean =>
  name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');

function add<V>(into: Map<string, V>, more: Amounts<V>, counting: Counting<V>): void {
  for (const [name, amount] of more) {
    const known = into.get(name);
    into.set(name, known === undefined ? amount : counting.sum(known, amount));
  }
}

function raise<V>(into: Map<string, V>, least: Amounts<V>, counting: Counting<V>): void {
  for (const [name, amount] of least) {
    const known = into.get(name);
    if (known === undefined || counting.isMore(amount, known)) into.set(name, amount);
  }
}
