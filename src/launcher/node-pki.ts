/** What one node's processes need to prove who they are: made with the cluster, beside its other keys. */
import { nodeFiles, systemClock, systemRandom } from '#platform/node';
import type { ClusterConfig } from './cluster-config.ts';
import { type ClusterPki, type KeyAndCertificate, readPair, writePair } from './pki.ts';

/** The user behind the network parts of a node: service proxy and DNS. */
export const NODE_NETWORK_USER = 'system:k8ts:node-network';

export interface NodePki {
  readonly caPem: string;
  readonly kubeletClient: KeyAndCertificate;
  readonly kubeletServer: KeyAndCertificate;
  readonly networkClient: KeyAndCertificate;
}

const NAMES = {
  kubeletClient: 'kubelet-client',
  kubeletServer: 'kubelet-server',
  networkClient: 'node-network-client',
} as const;

export async function ensureNodePki(folder: string, pki: ClusterPki, config: ClusterConfig): Promise<void> {
  const last = `${folder}/${NAMES.networkClient}.key`;
  if ((await nodeFiles.stat(last)) !== undefined) return;
  const [nodeName = config.name] = config.nodes;
  const { CertificateAuthority } = await import('./certificate-authority.ts');
  const ca = await CertificateAuthority.load(
    { certPem: pki.caPem, keyPem: pki.caKeyPem },
    { clock: systemClock, random: systemRandom },
  );
  const node = { commonName: `system:node:${nodeName}`, organizations: ['system:nodes'] };
  await writePair(folder, NAMES.kubeletClient, await ca.issue({ ...node, usages: ['client'] }), nodeFiles);
  await writePair(
    folder,
    NAMES.kubeletServer,
    await ca.issue({ ...node, usages: ['server'], dnsNames: [nodeName], ips: [config.nodeIp, '127.0.0.1'] }),
    nodeFiles,
  );
  await writePair(
    folder,
    NAMES.networkClient,
    await ca.issue({ commonName: NODE_NETWORK_USER, usages: ['client'] }),
    nodeFiles,
  );
}

export async function readNodePki(folder: string): Promise<NodePki> {
  return {
    caPem: (await nodeFiles.readFile(`${folder}/ca.crt`)).toString(),
    kubeletClient: await readPair(folder, NAMES.kubeletClient, nodeFiles),
    kubeletServer: await readPair(folder, NAMES.kubeletServer, nodeFiles),
    networkClient: await readPair(folder, NAMES.networkClient, nodeFiles),
  };
}
