/**
 * Cluster addresses and node ports of Services.
 *
 * What is given out is written in the same transaction as the Service: an IPAddress object per address, a key per node
 * port, each on the condition that it is not there yet. So two API servers can try the same address at the same time
 * and one of them is refused and tries again, and no address outlives its Service.
 */
import { type coreV1, validateServiceAddresses } from '#api';
import { type FieldError, internalError, invalid, invalidObject, type KubeObject } from '#machinery';
import { type Clock, formatTime, type Random } from '#platform';
import type { Write } from '#store';
import { typed } from '../../typed-object.ts';
import { encodeForStore } from '../../watch-cache/cache-entry.ts';
import { type CacheHub, REGISTRY_PREFIX } from '../../watch-cache/cache-hub.ts';
import { ResourceCache } from '../../watch-cache/resource-cache.ts';
import { metadataFields } from '../../watch-cache/selection.ts';
import type { WriteCompanion } from '../object-writer.ts';
import type { Rider } from '../store-commit.ts';
import type { StoredResource } from '../stored-resource.ts';
import type { AddressRange } from './address-range.ts';
import { keepAllocated, needsAddress, needsHealthPort, needsNodePorts } from './service-needs.ts';

/** Beside the resources, in a group that no kind has. */
const NODE_PORTS_PREFIX = `${REGISTRY_PREFIX}ranges/servicenodeports/`;
const SERVICE = { group: '', kind: 'Service' };

export interface ServiceAllocatorOptions {
  readonly hub: CacheHub;
  readonly clock: Clock;
  readonly random: Random;
  /** `networking.k8s.io` ipaddresses. */
  readonly addresses: StoredResource;
  readonly range: AddressRange;
  readonly nodePorts: { readonly first: number; readonly last: number };
}

type Service = coreV1.Service;

export class ServiceAllocator implements WriteCompanion {
  readonly #options: ServiceAllocatorOptions;
  readonly #ports: ResourceCache;

  constructor(options: ServiceAllocatorOptions) {
    this.#options = options;
    this.#ports = new ResourceCache({
      hub: options.hub,
      prefix: NODE_PORTS_PREFIX,
      fieldsOf: metadataFields,
    });
  }

  load(): Promise<void> {
    return this.#ports.load();
  }

  async prepare(
    next: KubeObject,
    old: KubeObject | undefined,
  ): Promise<{ readonly object: KubeObject; readonly rider: Rider }> {
    await this.load();
    const before = old === undefined ? undefined : typed<Service>(old);
    const kept = keepAllocated(typed<Service>(next), before);
    const wrong = validateServiceAddresses(kept, before);
    if (wrong.length > 0) throw invalidObject(SERVICE, kept.metadata.name ?? '', wrong);
    const addressed = this.#withAddress(withFamilies(kept, before), before);
    const service = this.#withPorts(addressed, before);
    const object: KubeObject = {
      ...next,
      spec: service.spec,
      ...(service.status === undefined ? {} : { status: service.status }),
    };
    return { object, rider: this.#rider(object, service, before) };
  }

  release(old: KubeObject): Rider {
    const service = typed<Service>(old);
    const writes = [
      ...addressesOf(service).map((address) => this.#addressKey(address)),
      ...nodePortsOf(service).map((port) => `${NODE_PORTS_PREFIX}${port}`),
    ].map((key): Write => ({ type: 'delete', key }));
    return { writes };
  }

  #withAddress(service: Service, before: Service | undefined): Service {
    if (!needsAddress(service)) return service;
    const { clusterIP = '' } = service.spec;
    if (clusterIP === '') {
      const address = this.#options.range.pick(this.#options.random, (ip) => this.#isTaken(ip));
      if (address === undefined)
        throw internalError(new Error('failed to allocate a serviceIP: range is full'));
      return { ...service, spec: { ...service.spec, clusterIP: address, clusterIPs: [address] } };
    }
    // Kept; or changed, which validation refuses in words of its own.
    if (before !== undefined && needsAddress(before) && addressesOf(before).length > 0) return service;
    const why = this.#options.range.contains(clusterIP)
      ? this.#isTaken(clusterIP)
        ? 'provided IP is already allocated'
        : undefined
      : 'the provided network does not match the current range';
    if (why !== undefined) {
      const text = `failed to allocate IP ${clusterIP}: ${why}`;
      refuse(service, invalid('spec.clusterIPs', service.spec.clusterIPs ?? [clusterIP], text));
    }
    return service;
  }

  #withPorts(service: Service, before: Service | undefined): Service {
    if (!needsNodePorts(service)) return service;
    const mine = new Set(before === undefined ? [] : nodePortsOf(before));
    const chosen = new Map<number, Set<string>>();
    const ports = (service.spec.ports ?? []).map((port, i) => {
      const protocol = port.protocol ?? 'TCP';
      const wanted = port.nodePort ?? 0;
      const shared = (service.spec.ports ?? []).find(
        (other) =>
          other.port === port.port && other.protocol !== port.protocol && (other.nodePort ?? 0) !== 0,
      );
      const nodePort =
        wanted === 0
          ? (this.#sharedPort(chosen, shared?.nodePort, protocol) ?? this.#freePort(mine, chosen))
          : wanted;
      if (wanted !== 0 && !mine.has(wanted) && !chosen.has(wanted))
        this.#checkPort(service, wanted, `spec.ports[${i}].nodePort`);
      const protocols = chosen.get(nodePort) ?? new Set<string>();
      protocols.add(protocol);
      chosen.set(nodePort, protocols);
      return { ...port, nodePort };
    });
    const withPorts = { ...service, spec: { ...service.spec, ports } };
    if (!needsHealthPort(withPorts)) return withPorts;
    const asked = service.spec.healthCheckNodePort ?? 0;
    if (asked !== 0 && !mine.has(asked)) this.#checkPort(service, asked, 'spec.healthCheckNodePort');
    const healthCheckNodePort = asked === 0 ? this.#freePort(mine, chosen) : asked;
    return { ...withPorts, spec: { ...withPorts.spec, healthCheckNodePort } };
  }

  /** TCP and UDP of one port get one node port. */
  #sharedPort(
    chosen: ReadonlyMap<number, ReadonlySet<string>>,
    port: number | undefined,
    protocol: string,
  ): number | undefined {
    if (port === undefined || chosen.get(port)?.has(protocol) === true) return undefined;
    return port;
  }

  #checkPort(service: Service, port: number, field: string): void {
    const { first, last } = this.#options.nodePorts;
    if (port < first || port > last) {
      const why = `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
      refuse(service, invalid(field, port, why));
    }
    if (this.#ports.get(String(port)) !== undefined)
      refuse(service, invalid(field, port, 'provided port is already allocated'));
  }

  #freePort(mine: ReadonlySet<number>, chosen: ReadonlyMap<number, unknown>): number {
    const { first, last } = this.#options.nodePorts;
    const count = last - first + 1;
    // As with addresses, a lower band is left to those who choose.
    const reserved = count < 16 ? 0 : Math.min(Math.max(16, Math.floor(count / 32)), 128);
    const start = reserved + Math.floor(this.#options.random.next() * (count - reserved));
    for (let i = 0; i < count; i++) {
      const port = first + ((start + i) % count);
      if (!mine.has(port) && !chosen.has(port) && this.#ports.get(String(port)) === undefined) return port;
    }
    throw internalError(new Error('failed to allocate a nodePort: range is full'));
  }

  #isTaken(address: string): boolean {
    return this.#options.addresses.cache.get(address) !== undefined;
  }

  #addressKey(address: string): string {
    return `${this.#options.addresses.cache.prefix}${address}`;
  }

  #rider(object: KubeObject, service: Service, before: Service | undefined): Rider {
    const oldAddresses = before === undefined ? [] : addressesOf(before);
    const addresses = addressesOf(service);
    const oldPorts = before === undefined ? [] : nodePortsOf(before);
    const ports = nodePortsOf(service);
    const taken = [
      ...addresses
        .filter((address) => !oldAddresses.includes(address))
        .map((address) => ({ key: this.#addressKey(address), value: this.#addressObject(address, object) })),
      ...ports
        .filter((port) => !oldPorts.includes(port))
        .map((port) => ({ key: `${NODE_PORTS_PREFIX}${port}`, value: portRecord(port, object) })),
    ];
    const freed = [
      ...oldAddresses
        .filter((address) => !addresses.includes(address))
        .map((address) => this.#addressKey(address)),
      ...oldPorts.filter((port) => !ports.includes(port)).map((port) => `${NODE_PORTS_PREFIX}${port}`),
    ];
    return {
      compare: taken.map(({ key }) => ({ key, modRevision: 0 })),
      writes: [
        ...taken.map(({ key, value }): Write => ({ type: 'put', key, value })),
        ...freed.map((key): Write => ({ type: 'delete', key })),
      ],
    };
  }

  #addressObject(address: string, service: KubeObject): Buffer {
    const { name = '', namespace = '' } = service.metadata;
    return encodeForStore({
      kind: 'IPAddress',
      apiVersion: 'networking.k8s.io/v1',
      metadata: {
        name: address,
        uid: this.#options.random.uuid(),
        creationTimestamp: formatTime(this.#options.clock.now()),
        labels: {
          'ipaddress.kubernetes.io/ip-family': 'IPv4',
          'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
        },
      },
      spec: { parentRef: { resource: 'services', namespace, name } },
    }).stored;
  }
}

function portRecord(port: number, service: KubeObject): Buffer {
  const { name = '', namespace = '' } = service.metadata;
  return encodeForStore({
    kind: 'NodePort',
    apiVersion: 'ranges/v1',
    metadata: { name: String(port) },
    service: `${namespace}/${name}`,
  }).stored;
}

function addressesOf(service: Service): readonly string[] {
  if (!needsAddress(service)) return [];
  const { clusterIP = '' } = service.spec;
  return clusterIP === '' ? [] : [clusterIP];
}

function nodePortsOf(service: Service): readonly number[] {
  const ports = (service.spec.ports ?? []).map(({ nodePort = 0 }) => nodePort);
  return [...new Set([...ports, service.spec.healthCheckNodePort ?? 0])].filter((port) => port !== 0);
}

/** `ipFamilies` and `ipFamilyPolicy` of a cluster that has IPv4 only. */
function withFamilies(service: Service, before: Service | undefined): Service {
  const { spec } = service;
  if (spec.type === 'ExternalName') return service;
  const isSelectorless = Object.keys(spec.selector ?? {}).length === 0;
  const isHeadlessAlone = spec.clusterIP === 'None' && isSelectorless;
  const ipFamilyPolicy =
    spec.ipFamilyPolicy ??
    before?.spec.ipFamilyPolicy ??
    (isHeadlessAlone ? 'RequireDualStack' : 'SingleStack');
  const given = (spec.ipFamilies?.length ?? 0) > 0 ? spec.ipFamilies : undefined;
  if (isHeadlessAlone) {
    const families = given ?? ['IPv4'];
    const other = families[0] === 'IPv4' ? 'IPv6' : 'IPv4';
    const both = families.length < 2 && ipFamilyPolicy !== 'SingleStack' ? [...families, other] : families;
    return { ...service, spec: { ...spec, ipFamilyPolicy, ipFamilies: both } };
  }
  if (ipFamilyPolicy === 'RequireDualStack') {
    refuse(
      service,
      invalid(
        'spec.ipFamilyPolicy',
        ipFamilyPolicy,
        'this cluster is not configured for dual-stack services',
      ),
    );
  }
  const foreign = (given ?? []).findIndex((family) => family !== 'IPv4');
  if (foreign >= 0) {
    refuse(
      service,
      invalid(`spec.ipFamilies[${foreign}]`, given?.[foreign], 'not configured on this cluster'),
    );
  }
  return { ...service, spec: { ...spec, ipFamilyPolicy, ipFamilies: given ?? ['IPv4'] } };
}

function refuse(service: Service, error: FieldError): never {
  throw invalidObject(SERVICE, service.metadata.name ?? '', [error]);
}
