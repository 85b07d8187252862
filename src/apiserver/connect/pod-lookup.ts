/** From a pod or node by name to where its kubelet listens. Messages are upstream's. */
import type { coreV1 } from '#api';
import { badRequest, notFound, StatusError } from '#machinery';
import type { CacheReader } from '../reader.ts';

export interface KubeletAddress {
  readonly host: string;
  readonly port: number;
}

const PODS = { group: '', resource: 'pods' } as const;
const NODES = { group: '', resource: 'nodes' } as const;
/** In the order in which they are tried. */
const ADDRESS_TYPES = ['InternalIP', 'Hostname', 'InternalDNS', 'ExternalDNS', 'ExternalIP'] as const;

export function findPod(reader: CacheReader, namespace: string, name: string): coreV1.Pod {
  const pod = reader.get<coreV1.Pod>(PODS, namespace, name);
  if (pod === undefined) throw notFound(PODS, name);
  return pod;
}

/** @throws StatusError 404 for an unknown node, 500 when it tells no address or runs no kubelet server. */
export function kubeletOf(reader: CacheReader, nodeName: string): KubeletAddress {
  const node = reader.get<coreV1.Node>(NODES, '', nodeName);
  if (node === undefined) throw notFound(NODES, nodeName);
  const host = ADDRESS_TYPES.flatMap(
    (type) => node.status.addresses?.find((address) => address.type === type)?.address ?? [],
  )[0];
  if (host === undefined) {
    throw new StatusError(
      500,
      'InternalError',
      `Internal error occurred: no preferred addresses found; known addresses: []`,
    );
  }
  const port = node.status.daemonEndpoints?.kubeletEndpoint?.Port ?? 0;
  if (port === 0) {
    throw new StatusError(
      503,
      'ServiceUnavailable',
      `node ${nodeName} is simulated: its containers have no processes, logs or ports`,
    );
  }
  return { host, port };
}

/** The container meant: the one named, or the only one. */
export function chooseContainer(pod: coreV1.Pod, asked: string): string {
  const { containers, initContainers = [], ephemeralContainers = [] } = pod.spec;
  const names = [...initContainers, ...containers, ...ephemeralContainers].map((container) => container.name);
  const podName = pod.metadata.name;
  if (asked !== '') {
    if (!names.includes(asked)) throw badRequest(`container ${asked} is not valid for pod ${podName}`);
    return asked;
  }
  const [only] = containers;
  if (only !== undefined && containers.length === 1) return only.name;
  const choice = names.length === 0 ? '' : `, choose one of: [${names.join(' ')}]`;
  throw badRequest(`a container name must be specified for pod ${podName}${choice}`);
}

/** `name`, `name:port`, `scheme:name:port` or `scheme:name:`. */
export function splitSchemeNamePort(
  id: string,
): { readonly scheme: string; readonly name: string; readonly port: string } | undefined {
  const parts = id.split(':');
  const [a = '', b = '', c = ''] = parts;
  const split =
    parts.length === 1
      ? { scheme: '', name: a, port: '' }
      : parts.length === 2
        ? { scheme: '', name: a, port: b }
        : parts.length === 3
          ? { scheme: a, name: b, port: c }
          : undefined;
  if (split === undefined || split.name === '' || !['', 'http', 'https'].includes(split.scheme))
    return undefined;
  return split;
}
