/** Authentication, authorization and admission as one server runs them, against the store in memory. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { ApiEndpoint, KubeObject, ResourceRequest } from '#machinery';
import { silentLogger } from '#platform';
import { createMemoryStore } from '#store';
import { seededRandom, VirtualClock } from '#testing';
import { type ApiServer, createApiServer } from './api-server.ts';
import { createSecurity } from './security.ts';

const clock = new VirtualClock();
const random = seededRandom(1);
const namespace = 'default';
let server: ApiServer;
let admin: ApiEndpoint;
let jane: ApiEndpoint;
let node: ApiEndpoint;

before(async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const security = createSecurity({
    clock,
    random,
    logger: silentLogger,
    issuer: 'https://kubernetes.default.svc',
    signingKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    externalAddress: '127.0.0.1:6443',
  });
  server = createApiServer({
    store: createMemoryStore({ clock }),
    clock,
    random,
    logger: silentLogger,
    authenticator: (reader) => security.authenticator(reader),
    authorizer: (reader) => security.authorizer(reader),
    admission: (reader, dependencies) => security.admission(reader, dependencies),
    virtualResources: (reader) => security.virtualResources(reader),
    bootstrapObjects: security.bootstrapObjects(),
    documents: security.discoveryDocuments,
  });
  await server.ready;
  admin = server.endpointFor({ name: 'admin', groups: ['system:masters'] });
  jane = server.endpointFor({ name: 'jane', groups: ['system:authenticated'] });
  node = server.endpointFor({ name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] });
});
after(() => server.close());

type Target = Pick<ResourceRequest, 'name' | 'namespace' | 'subresource'>;
const at = (resource: string, target: Target = {}) => {
  const [plural = '', ...group] = resource.split('.');
  return { group: group.join('.'), version: 'v1', resource: plural, ...target };
};
async function create(
  as: ApiEndpoint,
  resource: string,
  body: object,
  target: Target = {},
): Promise<KubeObject> {
  const { object } = await as.request({ verb: 'create', ...at(resource, target), body });
  return object as KubeObject;
}
const RBAC = 'rbac.authorization.k8s.io';

test('what jane may do follows her bindings, from the next request on', async () => {
  const list = () => jane.request({ verb: 'list', ...at('pods', { namespace }) });
  await assert.rejects(list(), {
    code: 403,
    message:
      'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "default"',
  });
  await create(
    admin,
    `rolebindings.${RBAC}`,
    {
      apiVersion: `${RBAC}/v1`,
      kind: 'RoleBinding',
      metadata: { name: 'jane' },
      subjects: [{ kind: 'User', name: 'jane', apiGroup: RBAC }],
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'view' },
    },
    { namespace },
  );
  assert.equal((await list()).code, 200);
});

test('a node sees and does what its pods need', async () => {
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } };
  await create(admin, 'serviceaccounts', account, { namespace });
  await create(
    admin,
    'secrets',
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'tls' } },
    { namespace },
  );
  await create(node, 'nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } });
  const secret = () => node.request({ verb: 'get', ...at('secrets', { namespace, name: 'tls' }) });
  await assert.rejects(secret(), { code: 403 });
  const pod = await create(
    admin,
    'pods',
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web' },
      spec: {
        nodeName: 'n1',
        containers: [{ name: 'c', image: 'x' }],
        volumes: [{ name: 's', secret: { secretName: 'tls' } }],
      },
    },
    { namespace },
  );
  assert.equal((await secret()).code, 200);
  const token = { namespace, name: 'default', subresource: 'token' };
  const request = (spec: object) =>
    create(
      node,
      'serviceaccounts',
      { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec },
      token,
    );
  await assert.rejects(request({}), {
    code: 403,
    message: 'serviceaccounts "default" is forbidden: node requested token not bound to a pod',
  });
  const { name, uid } = pod.metadata;
  const issued = await request({ boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid } });
  const { token: text } = issued['status'] as { token: string };
  const review = await create(admin, 'tokenreviews.authentication.k8s.io', {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    spec: { token: text },
  });
  const { user } = review['status'] as { user: { username: string; extra: Record<string, unknown> } };
  assert.equal(user.username, 'system:serviceaccount:default:default');
  assert.deepEqual(user.extra['authentication.kubernetes.io/node-name'], ['n1']);
});

test('of pods that come at once a quota lets in as many as fit', async () => {
  const quota = await create(
    admin,
    'resourcequotas',
    { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'q' }, spec: { hard: { pods: '3' } } },
    { namespace },
  );
  const own = { namespace, name: 'q' };
  const status = { hard: { pods: '3' }, used: { pods: '1' } };
  const update = { verb: 'update', ...at('resourcequotas', { ...own, subresource: 'status' }) } as const;
  await admin.request({ ...update, body: { ...quota, status } });
  const pods = Array.from({ length: 5 }, (_, i) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `many-${i}` },
    spec: { containers: [{ name: 'c', image: 'x' }] },
  }));
  const outcomes = await Promise.allSettled(pods.map((pod) => create(admin, 'pods', pod, { namespace })));
  assert.equal(outcomes.filter((outcome) => outcome.status === 'fulfilled').length, 2);
  const { object } = await admin.request({ verb: 'get', ...at('resourcequotas', own) });
  assert.deepEqual((object as KubeObject)['status'], { hard: { pods: '3' }, used: { pods: '3' } });
});
