/** The subsets of an Endpoints object: addresses that share the same ports, ready ones apart from the others. Pure. */
import type { coreV1 } from '#api';

type Address = coreV1.EndpointAddress;
type Port = coreV1.EndpointPort;
type Subset = coreV1.EndpointSubset;

/** One pod as the Service sees it. */
export interface EndpointEntry {
  readonly address: Address;
  readonly ready: boolean;
  readonly ports: readonly Port[];
}

const portsKey = (ports: readonly Port[]): string =>
  ports
    .map(({ name = '', port, protocol = '', appProtocol = '' }) =>
      [name, port, protocol, appProtocol].join('/'),
    )
    .sort()
    .join(',');

const byAddress = (a: Address, b: Address): number => {
  const [first, second] = [a, b].map(({ ip, targetRef }) => `${ip} ${targetRef?.uid ?? ''}`);
  return first === second ? 0 : (first ?? '') < (second ?? '') ? -1 : 1;
};

export function packSubsets(entries: readonly EndpointEntry[]): readonly Subset[] {
  const groups = new Map<string, { ports: readonly Port[]; ready: Address[]; notReady: Address[] }>();
  for (const { address, ready, ports } of entries) {
    const key = portsKey(ports);
    const group = groups.get(key) ?? { ports, ready: [], notReady: [] };
    (ready ? group.ready : group.notReady).push(address);
    groups.set(key, group);
  }
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { ports, ready, notReady }]) => ({
      ...(ready.length === 0 ? {} : { addresses: ready.sort(byAddress) }),
      ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady.sort(byAddress) }),
      ...(ports.length === 0 ? {} : { ports }),
    }));
}

/** Most addresses of one Endpoints object; what is beyond is only in the slices. */
export const MAX_ADDRESSES = 1000;

const count = (subsets: readonly Subset[], of: 'addresses' | 'notReadyAddresses'): number =>
  subsets.reduce((total, subset) => total + (subset[of]?.length ?? 0), 0);

/** At most MAX_ADDRESSES, ready ones first, shared out over the subsets by their size. */
export function truncateSubsets(subsets: readonly Subset[]): {
  readonly subsets: readonly Subset[];
  readonly truncated: boolean;
} {
  const ready = count(subsets, 'addresses');
  const notReady = count(subsets, 'notReadyAddresses');
  if (ready + notReady <= MAX_ADDRESSES) return { subsets, truncated: false };
  const tooManyReady = ready > MAX_ADDRESSES;
  const of = tooManyReady ? 'addresses' : 'notReadyAddresses';
  const total = tooManyReady ? ready : notReady;
  const room = tooManyReady ? MAX_ADDRESSES : MAX_ADDRESSES - ready;
  let left = room;
  const cut = subsets.map((subset, i): Subset => {
    const mine = subset[of]?.length ?? 0;
    const share = i === subsets.length - 1 ? left : Math.min(left, Math.floor((mine / total) * room));
    left -= Math.min(share, mine);
    const { notReadyAddresses: _, ...rest } = subset;
    const kept = subset[of]?.slice(0, share) ?? [];
    const base = tooManyReady ? rest : subset;
    return kept.length === 0 ? withoutField(base, of) : { ...base, [of]: kept };
  });
  return {
    subsets: cut.filter(
      ({ addresses, notReadyAddresses }) => addresses !== undefined || notReadyAddresses !== undefined,
    ),
    truncated: true,
  };
}

function withoutField(subset: Subset, field: 'addresses' | 'notReadyAddresses'): Subset {
  const { [field]: _, ...rest } = subset;
  return rest;
}
