/** Writes a PKI as files, under the names that both k8ts and upstream's flags are given. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClusterPki } from '#launcher';

export function writePkiFolder(folder: string, pki: ClusterPki): void {
  mkdirSync(folder, { recursive: true });
  const files: Readonly<Record<string, string>> = {
    'ca.crt': pki.caPem,
    'ca.key': pki.caKeyPem,
    'front-proxy-ca.crt': pki.frontProxyCaPem,
    'apiserver.crt': pki.apiserver.certPem,
    'apiserver.key': pki.apiserver.keyPem,
    'apiserver-kubelet-client.crt': pki.apiserverKubeletClient.certPem,
    'apiserver-kubelet-client.key': pki.apiserverKubeletClient.keyPem,
    'front-proxy-client.crt': pki.frontProxyClient.certPem,
    'front-proxy-client.key': pki.frontProxyClient.keyPem,
    'admin.crt': pki.admin.certPem,
    'admin.key': pki.admin.keyPem,
    'sa.key': pki.serviceAccountKeyPem,
    'sa.pub': pki.serviceAccountPublicPem,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 });
}
