import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import type { KubeObject } from '#machinery';
import { silentLogger } from '#platform';
import { seededRandom, VirtualClock } from '#testing';
import { ObjectTable } from '../object-table.fixture.ts';
import { createSecurity } from '../security.ts';

const ISSUER = 'https://kubernetes.default.svc';
const KEY = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
});
const jane = { name: 'jane', groups: ['dev'] };

class Cluster {
  readonly clock = new VirtualClock();
  readonly table = new ObjectTable();
  readonly security = createSecurity({
    clock: this.clock,
    random: seededRandom(1),
    logger: silentLogger,
    issuer: ISSUER,
    signingKeyPem: KEY,
    externalAddress: '127.0.0.1:6443',
  });

  put(resource: string, name: string, fields: object = {}): void {
    const namespace = resource === 'nodes' ? {} : { namespace: 'default' };
    const metadata = { name, uid: `${name}-uid`, ...namespace };
    this.table.put({ group: '', resource }, { apiVersion: 'v1', kind: 'Any', metadata, ...fields });
  }

  /** `GROUP/resource` and body without kind: kinds do not matter to the answer. */
  ask(path: string, body: object, target: object = {}): Promise<KubeObject> {
    const [group = '', resource = '', subresource] = path.split('/');
    const virtual = this.security
      .virtualResources(this.table)
      .find((one) => one.group === group && one.resource === resource && one.subresource === subresource);
    assert.ok(virtual, path);
    return virtual.create({
      target: { group, version: 'v1', resource, ...target },
      body: { apiVersion: 'v1', kind: 'Review', metadata: {}, ...body },
      user: jane,
      dryRun: false,
      signal: new AbortController().signal,
    });
  }

  grant(): void {
    const rbac = 'rbac.authorization.k8s.io';
    this.table.put(
      { group: rbac, resource: 'clusterroles' },
      {
        apiVersion: `${rbac}/v1`,
        kind: 'ClusterRole',
        metadata: { name: 'reader' },
        rules: [
          { verbs: ['get'], apiGroups: [''], resources: ['pods'] },
          { verbs: ['get'], nonResourceURLs: ['/version'] },
        ],
      },
    );
    this.table.put(
      { group: rbac, resource: 'clusterrolebindings' },
      {
        apiVersion: `${rbac}/v1`,
        kind: 'ClusterRoleBinding',
        metadata: { name: 'b' },
        subjects: [{ kind: 'Group', name: 'dev' }],
        roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'reader' },
      },
    );
  }
}

const SAR = 'authorization.k8s.io/subjectaccessreviews';
const pods = { verb: 'get', resource: 'pods' };
const allowed = {
  allowed: true,
  reason: 'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "reader" to Group "dev"',
};

test('a review says what the authorizer would, for the user it names', async () => {
  const cluster = new Cluster();
  cluster.grant();
  const ask = async (spec: object) => (await cluster.ask(SAR, { spec }))['status'];
  assert.deepEqual(await ask({ user: 'x', groups: ['dev'], resourceAttributes: pods }), allowed);
  assert.deepEqual(await ask({ user: 'x', resourceAttributes: pods }), { allowed: false });
  const path = { path: '/version', verb: 'get' };
  assert.deepEqual(await ask({ user: 'x', groups: ['dev'], nonResourceAttributes: path }), allowed);
});

test('selectors of a review reach the authorizer; what it cannot read is told', async () => {
  const cluster = new Cluster();
  const ask = async (requirements: object[]) => {
    const fieldSelector = { requirements };
    const spec = {
      user: 'system:node:n1',
      groups: ['system:nodes'],
      resourceAttributes: { verb: 'list', resource: 'pods', fieldSelector },
    };
    return (await cluster.ask(SAR, { spec }))['status'];
  };
  const own = { key: 'spec.nodeName', operator: 'In', values: ['n1'] };
  assert.deepEqual(await ask([own]), { allowed: true });
  assert.deepEqual(await ask([own, { key: 'x', operator: 'Gt', values: ['1'] }]), {
    allowed: true,
    evaluationError: 'spec.resourceAttributes.fieldSelector partially ignored due to parse error',
  });
});

const invalid = (cluster: Cluster, path: string, body: object, message: string, target?: object) =>
  assert.rejects(cluster.ask(path, body, target), { code: 422, message });

test('a review must ask exactly one thing about somebody, and has no name', async () => {
  const cluster = new Cluster();
  await invalid(
    cluster,
    SAR,
    { spec: {} },
    '.authorization.k8s.io "" is invalid: [spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified, spec.user: Invalid value: "": at least one of user or group must be specified]',
  );
  await invalid(
    cluster,
    SAR,
    { spec: { user: 'x', resourceAttributes: pods, nonResourceAttributes: { path: '/x' } } },
    '.authorization.k8s.io "" is invalid: spec.nonResourceAttributes: Invalid value: {"Path":"/x","Verb":""}: cannot be specified in combination with resourceAttributes',
  );
  await invalid(
    cluster,
    SAR,
    { metadata: { name: 'x' }, spec: { user: 'x', resourceAttributes: pods } },
    '.authorization.k8s.io "" is invalid: metadata: Invalid value: {"name":"x"}: must be empty',
  );
  await invalid(
    cluster,
    SAR,
    { spec: { user: 'x', resourceAttributes: { ...pods, labelSelector: {} } } },
    '.authorization.k8s.io "" is invalid: spec.resourceAttributes.labelSelector.requirements: Required value: when spec.resourceAttributes.labelSelector is specified, requirements or rawSelector is required',
  );
});

test('a local review asks about its own namespace only', async () => {
  const cluster = new Cluster();
  cluster.grant();
  const path = 'authorization.k8s.io/localsubjectaccessreviews';
  const target = { namespace: 'default' };
  const spec = { user: 'x', groups: ['dev'], resourceAttributes: { ...pods, namespace: 'default' } };
  const answer = await cluster.ask(path, { spec }, target);
  assert.deepEqual([answer['status'], answer.metadata], [allowed, { namespace: 'default' }]);
  await invalid(
    cluster,
    path,
    { spec: { ...spec, resourceAttributes: pods } },
    '.authorization.k8s.io "" is invalid: spec.resourceAttributes.namespace: Invalid value: "": must match metadata.namespace',
    target,
  );
});

test('self reviews ask for whoever asks', async () => {
  const cluster = new Cluster();
  cluster.grant();
  const spec = { resourceAttributes: pods };
  const self = await cluster.ask('authorization.k8s.io/selfsubjectaccessreviews', { spec });
  assert.deepEqual(self['status'], allowed);
  const who = await cluster.ask('authentication.k8s.io/selfsubjectreviews', {});
  assert.deepEqual(who['status'], { userInfo: { username: 'jane', groups: ['dev'] } });
  const path = 'authorization.k8s.io/selfsubjectrulesreviews';
  assert.deepEqual((await cluster.ask(path, { spec: { namespace: 'default' } }))['status'], {
    resourceRules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }],
    nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/version'] }],
    incomplete: false,
  });
  await assert.rejects(cluster.ask(path, { spec: {} }), { code: 400, message: 'no namespace on request' });
});

const TOKEN = '/serviceaccounts/token';
const ci = { namespace: 'default', name: 'ci' };
const claimsOf = (answer: KubeObject): Record<string, unknown> => {
  const { token } = answer['status'] as { token: string };
  const [, payload = ''] = token.split('.');
  return JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
};

test('a token request is answered with a token for an hour and the server’s audience unless it says otherwise', async () => {
  const cluster = new Cluster();
  cluster.put('serviceaccounts', 'ci');
  const answer = await cluster.ask(TOKEN, { spec: {} }, ci);
  assert.deepEqual(answer.metadata, {
    name: 'ci',
    namespace: 'default',
    uid: 'ci-uid',
    creationTimestamp: '2026-01-01T00:00:00Z',
  });
  assert.deepEqual(answer['spec'], { audiences: [ISSUER], expirationSeconds: 3600, boundObjectRef: null });
  const { expirationTimestamp } = answer['status'] as { expirationTimestamp: string };
  assert.equal(expirationTimestamp, '2026-01-01T01:00:00Z');
  const start = Date.UTC(2026, 0, 1) / 1000;
  assert.deepEqual(claimsOf(answer), {
    aud: [ISSUER],
    exp: start + 3600,
    iat: start,
    iss: ISSUER,
    jti: seededRandom(1).uuid(),
    'kubernetes.io': { namespace: 'default', serviceaccount: { name: 'ci', uid: 'ci-uid' } },
    nbf: start,
    sub: 'system:serviceaccount:default:ci',
  });
});

test('a token bound to a pod names its node, and the injected one lasts a year but warns after its hour', async () => {
  const cluster = new Cluster();
  cluster.put('serviceaccounts', 'ci');
  cluster.put('nodes', 'n1');
  cluster.put('pods', 'web', { spec: { serviceAccountName: 'ci', nodeName: 'n1', containers: [] } });
  const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'web', uid: 'web-uid' };
  const claims = claimsOf(
    await cluster.ask(TOKEN, { spec: { boundObjectRef, expirationSeconds: 3607 } }, ci),
  );
  const start = Date.UTC(2026, 0, 1) / 1000;
  assert.equal(claims['exp'], start + 365 * 24 * 3600);
  assert.deepEqual(claims['kubernetes.io'], {
    namespace: 'default',
    node: { name: 'n1', uid: 'n1-uid' },
    pod: { name: 'web', uid: 'web-uid' },
    serviceaccount: { name: 'ci', uid: 'ci-uid' },
    warnafter: start + 3607,
  });
});

test('a token request that cannot be honoured is refused in upstream’s words', async () => {
  const cluster = new Cluster();
  const refuse = (body: object, error: object) => assert.rejects(cluster.ask(TOKEN, body, ci), error);
  await refuse({ spec: {} }, { code: 404, message: 'serviceaccounts "ci" not found' });
  cluster.put('serviceaccounts', 'ci');
  cluster.put('pods', 'web', { spec: { serviceAccountName: 'other', containers: [] } });
  await refuse(
    { spec: { expirationSeconds: 599 } },
    {
      code: 422,
      message:
        'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes',
    },
  );
  await refuse(
    { spec: { expirationSeconds: 2 ** 32 + 1 } },
    {
      code: 422,
      message:
        'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds',
    },
  );
  await refuse(
    { metadata: { name: 'x' } },
    {
      code: 422,
      message:
        'TokenRequest.authentication.k8s.io "ci" is invalid: metadata.name: Invalid value: "x": must match the service account name if specified',
    },
  );
  await refuse(
    { metadata: { uid: 'x' } },
    {
      code: 409,
      message:
        'Operation cannot be fulfilled on TokenRequest.authentication.k8s.io "ci": the UID in the token request (x) does not match the UID of the service account (ci-uid)',
    },
  );
  const bound = (boundObjectRef: object) => ({ spec: { boundObjectRef } });
  await refuse(bound({ apiVersion: 'v1', kind: 'Pod', name: 'web' }), {
    code: 400,
    message: 'cannot bind token for serviceaccount "ci" to pod running with different serviceaccount name.',
  });
  await refuse(bound({ apiVersion: 'v1', kind: 'Secret', name: 'x' }), {
    code: 404,
    message: 'secrets "x" not found',
  });
  await refuse(bound({ apiVersion: 'a/v1', kind: 'Foo', name: 'x' }), {
    code: 400,
    message: 'cannot bind token to object of type a/v1, Kind=Foo',
  });
  cluster.put('secrets', 's');
  await refuse(bound({ apiVersion: 'v1', kind: 'Secret', name: 's', uid: 'x' }), {
    code: 409,
    message:
      'Operation cannot be fulfilled on Secret "s": the UID in the bound object reference (x) does not match the UID in record. The object might have been deleted and then recreated',
  });
});

test('a token review says whose token it is, or why it is nobody’s', async () => {
  const cluster = new Cluster();
  cluster.put('serviceaccounts', 'ci');
  const issued = await cluster.ask(TOKEN, { spec: {} }, ci);
  const { token } = issued['status'] as { token: string };
  const path = 'authentication.k8s.io/tokenreviews';
  const review = async (spec: object) => (await cluster.ask(path, { spec }))['status'];
  assert.deepEqual(await review({ token }), {
    authenticated: true,
    user: {
      username: 'system:serviceaccount:default:ci',
      uid: 'ci-uid',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
      extra: { 'authentication.kubernetes.io/credential-id': [`JTI=${seededRandom(1).uuid()}`] },
    },
    audiences: [ISSUER],
  });
  assert.deepEqual(await review({ token: 'garbage' }), { user: {}, error: 'invalid bearer token' });
  assert.deepEqual(await review({ token, audiences: ['a', 'b'] }), {
    user: {},
    error: `[invalid bearer token, token audiences ["${ISSUER}"] is invalid for the target audiences ["a" "b"]]`,
  });
  await assert.rejects(cluster.ask(path, { spec: {} }), {
    code: 400,
    message: 'token is required for TokenReview in authentication',
  });
});
