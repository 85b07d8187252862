/** What a pod asks of its node as a whole. */
import { type Container, isSidecar, type Pod } from '../pods/pod-spec.ts';
import { milliOf, valueOf } from './quantities.ts';

/** Amounts by resource name: CPU in thousandths of a core, everything else in whole units. */
export type Amounts = ReadonlyMap<string, number>;

export const amountOf = (resource: string, quantity: string): number =>
  resource === 'cpu' ? milliOf(quantity) : valueOf(quantity);

export function amounts(list: Readonly<Record<string, string>> | undefined): Map<string, number> {
  const out = new Map<string, number>();
  for (const [name, quantity] of Object.entries(list ?? {})) out.set(name, amountOf(name, quantity));
  return out;
}

/**
 * Requests: regular containers and sidecars add up; a plain init container runs alone beside the sidecars before it,
 * so the largest such moment counts too. Pod-level requests replace the sum, overhead comes on top (KEP-753, KEP-2837).
 */
export function podRequests(pod: Pod): Amounts {
  // Asked for every pod of the node whenever another one arrives.
  let known = knownRequests.get(pod);
  if (known === undefined) {
    known = podTotal(pod, 'requests');
    knownRequests.set(pod, known);
  }
  return known;
}

const knownRequests = new WeakMap<Pod, Amounts>();

export const podLimits = (pod: Pod): Amounts => podTotal(pod, 'limits');

function podTotal(pod: Pod, kind: 'requests' | 'limits'): Map<string, number> {
  const of = (container: Container): Map<string, number> => amounts(container.resources?.[kind]);
  const total = new Map<string, number>();
  for (const container of pod.spec.containers) add(total, of(container));
  const sidecars = new Map<string, number>();
  const peak = new Map<string, number>();
  for (const container of pod.spec.initContainers ?? []) {
    if (isSidecar(container)) {
      add(sidecars, of(container));
      raise(peak, sidecars);
    } else {
      const moment = new Map(sidecars);
      add(moment, of(container));
      raise(peak, moment);
    }
  }
  add(total, sidecars);
  raise(total, peak);
  for (const [name, amount] of amounts(pod.spec.resources?.[kind])) total.set(name, amount);
  add(total, amounts(kind === 'requests' ? pod.spec.overhead : onlyLimited(pod, total)));
  return total;
}

/** Overhead raises a limit only where there is one. */
function onlyLimited(pod: Pod, limits: Amounts): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(pod.spec.overhead ?? {}).filter(([name]) => limits.has(name)));
}

function add(to: Map<string, number>, what: Amounts): void {
  for (const [name, amount] of what) to.set(name, (to.get(name) ?? 0) + amount);
}

function raise(to: Map<string, number>, what: Amounts): void {
  for (const [name, amount] of what) to.set(name, Math.max(to.get(name) ?? 0, amount));
}
