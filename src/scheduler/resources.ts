/**
 * How much a pod asks for, as numbers that are fast to compare.
 * Source: KEP-753 (sidecars), KEP-2837 (pod-level resources), k8s.io/component-helpers resource.PodRequests.
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

type ResourceList = Readonly<Record<string, string>>;
type Amounts = Map<string, number>;

/** CPU in thousandths, everything else rounded up to whole units. */
function amountOf(name: string, quantity: string): number {
  const parsed = parseQuantity(quantity);
  return Number(name === 'cpu' ? parsed.milliValue() : parsed.value());
}

function amountsOf(list: ResourceList | undefined): Amounts {
  return new Map(Object.entries(list ?? {}).map(([name, quantity]) => [name, amountOf(name, quantity)]));
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
 * The pod's demand: the larger of what its containers ask together and what any moment of initialisation asks,
 * plus overhead. Sidecars (restartable init containers) run beside everything that starts after them.
 * `assume` fills in for containers that ask for nothing.
 */
function podAmounts(spec: coreV1.PodSpec, assume: (amounts: Amounts) => Amounts): Amounts {
  const running: Amounts = new Map();
  for (const container of spec.containers) add(running, assume(amountsOf(container.resources?.requests)));

  const sidecars: Amounts = new Map();
  const initPeak: Amounts = new Map();
  for (const container of spec.initContainers ?? []) {
    const asked = assume(amountsOf(container.resources?.requests));
    if (container.restartPolicy === 'Always') {
      add(sidecars, asked);
      raiseTo(initPeak, sidecars);
    } else {
      const moment = new Map(sidecars);
      add(moment, asked);
      raiseTo(initPeak, moment);
    }
  }
  add(running, sidecars);
  raiseTo(running, initPeak);
  for (const [name, amount] of amountsOf(spec.resources?.requests)) running.set(name, amount);
  add(running, amountsOf(spec.overhead));
  return running;
}

export function podRequests(pod: coreV1.Pod): Resources {
  return toResources(podAmounts(pod.spec, (amounts) => amounts));
}

/** Like `podRequests`, with a small assumption for containers that ask for nothing. For scoring only. */
export function podRequestsForScoring(pod: coreV1.Pod): Resources {
  return toResources(
    podAmounts(pod.spec, (amounts) => {
      const assumed = new Map(amounts);
      if (!assumed.has('cpu')) assumed.set('cpu', DEFAULT_MILLI_CPU);
      if (!assumed.has('memory')) assumed.set('memory', DEFAULT_MEMORY_BYTES);
      return assumed;
    }),
  );
}
