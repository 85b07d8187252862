/** How much a pod asks for, as numbers that are fast to compare. */
import { type Amounts, amountsOf, type coreV1, NUMBERS, podRequests as requestsOf } from '#api';

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

export function resourcesOf(list: ResourceList | undefined): Resources {
  return toResources(amountsOf(list, NUMBERS));
}

function toResources(amounts: Amounts<number>): Resources {
  const scalars = new Map(amounts);
  for (const name of ['cpu', 'memory', 'ephemeral-storage', 'pods']) scalars.delete(name);
  return {
    milliCpu: amounts.get('cpu') ?? 0,
    memoryBytes: amounts.get('memory') ?? 0,
    ephemeralStorageBytes: amounts.get('ephemeral-storage') ?? 0,
    scalars,
  };
}

/** A resize that is under way counts, a wish the node can never grant does not. */
const AS_HELD = { useStatus: true, includeOverhead: true };

export function podRequests(pod: coreV1.Pod): Resources {
  return toResources(requestsOf(pod, NUMBERS, AS_HELD));
}

const AS_HELD_OR_ASSUMED = {
  ...AS_HELD,
  assume(amounts: Map<string, number>): void {
    if (!amounts.has('cpu')) amounts.set('cpu', DEFAULT_MILLI_CPU);
    if (!amounts.has('memory')) amounts.set('memory', DEFAULT_MEMORY_BYTES);
  },
};

/** Like `podRequests`, with a small assumption for containers that ask for nothing. For scoring only. */
export function podRequestsForScoring(pod: coreV1.Pod): Resources {
  return toResources(requestsOf(pod, NUMBERS, AS_HELD_OR_ASSUMED));
}
