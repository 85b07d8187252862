import type { Address, Files } from '#platform';

const MAX_SERVERS = 3;
const DNS_PORT = 53;

/** The machine's own name servers, which answer what is not the cluster's. Empty when there is no file. */
export async function upstreamNameServers(
  files: Files,
  path = '/etc/resolv.conf',
): Promise<readonly Address[]> {
  if ((await files.stat(path)) === undefined) return [];
  const text = (await files.readFile(path)).toString();
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)]
    .map((match) => ({ host: match[1] ?? '', port: DNS_PORT }))
    .slice(0, MAX_SERVERS);
}
