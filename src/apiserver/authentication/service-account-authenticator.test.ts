import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { seededRandom, VirtualClock } from '#testing';
import { ObjectTable } from '../object-table.fixture.ts';
import { ServiceAccountAuthenticator } from './service-account-authenticator.ts';
import { ServiceAccountTokenIssuer, type TokenSubject } from './token-issuer.ts';
import { signingKey, verificationKey } from './token-keys.ts';

const ISSUER = 'https://kubernetes.default.svc';
const SERVICE_ACCOUNTS = { group: '', resource: 'serviceaccounts' };
const pem = (options: { curve?: string } = {}): string => {
  const { privateKey } =
    options.curve === undefined
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: options.curve });
  return privateKey.export({ type: 'pkcs8', format: 'pem' });
};
const EC_KEY = pem({ curve: 'prime256v1' });

function world(keyPem = EC_KEY, keys = [keyPem]) {
  const clock = new VirtualClock();
  const table = new ObjectTable();
  const issuer = new ServiceAccountTokenIssuer({
    clock,
    random: seededRandom(1),
    issuer: ISSUER,
    signingKey: signingKey(keyPem),
    verificationKeys: keys.map(verificationKey),
    externalAddress: '127.0.0.1:6443',
  });
  const authenticator = new ServiceAccountAuthenticator({
    clock,
    reader: table,
    issuers: [ISSUER],
    audiences: [ISSUER],
    keys: keys.map(verificationKey),
  });
  const put = (resource: string, name: string, metadata: object = {}): void => {
    const namespace = resource === 'nodes' ? {} : { namespace: 'default' };
    table.put(
      { group: '', resource },
      { apiVersion: 'v1', kind: 'Any', metadata: { name, uid: `${name}-uid`, ...namespace, ...metadata } },
    );
  };
  put('serviceaccounts', 'ci');
  const issue = (binding: Partial<TokenSubject> = {}, audiences = [ISSUER]): Promise<string> =>
    issuer.issue(
      { namespace: 'default', name: 'ci', uid: 'ci-uid', ...binding },
      { audiences, expirationSeconds: 3600 },
    );
  return { clock, table, issuer, authenticator, put, issue };
}

test('a token proves the service account it was made for', async () => {
  const { authenticator, issue } = world();
  assert.deepEqual(authenticator.authenticateToken(await issue()), {
    user: {
      name: 'system:serviceaccount:default:ci',
      uid: 'ci-uid',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:default'],
      extra: {
        'authentication.kubernetes.io/credential-id': ['JTI=' + seededRandom(1).uuid()],
      },
    },
    audiences: [ISSUER],
  });
});

for (const [name, options] of Object.entries({
  RS256: {},
  ES256: { curve: 'prime256v1' },
  ES384: { curve: 'secp384r1' },
  ES512: { curve: 'secp521r1' },
})) {
  test(`tokens signed with ${name} are verified, and the header names algorithm and key`, async () => {
    const { authenticator, issue, issuer } = world(pem(options));
    const token = await issue();
    assert.equal(authenticator.authenticateToken(token)?.user.uid, 'ci-uid');
    const [header = ''] = token.split('.');
    const { alg, kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<string, string>;
    assert.equal(alg, name);
    const published = JSON.parse(issuer.jsonWebKeySet().body) as { keys: { kid: string; alg: string }[] };
    assert.deepEqual(
      published.keys.map((key) => [key.kid, key.alg]),
      [[kid, name]],
    );
  });
}

test('a token ends a minute after its time, and starts a minute before, for clocks that differ', async () => {
  const { authenticator, issue, clock } = world();
  const token = await issue();
  await clock.advance((3600 + 60) * 1000);
  assert.ok(authenticator.authenticateToken(token));
  await clock.advance(1000);
  assert.throws(() => authenticator.authenticateToken(token), {
    message: 'service account token has expired',
  });
  const early = world(EC_KEY);
  assert.ok(early.authenticator.authenticateToken(token));
});

test('a token from the future is not valid yet', async () => {
  const late = world();
  await late.clock.advance(61_000);
  const token = await late.issue();
  assert.throws(() => world().authenticator.authenticateToken(token), {
    message: 'service account token is not valid yet',
  });
});

test('a token ends with its service account, and with a new one of the same name', async () => {
  const { authenticator, issue, table, put } = world();
  const token = await issue();
  assert.ok(authenticator.authenticateToken(token));
  table.delete(SERVICE_ACCOUNTS, 'default', 'ci');
  assert.throws(() => authenticator.authenticateToken(token), {
    message: 'serviceaccounts "ci" not found',
  });
  put('serviceaccounts', 'ci', { uid: 'other' });
  assert.throws(() => authenticator.authenticateToken(token), {
    message: 'service account UID (other) does not match claim (ci-uid)',
  });
});

test('a bound token ends with its pod, secret or node', async () => {
  const { authenticator, issue, table, put } = world();
  const claim = (name: string) => ({ name, uid: `${name}-uid` });
  for (const [kind, resource] of [
    ['pod', 'pods'],
    ['secret', 'secrets'],
    ['node', 'nodes'],
  ] as const) {
    const token = await issue({ [kind]: claim('bound') });
    const invalidated = { message: 'service account token has been invalidated' };
    assert.throws(() => authenticator.authenticateToken(token), invalidated, kind);
    put(resource, 'bound');
    assert.ok(authenticator.authenticateToken(token), kind);
    table.delete({ group: '', resource }, resource === 'nodes' ? '' : 'default', 'bound');
    assert.throws(() => authenticator.authenticateToken(token), invalidated, kind);
    put(resource, 'bound', { uid: 'other' });
    assert.throws(() => authenticator.authenticateToken(token), {
      message: `${kind} UID (other) does not match service account ${kind} ref claim (bound-uid)`,
    });
  }
});

test('a pod that is being deleted keeps its token for a minute past its deletion time', async () => {
  const { authenticator, issue, put, clock } = world();
  const token = await issue({ pod: { name: 'web', uid: 'web-uid' }, node: { name: 'n1', uid: 'n1-uid' } });
  put('pods', 'web', { deletionTimestamp: '2026-01-01T00:00:30Z' });
  const extra = authenticator.authenticateToken(token)?.user.extra ?? {};
  assert.deepEqual(extra['authentication.kubernetes.io/pod-name'], ['web']);
  assert.deepEqual(extra['authentication.kubernetes.io/node-name'], ['n1']);
  await clock.advance(90_000);
  assert.ok(authenticator.authenticateToken(token));
  await clock.advance(1000);
  assert.throws(() => authenticator.authenticateToken(token), {
    message: 'service account token has been invalidated',
  });
});

test('only tokens for an asked audience are good, and the answer says for which', async () => {
  const { authenticator, issue } = world();
  const token = await issue({}, ['vault', 'https://other']);
  assert.throws(() => authenticator.authenticateToken(token), {
    message: `token audiences ["vault" "https://other"] is invalid for the target audiences ["${ISSUER}"]`,
  });
  assert.deepEqual(authenticator.authenticateToken(token, ['vault', 'x'])?.audiences, ['vault']);
});

test('a changed token, one without signature and one of another key are refused', async () => {
  const { authenticator, issue } = world();
  const token = await issue();
  const [header = '', payload = '', signature = ''] = token.split('.');
  const broken = { message: 'go-jose/go-jose: error in cryptographic primitive' };
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
  const forged = Buffer.from(JSON.stringify({ ...claims, sub: 'x' })).toString('base64url');
  assert.throws(() => authenticator.authenticateToken(`${header}.${forged}.${signature}`), broken);
  assert.throws(() => authenticator.authenticateToken(`${header}.${payload}.`), broken);
  const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
  for (const alg of ['none', 'HS256']) {
    const lie = Buffer.from(JSON.stringify({ alg, kid })).toString('base64url');
    assert.throws(() => authenticator.authenticateToken(`${lie}.${payload}.${signature}`), broken, alg);
  }
  const foreign = await world(pem({ curve: 'prime256v1' })).issue();
  assert.throws(() => authenticator.authenticateToken(foreign), {
    message: 'invalid signature, no keys found',
  });
});

test('what is not a token of this issuer is left to others', async () => {
  const { authenticator } = world();
  const stranger = [{ alg: 'ES256' }, { iss: 'https://example.com' }, {}]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  for (const token of ['garbage', 'a.b', 'a.b.c', 'a.b.c.d', stranger]) {
    assert.equal(authenticator.authenticateToken(token), undefined, token);
  }
});

test('after a rotation tokens of the old key are still good', async () => {
  const old = pem({ curve: 'prime256v1' });
  const token = await world(old).issue();
  assert.ok(world(EC_KEY, [EC_KEY, old]).authenticator.authenticateToken(token));
});

test('the discovery document names issuer, key set and algorithms', () => {
  assert.deepEqual(JSON.parse(world().issuer.openIdConfiguration().body), {
    issuer: ISSUER,
    jwks_uri: 'https://127.0.0.1:6443/openid/v1/jwks',
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  });
});
