/**
 * The cluster's keys and certificates.
 *
 * Made once, when the cluster is made, and kept as PEM files that only the owner may read; a start afterwards only
 * reads them. Names follow kubeadm's layout (https://kubernetes.io/docs/setup/best-practices/certificates/), so
 * that tools find what they expect.
 */
import { generateKeyPairSync } from 'node:crypto';
import type { Files } from '#platform';
import type { AuthorityOptions } from './certificate-authority.ts';

export interface KeyAndCertificate {
  readonly certPem: string;
  readonly keyPem: string;
}

/** Everything a cluster's processes need to prove who they are. */
export interface ClusterPki {
  readonly caPem: string;
  readonly caKeyPem: string;
  readonly frontProxyCaPem: string;
  readonly frontProxyClient: KeyAndCertificate;
  readonly apiserver: KeyAndCertificate;
  readonly apiserverKubeletClient: KeyAndCertificate;
  readonly admin: KeyAndCertificate;
  readonly serviceAccountKeyPem: string;
  readonly serviceAccountPublicPem: string;
}

export interface PkiRequest {
  /** Names and addresses under which the API server is reached. */
  readonly serverDnsNames: readonly string[];
  readonly serverIps: readonly string[];
}

const PAIRS = {
  apiserver: 'apiserver',
  apiserverKubeletClient: 'apiserver-kubelet-client',
  frontProxyClient: 'front-proxy-client',
  admin: 'admin',
} as const;

export async function createPki(request: PkiRequest, options: AuthorityOptions): Promise<ClusterPki> {
  const { CertificateAuthority } = await import('./certificate-authority.ts');
  const ca = await CertificateAuthority.create('kubernetes', options);
  const frontProxyCa = await CertificateAuthority.create('front-proxy-ca', options);
  const serviceAccount = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return {
    caPem: ca.certPem,
    caKeyPem: ca.keyPem,
    frontProxyCaPem: frontProxyCa.certPem,
    frontProxyClient: await frontProxyCa.issue({ commonName: 'front-proxy-client', usages: ['client'] }),
    apiserver: await ca.issue({
      commonName: 'kube-apiserver',
      usages: ['server'],
      dnsNames: request.serverDnsNames,
      ips: request.serverIps,
    }),
    apiserverKubeletClient: await ca.issue({
      commonName: 'kube-apiserver-kubelet-client',
      organizations: ['system:masters'],
      usages: ['client'],
    }),
    admin: await ca.issue({
      commonName: 'kubernetes-admin',
      organizations: ['system:masters'],
      usages: ['client'],
    }),
    serviceAccountKeyPem: serviceAccount.privateKey,
    serviceAccountPublicPem: serviceAccount.publicKey,
  };
}

/** Reads the folder's PKI, or makes it and writes it there. A folder that holds only part of one is an error. */
export async function loadOrCreatePki(
  folder: string,
  request: PkiRequest,
  options: AuthorityOptions & { readonly files: Files },
): Promise<ClusterPki> {
  const { files } = options;
  if ((await files.stat(`${folder}/sa.pub`)) !== undefined) return readPki(folder, files);
  const pki = await createPki(request, options);
  await files.mkdir(folder, { recursive: true, mode: 0o700 });
  const write = (name: string, text: string): Promise<void> => writePem(folder, name, text, files);
  await write('ca.crt', pki.caPem);
  await write('ca.key', pki.caKeyPem);
  await write('front-proxy-ca.crt', pki.frontProxyCaPem);
  for (const [field, name] of Object.entries(PAIRS) as [keyof typeof PAIRS, string][]) {
    await writePair(folder, name, pki[field], files);
  }
  await write('sa.key', pki.serviceAccountKeyPem);
  // Last: its presence says that the folder is complete.
  await write('sa.pub', pki.serviceAccountPublicPem);
  return pki;
}

export async function readPki(folder: string, files: Files): Promise<ClusterPki> {
  const read = async (name: string): Promise<string> =>
    (await files.readFile(`${folder}/${name}`)).toString();
  const pair = (name: string): Promise<KeyAndCertificate> => readPair(folder, name, files);
  return {
    caPem: await read('ca.crt'),
    caKeyPem: await read('ca.key'),
    frontProxyCaPem: await read('front-proxy-ca.crt'),
    frontProxyClient: await pair(PAIRS.frontProxyClient),
    apiserver: await pair(PAIRS.apiserver),
    apiserverKubeletClient: await pair(PAIRS.apiserverKubeletClient),
    admin: await pair(PAIRS.admin),
    serviceAccountKeyPem: await read('sa.key'),
    serviceAccountPublicPem: await read('sa.pub'),
  };
}

/** Keys are for the owner alone. */
function writePem(folder: string, name: string, text: string, files: Files): Promise<void> {
  return files.replaceFile(`${folder}/${name}`, text, { mode: name.endsWith('.key') ? 0o600 : 0o644 });
}

/** `<name>.crt` and, last, `<name>.key`. */
export async function writePair(
  folder: string,
  name: string,
  pair: KeyAndCertificate,
  files: Files,
): Promise<void> {
  await writePem(folder, `${name}.crt`, pair.certPem, files);
  await writePem(folder, `${name}.key`, pair.keyPem, files);
}

export async function readPair(folder: string, name: string, files: Files): Promise<KeyAndCertificate> {
  return {
    certPem: (await files.readFile(`${folder}/${name}.crt`)).toString(),
    keyPem: (await files.readFile(`${folder}/${name}.key`)).toString(),
  };
}
