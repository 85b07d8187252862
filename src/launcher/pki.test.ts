import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeFiles, systemClock, systemRandom } from '#platform/node';
import { CertificateAuthority } from './certificate-authority.ts';
import { loadOrCreatePki } from './pki.ts';

const options = { clock: systemClock, random: systemRandom, files: nodeFiles };
const request = { serverDnsNames: ['kubernetes.default.svc'], serverIps: ['10.96.0.1', '127.0.0.1'] };

test('the PKI is made once, kept private, and read back the same', async () => {
  const folder = join(mkdtempSync(join(tmpdir(), 'k8ts-pki-')), 'pki');
  const made = await loadOrCreatePki(folder, request, options);
  assert.deepEqual(await loadOrCreatePki(folder, request, options), made);
  assert.equal(statSync(join(folder, 'ca.key')).mode & 0o777, 0o600);
  const server = new X509Certificate(made.apiserver.certPem);
  assert.ok(server.verify(new X509Certificate(made.caPem).publicKey));
  assert.equal(server.checkIP('10.96.0.1'), '10.96.0.1');
  assert.equal(server.checkHost('kubernetes.default.svc'), 'kubernetes.default.svc');
  assert.match(new X509Certificate(made.admin.certPem).subject, /O=system:masters\nCN=kubernetes-admin/);
  rmSync(folder, { recursive: true });
});

test('a loaded authority signs certificates that verify against it', async () => {
  const ca = await CertificateAuthority.create('test', options);
  const loaded = await CertificateAuthority.load(ca, options);
  const leaf = await loaded.issue({
    commonName: 'system:node:a',
    organizations: ['system:nodes'],
    usages: ['client'],
  });
  assert.ok(new X509Certificate(leaf.certPem).verify(new X509Certificate(ca.certPem).publicKey));
});
