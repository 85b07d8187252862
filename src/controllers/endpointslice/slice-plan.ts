/**
 * Which slices to write so that they hold exactly the wanted endpoints, with as few writes as possible: every write
 * goes to every node. An endpoint stays in the slice it is in; new ones fill slices that are written anyway, then one
 * that has room, then new ones. Slices are not repacked just because they could be. Pure.
 *
 * Worked example, 100 a slice: slices A (100) and B (60); 30 endpoints of A go, 50 come. A is written anyway and takes
 * 30, the other 20 go to B. Were nothing to go, B would not have room for all 50, and one new slice would take them:
 * one write instead of two.
 */
import type { discoveryV1 } from '#api';
import { deepEqual } from '#machinery';
import type { AddressType } from './service-endpoints.ts';

type Endpoint = discoveryV1.Endpoint;
type Port = discoveryV1.EndpointPort;
type Slice = discoveryV1.EndpointSlice;

export interface WantedSlice {
  readonly addressType: AddressType;
  readonly ports: readonly Port[];
  readonly endpoints: readonly Endpoint[];
}

export interface SlicePlan {
  readonly create: readonly WantedSlice[];
  readonly update: readonly Slice[];
  readonly remove: readonly Slice[];
}

export interface SlicePlanInput {
  /** Slices of the Service that this controller made. */
  readonly existing: readonly Slice[];
  /** One group per address type and set of ports. */
  readonly wanted: readonly WantedSlice[];
  readonly maxPerSlice: number;
}

/** The same for the same ports in any order. */
export function portsKey(ports: readonly Port[] | undefined): string {
  return (ports ?? [])
    .map(({ name = '', port = 0, protocol = '', appProtocol = '' }) =>
      [name, port, protocol, appProtocol].join('/'),
    )
    .sort()
    .join(',');
}

const groupKey = (addressType: string, ports: readonly Port[] | undefined): string =>
  `${addressType}|${portsKey(ports)}`;

function endpointKey({ targetRef, addresses }: Endpoint): string {
  return targetRef?.uid === undefined ? addresses.join(',') : `${targetRef.uid}/${addresses.join(',')}`;
}

export function planSlices({ existing, wanted, maxPerSlice }: SlicePlanInput): SlicePlan {
  const groups = new Map(wanted.map((group) => [groupKey(group.addressType, group.ports), group]));
  const slices = new Map<string, Slice[]>();
  const remove: Slice[] = [];
  for (const slice of existing) {
    const key = groupKey(slice.addressType, slice.ports ?? undefined);
    if (groups.has(key)) slices.set(key, [...(slices.get(key) ?? []), slice]);
    else remove.push(slice);
  }
  const plans = [...groups].map(([key, group]) => planGroup(group, slices.get(key) ?? [], maxPerSlice));
  return {
    create: plans.flatMap((plan) => plan.create),
    update: plans.flatMap((plan) => plan.update),
    remove: [...remove, ...plans.flatMap((plan) => plan.remove)],
  };
}

function planGroup(group: WantedSlice, slices: readonly Slice[], max: number): SlicePlan {
  const missing = new Map(group.endpoints.map((endpoint) => [endpointKey(endpoint), endpoint]));
  const kept = slices.map((slice) => keepWanted(slice, missing));
  const written = kept
    .filter(({ changed }) => changed)
    .sort((a, b) => b.endpoints.length - a.endpoints.length);
  const rest = [...missing.values()];
  for (const slot of written) slot.endpoints.push(...rest.splice(0, max - slot.endpoints.length));
  // One slice that is not written yet: the one that the rest fills best.
  const room = kept
    .filter(
      ({ changed, endpoints }) =>
        !changed && rest.length > 0 && endpoints.length + (rest.length % max) <= max,
    )
    .sort((a, b) => b.endpoints.length - a.endpoints.length)[0];
  if (room !== undefined) {
    const part = rest.length % max;
    room.endpoints.push(...rest.splice(0, part === 0 ? 0 : part));
    room.changed ||= part > 0;
  }
  const create: WantedSlice[] = [];
  while (rest.length > 0) create.push({ ...group, endpoints: rest.splice(0, max) });
  const empty = kept.filter(({ endpoints }) => endpoints.length === 0);
  // A Service without endpoints keeps one empty slice, so that it is known to have none.
  const placeholder = empty.length === kept.length && create.length === 0 ? empty[0] : undefined;
  if (kept.length === 0 && create.length === 0) create.push({ ...group, endpoints: [] });
  return {
    create,
    update: kept
      .filter((slot) => slot.changed && (slot.endpoints.length > 0 || slot === placeholder))
      .map(({ slice, endpoints }) => ({ ...slice, endpoints })),
    remove: empty.filter((slot) => slot !== placeholder).map(({ slice }) => slice),
  };
}

interface Slot {
  readonly slice: Slice;
  readonly endpoints: Endpoint[];
  changed: boolean;
}

/** Takes what it keeps out of `missing`. */
function keepWanted(slice: Slice, missing: Map<string, Endpoint>): Slot {
  const endpoints: Endpoint[] = [];
  let changed = false;
  for (const old of slice.endpoints ?? []) {
    const key = endpointKey(old);
    const wanted = missing.get(key);
    changed ||= wanted === undefined || !deepEqual(wanted, old);
    if (wanted === undefined) continue;
    missing.delete(key);
    endpoints.push(wanted);
  }
  return { slice, endpoints, changed };
}
