/** The `/etc/hosts` that the kubelet writes for a pod. The layout is upstream's; conformance reads it. */
import type { coreV1 } from '#api';

const MANAGED_HEADER = '# Kubernetes-managed hosts file.\n';
const HOST_NETWORK_HEADER = '# Kubernetes-managed hosts file (host network).\n';

const LOOPBACK = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::0\tip6-localnet',
  'fe00::0\tip6-mcastprefix',
  'fe00::1\tip6-allnodes',
  'fe00::2\tip6-allrouters',
];

export function managedHosts(
  podIps: readonly string[],
  name: { readonly hostname: string; readonly domain: string },
  aliases: readonly coreV1.HostAlias[],
): string {
  const { hostname, domain } = name;
  const names = domain === '' ? hostname : `${hostname}.${domain}\t${hostname}`;
  const lines = [...LOOPBACK, ...podIps.map((ip) => `${ip}\t${names}`)];
  return `${MANAGED_HEADER}${lines.join('\n')}\n${aliasEntries(aliases)}`;
}

/** The node's own file with the aliases added. */
export const hostNetworkHosts = (nodeHosts: string, aliases: readonly coreV1.HostAlias[]): string =>
  `${HOST_NETWORK_HEADER}${nodeHosts}${aliasEntries(aliases)}`;

function aliasEntries(aliases: readonly coreV1.HostAlias[]): string {
  if (aliases.length === 0) return '';
  const lines = aliases.map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join('\t')}`);
  return `\n# Entries added by HostAliases.\n${lines.join('\n')}\n`;
}
