/**
 * From what services mean to nftables: verdict maps that lead in constant time from address, protocol and port to a
 * chain per service port, which picks an endpoint.
 *
 * One port's part is plain data (`PortRules`), so that a change is a comparison of two of them and becomes one small
 * transaction (`transition`).
 */
import { shortHash } from '../names.ts';
import type { ServicePortView, Target } from './service-endpoints.ts';

/** Bit that asks the postrouting chain to masquerade; the same that upstream's proxy uses. */
const MASQUERADE_MARK = '0x4000';

export interface PortRules {
  /** Set name → definition. */
  readonly sets: ReadonlyMap<string, string>;
  /** Chain name → its rules, one a line. */
  readonly chains: ReadonlyMap<string, string>;
  /** `map { key` → verdict. */
  readonly elements: ReadonlyMap<string, string>;
}

export const NO_RULES: PortRules = { sets: new Map(), chains: new Map(), elements: new Map() };

/** Tables, maps and base chains; the same for every cluster but for the pods' addresses. */
export function baseTable(table: string): string {
  return `add table ip ${table}
delete table ip ${table}
table ip ${table} {
  map service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
  map service-nodeports { type inet_proto . inet_service : verdict; }
  map dead-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
  map dead-nodeports { type inet_proto . inet_service : verdict; }
  chain services {
    ip daddr . meta l4proto . th dport vmap @service-ips
    fib daddr type local meta l4proto . th dport vmap @service-nodeports
  }
  chain mark-masquerade { meta mark set meta mark or ${MASQUERADE_MARK}; }
  chain reject-all {
    meta l4proto tcp reject with tcp reset
    reject
  }
  chain drop-all { drop; }
  chain dead {
    ip daddr . meta l4proto . th dport vmap @dead-ips
    fib daddr type local meta l4proto . th dport vmap @dead-nodeports
  }
  chain nat-prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    jump services
  }
  chain nat-output {
    type nat hook output priority -100; policy accept;
    jump services
  }
  chain nat-postrouting {
    type nat hook postrouting priority srcnat - 1; policy accept;
    meta mark & ${MASQUERADE_MARK} == ${MASQUERADE_MARK} masquerade
  }
  chain filter-input {
    type filter hook input priority filter - 10; policy accept;
    ct state new jump dead
  }
  chain filter-forward {
    type filter hook forward priority filter - 10; policy accept;
    ct state new jump dead
  }
  chain filter-output {
    type filter hook output priority filter - 10; policy accept;
    ct state new jump dead
  }
}
`;
}

class Builder {
  readonly sets = new Map<string, string>();
  readonly chains = new Map<string, string>();
  readonly elements = new Map<string, string>();

  element(map: string, key: string, verdict: string): void {
    this.elements.set(`${map} { ${key}`, verdict);
  }
}

/** `{ 0 : goto a, 1 : goto b }` or `{ 0 : 10.0.0.1 . 80 }`. */
const numbered = (values: readonly string[]): string =>
  `{ ${values.map((value, index) => `${index} : ${value}`).join(', ')} }`;

/** A chain that sends to one of the targets, each as likely as the others. */
function addTargets(
  builder: Builder,
  chain: string,
  view: ServicePortView,
  targets: readonly Target[],
): void {
  if (view.affinitySeconds > 0) {
    addAffinity(builder, chain, view, targets);
    return;
  }
  const [only] = targets;
  const destinations = targets.map(({ ip, port }) => `${ip} . ${port}`);
  const rule =
    targets.length === 1 && only !== undefined
      ? `dnat ip to ${only.ip}:${only.port}`
      : `dnat ip to numgen random mod ${targets.length} map ${numbered(destinations)}`;
  builder.chains.set(chain, `meta l4proto ${view.protocol} ${rule}`);
}

/** Remembers by client address which target it got, for as long as it keeps coming. */
function addAffinity(
  builder: Builder,
  chain: string,
  view: ServicePortView,
  targets: readonly Target[],
): void {
  const names = targets.map((target) => `${chain}-${shortHash(`${target.ip}:${target.port}`, 8)}`);
  for (const [index, target] of targets.entries()) {
    const name = names[index] ?? '';
    builder.sets.set(
      name,
      `type ipv4_addr; flags dynamic,timeout; timeout ${view.affinitySeconds}s; size 65535;`,
    );
    builder.chains.set(
      name,
      `update @${name} { ip saddr }\nmeta l4proto ${view.protocol} dnat ip to ${target.ip}:${target.port}`,
    );
  }
  const sticky = names.map((name) => `ip saddr @${name} goto ${name}`);
  const fresh = `numgen random mod ${names.length} vmap ${numbered(names.map((name) => `goto ${name}`))}`;
  builder.chains.set(chain, [...sticky, fresh].join('\n'));
}

export function portRules(view: ServicePortView, clusterCidr: string): PortRules {
  const builder = new Builder();
  const hash = shortHash(view.id, 12);
  const key = (ip: string): string => `${ip} . ${view.protocol} . ${view.port}`;

  const internal = `svc-${hash}`;
  if (view.internal.length > 0) addTargets(builder, internal, view, view.internal);
  for (const ip of view.clusterIps) {
    if (view.internal.length > 0) builder.element('service-ips', key(ip), `goto ${internal}`);
    else builder.element('dead-ips', key(ip), 'goto reject-all');
  }
  if (view.nodePort === 0 && view.externalIps.length === 0) return builder;

  const entry = `ext-${hash}`;
  const nodePortKey = `${view.protocol} . ${view.nodePort}`;
  if (view.external.length > 0) {
    addExternalEntry(builder, entry, hash, view, clusterCidr);
    for (const ip of view.externalIps) builder.element('service-ips', key(ip), `goto ${entry}`);
    if (view.nodePort > 0) builder.element('service-nodeports', nodePortKey, `goto ${entry}`);
  } else {
    // With policy Local the client must try another node, so silence; else nobody serves: say so.
    const verdict = view.keepClientIp ? 'goto drop-all' : 'goto reject-all';
    for (const ip of view.externalIps) builder.element('dead-ips', key(ip), verdict);
    if (view.nodePort > 0) builder.element('dead-nodeports', nodePortKey, verdict);
  }
  return builder;
}

/** From outside the cluster: replies must come back through this node, unless the endpoint is on it anyway. */
function addExternalEntry(
  builder: Builder,
  entry: string,
  hash: string,
  view: ServicePortView,
  clusterCidr: string,
): void {
  if (!view.keepClientIp) {
    if (view.internal === view.external || sameTargets(view.internal, view.external)) {
      builder.chains.set(entry, `jump mark-masquerade\ngoto svc-${hash}`);
      return;
    }
    const all = `all-${hash}`;
    addTargets(builder, all, view, view.external);
    builder.chains.set(entry, `jump mark-masquerade\ngoto ${all}`);
    return;
  }
  const local = `loc-${hash}`;
  addTargets(builder, local, view, view.external);
  // Pods and the node itself may use any endpoint: their address survives anyway.
  const cluster =
    view.internal.length > 0
      ? `ip saddr ${clusterCidr} goto svc-${hash}\nfib saddr type local jump mark-masquerade\nfib saddr type local goto svc-${hash}\n`
      : '';
  builder.chains.set(entry, `${cluster}goto ${local}`);
}

const sameTargets = (a: readonly Target[], b: readonly Target[]): boolean =>
  a.length === b.length && a.every((target, i) => target.ip === b[i]?.ip && target.port === b[i]?.port);

/**
 * The nft commands that lead from one state to another, in an order in which nothing is referred to before it is
 * there or after it is gone. Empty when the two are the same.
 */
export function transition(table: string, from: PortRules, to: PortRules): string {
  const lines: string[] = [];
  const target = `ip ${table}`;
  for (const [key, verdict] of from.elements) {
    if (to.elements.get(key) !== verdict) lines.push(`delete element ${target} ${key} : ${verdict} }`);
  }
  for (const [name, definition] of to.sets) {
    if (from.sets.get(name) !== definition) lines.push(`add set ${target} ${name} { ${definition} }`);
  }
  const changed = [...to.chains].filter(([name, rules]) => from.chains.get(name) !== rules);
  for (const [name] of changed) lines.push(`add chain ${target} ${name}`, `flush chain ${target} ${name}`);
  for (const [name, rules] of changed) {
    for (const rule of rules.split('\n')) lines.push(`add rule ${target} ${name} ${rule}`);
  }
  for (const [key, verdict] of to.elements) {
    if (from.elements.get(key) !== verdict) lines.push(`add element ${target} ${key} : ${verdict} }`);
  }
  const gone = [...from.chains.keys()].filter((name) => !to.chains.has(name));
  for (const name of gone) lines.push(`flush chain ${target} ${name}`);
  for (const name of gone) lines.push(`delete chain ${target} ${name}`);
  for (const name of from.sets.keys()) {
    if (!to.sets.has(name)) lines.push(`delete set ${target} ${name}`);
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** All parts as one. An address and port that two services claim belongs to the first. */
export function mergeRules(parts: Iterable<PortRules>): PortRules {
  const merged = new Builder();
  for (const part of parts) {
    for (const [name, definition] of part.sets) merged.sets.set(name, definition);
    for (const [name, rules] of part.chains) merged.chains.set(name, rules);
    for (const [key, verdict] of part.elements)
      if (!merged.elements.has(key)) merged.elements.set(key, verdict);
  }
  return merged;
}
