/** Which EndpointSlices say the same as an Endpoints object that somebody wrote. Pure. */
import type { coreV1, discoveryV1, Draft } from '#api';
import { deepEqual } from '#machinery';
import { portsKey } from '../endpointslice/slice-plan.ts';
import { controllerReference } from '../frame/ownership.ts';

type Endpoints = coreV1.Endpoints;
type Slice = discoveryV1.EndpointSlice;
type Endpoint = discoveryV1.Endpoint;
type Port = discoveryV1.EndpointPort;
type AddressType = 'IPv4' | 'IPv6';

export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
export const SERVICE_NAME = 'kubernetes.io/service-name';
export const MIRRORED_BY = 'endpointslicemirroring-controller.k8s.io';
/** Addresses of one set of ports that are mirrored; further ones are left out. */
export const MAX_PER_SUBSET = 1000;

/** What changes with every write, or is about the object itself. */
const UNMIRRORED_ANNOTATIONS = [
  'endpoints.kubernetes.io/last-change-trigger-time',
  'kubectl.kubernetes.io/last-applied-configuration',
];

export interface MirrorPlan {
  readonly create: readonly Draft<Slice>[];
  readonly update: readonly Slice[];
  readonly remove: readonly Slice[];
  /** Addresses that are none, and those beyond the limit. */
  readonly invalid: number;
  readonly skipped: number;
}

interface Group {
  readonly addressType: AddressType;
  readonly ports: readonly Port[];
  readonly endpoints: Map<string, Endpoint>;
}

export function planMirror(endpoints: Endpoints, existing: readonly Slice[]): MirrorPlan {
  const { groups, invalid, skipped } = groupsOf(endpoints);
  const byKey = Map.groupBy(
    existing,
    (slice) => `${slice.addressType}|${portsKey(slice.ports ?? undefined)}`,
  );
  const plan = { create: [] as Draft<Slice>[], update: [] as Slice[], remove: [] as Slice[] };
  for (const [key, slices] of byKey)
    if ((groups.get(key)?.endpoints.size ?? 0) === 0) plan.remove.push(...slices);
  for (const [key, group] of groups) {
    if (group.endpoints.size === 0) continue;
    const [first, ...rest] = byKey.get(key) ?? [];
    plan.remove.push(...rest);
    if (first === undefined) plan.create.push(newSlice(endpoints, group));
    else if (!isMirrored(endpoints, first, group)) plan.update.push(changedSlice(endpoints, first, group));
  }
  return { ...recycled(endpoints, plan), invalid, skipped };
}

/** A slice that is no longer needed becomes one that is: one write instead of two. */
function recycled(
  endpoints: Endpoints,
  { create, update, remove }: Pick<MirrorPlan, 'create' | 'update' | 'remove'>,
): Pick<MirrorPlan, 'create' | 'update' | 'remove'> {
  const spare = [...remove];
  const created: Draft<Slice>[] = [];
  const updated = [...update];
  for (const draft of create) {
    const at = spare.findIndex(({ addressType }) => addressType === draft.addressType);
    const [slice] = at < 0 ? [] : spare.splice(at, 1);
    if (slice === undefined) created.push(draft);
    else
      updated.push({
        ...slice,
        ...mirrored(endpoints, slice),
        endpoints: draft.endpoints,
        ports: draft.ports,
      });
  }
  return { create: created, update: updated, remove: spare };
}

function groupsOf({ subsets = [] }: Endpoints): {
  readonly groups: ReadonlyMap<string, Group>;
  readonly invalid: number;
  readonly skipped: number;
} {
  const groups = new Map<string, Group>();
  let [invalid, skipped] = [0, 0];
  for (const { addresses = [], notReadyAddresses = [], ports = [] } of subsets) {
    const slicePorts = ports.map(
      ({ name = '', port, protocol = 'TCP', appProtocol }): Port => ({
        name,
        port,
        protocol,
        ...(appProtocol === undefined ? {} : { appProtocol }),
      }),
    );
    let count = 0;
    for (const [address, ready] of [
      ...addresses.map((each) => [each, true] as const),
      ...notReadyAddresses.map((each) => [each, false] as const),
    ]) {
      const ip = canonicalIp(address.ip);
      if (ip === undefined) {
        invalid++;
        continue;
      }
      if (count >= MAX_PER_SUBSET) {
        skipped++;
        continue;
      }
      count++;
      addEndpoint(groups, ip, slicePorts, address, ready);
    }
  }
  return { groups, invalid, skipped };
}

function addEndpoint(
  groups: Map<string, Group>,
  { text, addressType }: Ip,
  ports: readonly Port[],
  { hostname = '', nodeName, targetRef }: coreV1.EndpointAddress,
  ready: boolean,
): void {
  const key = `${addressType}|${portsKey(ports)}`;
  const group = groups.get(key) ?? { addressType, ports, endpoints: new Map<string, Endpoint>() };
  groups.set(key, group);
  if (group.endpoints.has(text)) return;
  group.endpoints.set(text, {
    addresses: [text],
    conditions: { ready },
    ...(hostname === '' ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  });
}

interface Ip {
  readonly text: string;
  readonly addressType: AddressType;
}

const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;

/** As Go prints it: no leading zeros, longest run of zeros left out. */
function canonicalIp(text: string): Ip | undefined {
  if (IPV4.test(text)) {
    const parts = text.split('.').map(Number);
    return parts.every((part) => part < 256) ? { text: parts.join('.'), addressType: 'IPv4' } : undefined;
  }
  const url =
    text.includes(':') && URL.canParse(`http://[${text}]`) ? new URL(`http://[${text}]`) : undefined;
  return url === undefined ? undefined : { text: url.hostname.slice(1, -1), addressType: 'IPv6' };
}

/** Labels, annotations and owner that a mirror has. */
function mirrored(endpoints: Endpoints, slice?: Slice): { readonly metadata: Slice['metadata'] } {
  const { name, namespace, labels, annotations } = endpoints.metadata;
  const kept = Object.entries(annotations ?? {}).filter(([key]) => !UNMIRRORED_ANNOTATIONS.includes(key));
  const { annotations: _, ...metadata } = slice?.metadata ?? {
    name: '',
    uid: '',
    resourceVersion: '',
    creationTimestamp: '',
  };
  return {
    metadata: {
      ...metadata,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { ...labels, [SERVICE_NAME]: name, [MANAGED_BY]: MIRRORED_BY },
      ...(kept.length === 0 ? {} : { annotations: Object.fromEntries(kept) }),
      ownerReferences: [controllerReference({ ...endpoints, apiVersion: 'v1', kind: 'Endpoints' })],
    },
  };
}

function newSlice(endpoints: Endpoints, group: Group): Draft<Slice> {
  const {
    name: _,
    uid: _uid,
    resourceVersion: _version,
    creationTimestamp: _time,
    ...metadata
  } = mirrored(endpoints).metadata;
  return {
    metadata: { ...metadata, generateName: `${endpoints.metadata.name}-` },
    addressType: group.addressType,
    ports: group.ports,
    endpoints: [...group.endpoints.values()],
  };
}

function changedSlice(endpoints: Endpoints, slice: Slice, group: Group): Slice {
  return { ...slice, ...mirrored(endpoints, slice), endpoints: [...group.endpoints.values()] };
}

function isMirrored(endpoints: Endpoints, slice: Slice, group: Group): boolean {
  const wanted = changedSlice(endpoints, slice, group);
  const byAddress = (list: readonly Endpoint[] | null): ReadonlyMap<string, Endpoint> =>
    new Map((list ?? []).map((endpoint) => [endpoint.addresses.join(), endpoint]));
  const held = byAddress(slice.endpoints);
  return (
    deepEqual(wanted.metadata.labels, slice.metadata.labels) &&
    deepEqual(wanted.metadata.annotations ?? {}, slice.metadata.annotations ?? {}) &&
    wanted.metadata.ownerReferences?.[0]?.uid === slice.metadata.ownerReferences?.[0]?.uid &&
    held.size === group.endpoints.size &&
    [...group.endpoints].every(([address, endpoint]) => deepEqual(held.get(address), endpoint))
  );
}
