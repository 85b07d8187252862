import 'reflect-metadata';
import assert from 'node:assert/strict';
import { X509Certificate, webcrypto } from 'node:crypto';
import { afterEach, before, beforeEach, test } from 'node:test';
import * as x509 from '@peculiar/x509';
import type { certificatesV1 } from '#api';
import { resources } from '#client';
import { type ControllersFixture, startControllersFixture } from '../frame/controllers.fixture.ts';
import {
  certificateApprovingController,
  certificateCleanerController,
  certificateSigningController,
  type SigningAuthority,
} from './index.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;

let authority: SigningAuthority;
let fixture: ControllersFixture;

before(async () => {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: 'CN=test-ca',
      notBefore: new Date(Date.UTC(2025, 0, 1)),
      notAfter: new Date(Date.UTC(2035, 0, 1)),
      signingAlgorithm: ALGORITHM,
      keys,
    },
    webcrypto,
  );
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  authority = {
    certPem: certificate.toString('pem'),
    keyPem: `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`,
  };
});
beforeEach(async () => {
  fixture = await startControllersFixture([
    certificateApprovingController,
    certificateSigningController(authority),
    certificateCleanerController,
  ]);
  // Whether nodes may renew their certificates is for who sets up the cluster to say.
  await fixture.client.resource(resources.clusterRoleBindings).create({
    metadata: { name: 'nodes-renew' },
    roleRef: {
      apiGroup: 'rbac.authorization.k8s.io',
      kind: 'ClusterRole',
      name: 'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient',
    },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'system:nodes' }],
  });
});
afterEach(() => fixture.stop());

async function requestPem(name: string, dnsName?: string): Promise<string> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const names = dnsName === undefined ? [] : [{ type: 'dns' as const, value: dnsName }];
  const request = await x509.Pkcs10CertificateRequestGenerator.create(
    {
      name,
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)],
    },
    webcrypto,
  );
  return request.toString('pem');
}

const requests = () => fixture.client.resource(resources.certificateSigningRequests);
const NODE = 'system:node:n1';

async function ask(
  subject: string,
  spec: Partial<certificatesV1.CertificateSigningRequestSpec>,
  options: { readonly asNode?: boolean; readonly dnsName?: string } = {},
): Promise<void> {
  const client =
    options.asNode === true
      ? fixture.cluster.clientFor({ name: NODE, groups: ['system:nodes', 'system:authenticated'] })
      : fixture.client;
  const pem = await requestPem(subject, options.dnsName);
  await client.resource(resources.certificateSigningRequests).create({
    metadata: { name: 'r' },
    spec: {
      request: Buffer.from(pem).toString('base64'),
      signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
      usages: ['digital signature', 'client auth'],
      ...spec,
    },
  });
  await fixture.settle();
}

/** Signing happens on a thread pool that the clock does not see, so it is awaited by its outcome. */
async function until(
  isDone: (status: certificatesV1.CertificateSigningRequestStatus) => boolean,
): Promise<void> {
  for (let turn = 0; turn < 2000; turn++) {
    if (isDone((await requests().get('r')).status)) return;
    await fixture.clock.settle();
  }
  assert.fail('the request did not get so far');
}
const isIssued = ({ certificate: issued }: certificatesV1.CertificateSigningRequestStatus): boolean =>
  issued !== undefined;

async function approve(): Promise<void> {
  const request = await requests().get('r');
  const conditions = [{ type: 'Approved', status: 'True', reason: 'Test', message: '' }];
  await requests().updateSubresource('r', 'approval', {
    ...request,
    status: { ...request.status, conditions },
  });
}

async function certificate(): Promise<X509Certificate | undefined> {
  const { status } = await requests().get('r');
  return status.certificate === undefined
    ? undefined
    : new X509Certificate(Buffer.from(status.certificate, 'base64'));
}

test("a node's own client certificate is approved and issued", async () => {
  await ask(`O=system:nodes, CN=${NODE}`, {}, { asNode: true });
  await until(isIssued);
  const { status } = await requests().get('r');
  assert.equal(status.conditions?.[0]?.reason, 'AutoApproved');
  assert.equal(
    status.conditions?.[0]?.message,
    'Auto approving self kubelet client certificate after SubjectAccessReview.',
  );
  const issued = await certificate();
  assert.equal(issued?.subject, `O=system:nodes\nCN=${NODE}`);
  assert.equal(issued?.issuer, 'CN=test-ca');
  assert.ok(issued?.verify(new X509Certificate(authority.certPem).publicKey));
  assert.deepEqual(issued?.keyUsage, ['1.3.6.1.5.5.7.3.2']);
});

test('others wait for approval, and are then issued for as long as they ask', async () => {
  await ask('CN=jane', { signerName: 'kubernetes.io/kube-apiserver-client', expirationSeconds: 86_400 });
  assert.equal(await certificate(), undefined);
  await approve();
  await until(isIssued);
  const issued = await certificate();
  const lifeMs = Date.parse(issued?.validTo ?? '') - Date.parse(issued?.validFrom ?? '');
  assert.equal(lifeMs, DAY_MS);
});

test('what its signer does not issue fails, with the reason', async () => {
  const signerName = 'kubernetes.io/kubelet-serving';
  await ask(
    `O=system:nodes, CN=${NODE}`,
    { signerName, usages: ['digital signature', 'client auth'] },
    { dnsName: 'n1' },
  );
  await approve();
  await until(({ conditions = [] }) => conditions.some(({ type }) => type === 'Failed'));
  const { status } = await requests().get('r');
  const failed = status.conditions?.find(({ type }) => type === 'Failed');
  assert.equal(failed?.reason, 'SignerValidationFailure');
  assert.equal(failed?.message, 'usages did not match [digital signature key encipherment server auth]');
});

test('settled requests are removed after an hour, open ones after a day', async () => {
  await ask('CN=jane', { signerName: 'example.com/other' });
  await fixture.clock.advance(23 * 3_600_000);
  assert.equal((await requests().list()).items.length, 1);
  await fixture.clock.advance(3_600_000);
  assert.equal((await requests().list()).items.length, 0);
  await ask(`O=system:nodes, CN=${NODE}`, {}, { asNode: true });
  await until(isIssued);
  await fixture.clock.advance(3_600_000);
  assert.equal((await requests().list()).items.length, 0);
});
