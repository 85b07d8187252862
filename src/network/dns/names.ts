/**
 * What names exist in the cluster, kept by informers; a query is a few map look-ups.
 * Names and answers follow https://github.com/kubernetes/dns/blob/master/docs/specification.md (1.1.0).
 */
import type { coreV1, discoveryV1 } from '#api';
import { type Informer, type InformerFactory, objectKey, resources } from '#client';

export interface SrvTarget {
  readonly name: string;
  readonly port: number;
  readonly address: string;
}

/** What a name of the cluster stands for. */
export type NameContent =
  | { readonly type: 'addresses'; readonly addresses: readonly string[] }
  | { readonly type: 'alias'; readonly target: string }
  | { readonly type: 'services'; readonly targets: readonly SrvTarget[] }
  | { readonly type: 'text'; readonly text: string }
  /** The name exists (something is below it) but has no records of its own. */
  | { readonly type: 'empty' };

const SERVICE_LABEL = 'kubernetes.io/service-name';
const BY_SERVICE = 'dns-service';
const BY_ADDRESS = 'dns-address';
const SCHEMA_VERSION = '1.1.0';

const isHeadless = (service: coreV1.Service): boolean => service.spec.clusterIP === 'None';
const isReady = (endpoint: discoveryV1.Endpoint): boolean => endpoint.conditions?.ready !== false;

/** An endpoint's own label below its service: its hostname, or its address with dashes. */
function endpointLabel(endpoint: discoveryV1.Endpoint): string {
  if (endpoint.hostname !== undefined && endpoint.hostname !== '') return endpoint.hostname;
  return (endpoint.addresses[0] ?? '').replaceAll('.', '-');
}

export class ClusterNames {
  readonly #domain: string;
  readonly #services: Informer<coreV1.Service>;
  readonly #slices: Informer<discoveryV1.EndpointSlice>;
  readonly #namespaces: Informer<coreV1.Namespace>;

  constructor(informers: InformerFactory, domain: string) {
    this.#domain = domain;
    this.#services = informers.for(resources.services);
    this.#slices = informers.for(resources.endpointSlices);
    this.#namespaces = informers.for(resources.namespaces);
    this.#services.addIndex(BY_ADDRESS, (service) =>
      (service.spec.clusterIPs ?? []).filter((ip) => ip !== 'None'),
    );
    this.#slices.addIndex(BY_SERVICE, (slice) => {
      const service = slice.metadata.labels?.[SERVICE_LABEL];
      return service === undefined ? [] : [`${slice.metadata.namespace}/${service}`];
    });
    this.#slices.addIndex(BY_ADDRESS, (slice) =>
      (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses),
    );
  }

  async synced(signal: AbortSignal): Promise<void> {
    await Promise.all([
      this.#services.synced({ signal }),
      this.#slices.synced({ signal }),
      this.#namespaces.synced({ signal }),
    ]);
  }

  /** `labels`: the name without the cluster domain, e.g. `['web', 'default', 'svc']`. Undefined: no such name. */
  lookup(labels: readonly string[]): NameContent | undefined {
    if (labels.length === 0) return { type: 'empty' };
    const [kind = ''] = labels.slice(-1);
    if (labels.length === 1 && kind === 'dns-version') return { type: 'text', text: SCHEMA_VERSION };
    const rest = labels.slice(0, -1);
    if (kind === 'svc') return this.#lookupService(rest);
    if (kind === 'pod') return this.#lookupPod(rest);
    return undefined;
  }

  /** Names for an address, for PTR. */
  reverse(address: string): readonly string[] {
    const [service] = this.#services.byIndex(BY_ADDRESS, address);
    if (service !== undefined) return [this.#serviceName(objectKey(service))];
    return this.#slices.byIndex(BY_ADDRESS, address).flatMap((slice) => {
      const key = this.#keyOf(slice);
      const service = key === undefined ? undefined : this.#services.get(key);
      if (key === undefined || service === undefined || !isHeadless(service)) return [];
      return (slice.endpoints ?? [])
        .filter((endpoint) => endpoint.addresses.includes(address))
        .map((endpoint) => `${endpointLabel(endpoint)}.${this.#serviceName(key)}`);
    });
  }

  #lookupPod(labels: readonly string[]): NameContent | undefined {
    const [dashed, namespace] = labels.length === 2 ? labels : [undefined, labels[0]];
    if (namespace === undefined) return { type: 'empty' };
    if (labels.length > 2 || this.#namespaces.get(namespace) === undefined) return undefined;
    if (dashed === undefined) return { type: 'empty' };
    const address = dashed.replaceAll('-', '.');
    return /^(\d{1,3}\.){3}\d{1,3}$/.test(address) ? { type: 'addresses', addresses: [address] } : undefined;
  }

  #lookupService(labels: readonly string[]): NameContent | undefined {
    const [namespace, name, ...below] = labels.toReversed();
    if (namespace === undefined) return { type: 'empty' };
    if (this.#namespaces.get(namespace) === undefined) return undefined;
    if (name === undefined) return { type: 'empty' };
    const key = `${namespace}/${name}`;
    const service = this.#services.get(key);
    if (service === undefined) return undefined;
    if (service.spec.type === 'ExternalName') {
      return below.length === 0 ? { type: 'alias', target: service.spec.externalName ?? '' } : undefined;
    }
    if (below.length === 0) return this.#serviceAddresses(service, key);
    if (below.length === 1 && !below[0]?.startsWith('_')) return this.#endpoint(service, key, below[0] ?? '');
    return this.#servicePorts(service, key, below.toReversed());
  }

  #serviceAddresses(service: coreV1.Service, key: string): NameContent | undefined {
    if (!isHeadless(service)) return { type: 'addresses', addresses: [service.spec.clusterIP ?? ''] };
    const addresses = new Set(this.#endpoints(key).flatMap((endpoint) => endpoint.addresses));
    // A headless service without endpoints has no name, as upstream's DNS answers it.
    return addresses.size === 0 ? undefined : { type: 'addresses', addresses: [...addresses] };
  }

  #endpoint(service: coreV1.Service, key: string, label: string): NameContent | undefined {
    if (!isHeadless(service)) return undefined;
    const addresses = this.#endpoints(key)
      .filter((endpoint) => endpointLabel(endpoint) === label)
      .flatMap((endpoint) => endpoint.addresses);
    return addresses.length === 0 ? undefined : { type: 'addresses', addresses: [...new Set(addresses)] };
  }

  /** `_http._tcp`, or `_tcp` alone (which exists and is empty). */
  #servicePorts(service: coreV1.Service, key: string, labels: readonly string[]): NameContent | undefined {
    const [portLabel, protocolLabel] = labels;
    if (labels.length !== 2 || portLabel === undefined || protocolLabel === undefined) return undefined;
    const portName = portLabel.replace(/^_/, '');
    const protocol = protocolLabel.replace(/^_/, '').toUpperCase();
    const targets = isHeadless(service)
      ? this.#headlessTargets(key, portName, protocol)
      : (service.spec.ports ?? [])
          .filter((port) => (port.name ?? '') === portName && (port.protocol ?? 'TCP') === protocol)
          .map(({ port }) => ({ name: this.#serviceName(key), port, address: service.spec.clusterIP ?? '' }));
    return targets.length === 0 ? undefined : { type: 'services', targets };
  }

  #headlessTargets(key: string, portName: string, protocol: string): readonly SrvTarget[] {
    return this.#slices.byIndex(BY_SERVICE, key).flatMap((slice) => {
      const port = slice.ports?.find(
        (p) => (p.name ?? '') === portName && (p.protocol ?? 'TCP') === protocol,
      )?.port;
      if (port === undefined) return [];
      return (slice.endpoints ?? []).filter(isReady).flatMap((endpoint) =>
        endpoint.addresses.map((address) => ({
          name: `${endpointLabel(endpoint)}.${this.#serviceName(key)}`,
          port,
          address,
        })),
      );
    });
  }

  #endpoints(key: string): readonly discoveryV1.Endpoint[] {
    return this.#slices
      .byIndex(BY_SERVICE, key)
      .filter((slice) => slice.addressType === 'IPv4')
      .flatMap((slice) => (slice.endpoints ?? []).filter(isReady));
  }

  #keyOf(slice: discoveryV1.EndpointSlice): string | undefined {
    const service = slice.metadata.labels?.[SERVICE_LABEL];
    return service === undefined ? undefined : `${slice.metadata.namespace}/${service}`;
  }

  #serviceName(key: string): string {
    const [namespace = '', name = ''] = key.split('/');
    return `${name}.${namespace}.svc.${this.#domain}`;
  }
}
