/** A pod's resolver configuration, by its dnsPolicy and dnsConfig. */
import type { coreV1 } from '#api';
import type { DnsConfig } from '#cri';
import { isHostNetwork, type Pod, podNamespace } from '../pods/pod-spec.ts';

export interface ClusterDns {
  readonly servers: readonly string[];
  readonly domain: string;
}

/** Limits of resolvers that upstream enforces too. */
const MAX_SERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_CHARS = 2048;
const MAX_DOMAIN_CHARS = 253;
const CLUSTER_OPTIONS = ['ndots:5'];

export interface PodDns {
  readonly config: DnsConfig;
  /** Messages for `DNSConfigForming` events. */
  readonly warnings: readonly string[];
}

export function podDns(pod: Pod, cluster: ClusterDns, host: DnsConfig): PodDns {
  const base = baseConfig(pod, cluster, host);
  const own = pod.spec.dnsConfig;
  const merged =
    own === undefined
      ? base
      : {
          servers: unique([...base.servers, ...(own.nameservers ?? [])]),
          searches: unique([...base.searches, ...(own.searches ?? [])]),
          options: mergeOptions(base.options, own.options ?? []),
        };
  return fitLimits(merged);
}

function baseConfig(pod: Pod, cluster: ClusterDns, host: DnsConfig): DnsConfig {
  const policy = pod.spec.dnsPolicy ?? 'ClusterFirst';
  if (policy === 'None') return { servers: [], searches: [], options: [] };
  const inCluster =
    policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !isHostNetwork(pod));
  if (!inCluster || cluster.servers.length === 0) return host;
  const { domain } = cluster;
  const searches = domain === '' ? [] : [`${podNamespace(pod)}.svc.${domain}`, `svc.${domain}`, domain];
  return {
    servers: cluster.servers,
    searches: unique([...searches, ...host.searches]),
    options: CLUSTER_OPTIONS,
  };
}

function mergeOptions(base: readonly string[], own: readonly coreV1.PodDNSConfigOption[]): readonly string[] {
  const merged = new Map<string, string>();
  for (const option of base) {
    const colon = option.indexOf(':');
    merged.set(colon < 0 ? option : option.slice(0, colon), colon < 0 ? '' : option.slice(colon + 1));
  }
  for (const { name = '', value = '' } of own) merged.set(name, value);
  return Array.from(merged, ([name, value]) => (value === '' ? name : `${name}:${value}`));
}

function fitLimits(config: DnsConfig): PodDns {
  const warnings: string[] = [];
  let { servers } = config;
  if (servers.length > MAX_SERVERS) {
    servers = servers.slice(0, MAX_SERVERS);
    warnings.push(
      `Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ${servers.join(' ')}`,
    );
  }
  let searches = config.searches.slice(0, MAX_SEARCHES).filter((search) => search.length <= MAX_DOMAIN_CHARS);
  while (searches.join(' ').length > MAX_SEARCH_CHARS) searches = searches.slice(0, -1);
  if (searches.length < config.searches.length) {
    warnings.push(
      `Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${searches.join(' ')}`,
    );
  }
  return { config: { servers, searches, options: config.options }, warnings };
}

const unique = (items: readonly string[]): readonly string[] => [...new Set(items)];

/** Reads a resolv.conf: name servers add up, of `search` lines the last one counts, options by name. */
export function parseResolvConf(text: string): DnsConfig {
  const servers: string[] = [];
  let searches: string[] = [];
  const options = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [word, ...rest] = line.trim().split(/\s+/);
    if (word === 'nameserver' && rest[0] !== undefined) servers.push(rest[0]);
    else if (word === 'search')
      searches = rest.filter((name) => name !== '.').map((name) => name.replace(/\.$/, ''));
    else if (word === 'options') for (const option of rest) options.set(option.split(':')[0] ?? '', option);
  }
  return { servers, searches, options: [...options.values()] };
}
