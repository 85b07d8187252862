import 'reflect-metadata';
import assert from 'node:assert/strict';
import { createHash, webcrypto } from 'node:crypto';
import { test } from 'node:test';
import * as x509 from '@peculiar/x509';
import { VirtualClock } from '#testing';
import { AnonymousAuthenticator } from './anonymous.ts';
import { AuthenticatorChain, TokenAuthenticatorChain } from './authenticator-chain.ts';
import { BootstrapTokenAuthenticator } from './bootstrap-token.ts';
import { ClientCertificateAuthenticator } from './client-certificate.ts';
import { ObjectTable } from '../object-table.fixture.ts';
import { RequestHeaderAuthenticator } from './request-header.ts';
import { InvalidTokenError, type TokenAuthenticator } from './token-authenticator.ts';

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const generate = () => webcrypto.subtle.generateKey(EC, true, ['sign', 'verify']);
const validity = {
  notBefore: new Date('2026-01-01T00:00:00Z'),
  notAfter: new Date('2026-01-01T01:00:00Z'),
};

async function authority(name: string) {
  const keys = await generate();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: EC,
    ...validity,
    extensions: [new x509.BasicConstraintsExtension(true)],
  });
  const issue = async (subject: string): Promise<Uint8Array> => {
    const { publicKey } = await generate();
    const issued = await x509.X509CertificateGenerator.create({
      subject,
      issuer: certificate.subject,
      publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: EC,
      ...validity,
    });
    return new Uint8Array(issued.rawData);
  };
  return { pem: certificate.toString('pem'), issue };
}

const headers = {};

test('a client certificate names the user and its groups', async () => {
  const { issue } = await authority('ca');
  const der = await issue('O=system:masters, O=dev, CN=jane');
  const authenticator = new ClientCertificateAuthenticator({ clock: new VirtualClock() });
  const user = await authenticator.authenticate({ clientCertificate: der, headers });
  assert.deepEqual(user, {
    name: 'jane',
    groups: ['system:masters', 'dev'],
    extra: {
      'authentication.kubernetes.io/credential-id': [
        `X509SHA256=${createHash('sha256').update(der).digest('hex')}`,
      ],
    },
  });
});

test('a certificate without a common name names nobody', async () => {
  const der = await (await authority('ca')).issue('O=dev');
  const authenticator = new ClientCertificateAuthenticator({ clock: new VirtualClock() });
  assert.equal(await authenticator.authenticate({ clientCertificate: der, headers }), undefined);
});

test('a connection that outlives its certificate is no longer believed', async () => {
  const der = await (await authority('ca')).issue('CN=jane');
  const clock = new VirtualClock();
  const authenticator = new ClientCertificateAuthenticator({ clock });
  assert.ok(await authenticator.authenticate({ clientCertificate: der, headers }));
  await clock.advance(3_601_000);
  await assert.rejects(authenticator.authenticate({ clientCertificate: der, headers }), { code: 401 });
});

test('a certificate of the front proxy’s authority names no user, and speaks for others if it may', async () => {
  const [users, proxies] = [await authority('users'), await authority('proxies')];
  const clock = new VirtualClock();
  const certificates = new ClientCertificateAuthenticator({ clock, authoritiesPem: users.pem });
  const proxy = new RequestHeaderAuthenticator({ clock, caPem: proxies.pem, allowedNames: ['front'] });
  const front = await proxies.issue('CN=front');
  const asJane = {
    'x-remote-user': 'jane',
    'x-remote-uid': '42',
    'x-remote-group': 'dev, ops',
    'x-remote-extra-scopes%2fall': 'a',
  };
  assert.equal(await certificates.authenticate({ clientCertificate: front, headers }), undefined);
  assert.deepEqual(await proxy.authenticate({ clientCertificate: front, headers: asJane }), {
    name: 'jane',
    uid: '42',
    groups: ['dev', 'ops'],
    extra: { 'scopes/all': ['a'] },
  });
  assert.equal(await proxy.authenticate({ clientCertificate: front, headers }), undefined);
  const other = await proxies.issue('CN=other');
  assert.equal(await proxy.authenticate({ clientCertificate: other, headers: asJane }), undefined);
  const user = await users.issue('CN=front');
  assert.equal(await proxy.authenticate({ clientCertificate: user, headers: asJane }), undefined);
  assert.equal(await proxy.authenticate({ headers: asJane }), undefined);
});

const token = (answer: 'good' | 'bad' | 'unknown'): TokenAuthenticator => ({
  authenticateToken() {
    if (answer === 'bad') throw new InvalidTokenError('bad');
    return answer === 'unknown' ? undefined : { user: { name: 'bot', groups: ['bots'] }, audiences: [] };
  },
});
const anonymous = new AnonymousAuthenticator({ paths: ['/healthz', '/version'] });
const chain = (answer: 'good' | 'bad' | 'unknown') =>
  new AuthenticatorChain({
    byConnection: [],
    byToken: new TokenAuthenticatorChain([token(answer)]),
    anonymous,
  });

test('everyone who showed a credential is in system:authenticated', async () => {
  assert.deepEqual(await chain('good').authenticate({ bearerToken: 't', headers }), {
    name: 'bot',
    groups: ['bots', 'system:authenticated'],
  });
});

test('a bad or unknown token is 401, also where nobody needs one', async () => {
  for (const answer of ['bad', 'unknown'] as const) {
    await assert.rejects(chain(answer).authenticate({ bearerToken: 't', headers, path: '/healthz' }), {
      code: 401,
      message: 'Unauthorized',
    });
  }
});

test('without a credential only the public paths are answered, as system:anonymous', async () => {
  const nobody = { name: 'system:anonymous', groups: ['system:unauthenticated'] };
  for (const path of ['/healthz', '/healthz/etcd', '/version']) {
    assert.deepEqual(await chain('good').authenticate({ headers, path }), nobody, path);
  }
  for (const path of ['/api', '/healthzzz', undefined]) {
    assert.equal(await chain('good').authenticate({ headers, path }), undefined, path ?? 'none');
  }
});

test('a bootstrap token is good while its secret says so', async () => {
  const clock = new VirtualClock();
  const table = new ObjectTable();
  const authenticator = new BootstrapTokenAuthenticator({ clock, reader: table, audiences: ['api'] });
  const encode = (data: Record<string, string>) =>
    Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
    );
  const good = {
    'token-id': 'abcdef',
    'token-secret': '0123456789abcdef',
    'usage-bootstrap-authentication': 'true',
    'auth-extra-groups': 'system:bootstrappers:workers',
    expiration: '2026-01-01T00:10:00Z',
  };
  const put = (data: Record<string, string>): void => {
    table.put(
      { group: '', resource: 'secrets' },
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'bootstrap-token-abcdef', namespace: 'kube-system' },
        type: 'bootstrap.kubernetes.io/token',
        data: encode(data),
      },
    );
  };
  const ask = (text = 'abcdef.0123456789abcdef') => authenticator.authenticateToken(text);
  assert.equal(ask(), undefined);
  put(good);
  assert.deepEqual(ask()?.user, {
    name: 'system:bootstrap:abcdef',
    groups: ['system:bootstrappers', 'system:bootstrappers:workers'],
  });
  assert.equal(ask('abcdef.0123456789abcdee'), undefined);
  put({ ...good, 'auth-extra-groups': 'system:masters' });
  assert.equal(ask(), undefined);
  put({ ...good, 'usage-bootstrap-authentication': 'false' });
  assert.equal(ask(), undefined);
  put(good);
  await clock.advance(600_000);
  assert.equal(ask(), undefined);
});
