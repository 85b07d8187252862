import assert from 'node:assert/strict';
import { once } from 'node:events';
import { constants } from 'node:http2';
import { request as request1 } from 'node:https';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { decodeProtobufObject, type KubeObject } from '#machinery';
import { schemaOf } from '#api';
import { systemClock } from '#platform/node';
import { ADMIN, configMap, HttpClient, startTestServer, testCertificate } from '../api-server.fixture.ts';
import type { ApiServer } from '../api-server.ts';
import type { ConnectRequest } from './connector.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const PROTOBUF = 'application/vnd.kubernetes.protobuf';

let server: ApiServer;
let client: HttpClient;
let port = 0;
let ca = '';
const connected: ConnectRequest[] = [];

before(async () => {
  const certificate = await testCertificate();
  ca = certificate.cert;
  const started = await startTestServer({
    // Streams are real, so time is.
    clock: systemClock,
    authorizer: () => ({
      authorize: ({ verb, name }) =>
        verb === 'impersonate' && name === 'root'
          ? { verdict: 'no-opinion', reason: 'not root' }
          : { verdict: 'allow', reason: '' },
    }),
    authenticator: () => ({
      authenticate: async ({ bearerToken }) => (bearerToken === 'bad' ? undefined : ADMIN),
    }),
    connectors: () => [
      {
        group: '',
        resource: 'pods',
        subresource: 'log',
        connect: async (request) => {
          request.respond(200, { 'content-type': 'text/plain' }).end(`log of ${request.target.name}`);
        },
      },
      {
        group: '',
        resource: 'pods',
        subresource: 'exec',
        connect: async (request) => {
          connected.push(request);
          request.upgrade?.socket.end(
            'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello',
          );
        },
      },
    ],
  });
  server = started.server;
  const listener = await server.listen({ host: '127.0.0.1', port: 0, tls: certificate });
  port = listener.port;
  client = new HttpClient(port, ca);
});

after(async () => {
  await client.close();
  await server.close();
});

test('create, get, list and delete over HTTP/2', async () => {
  const made = await client.send('POST', MAPS, configMap('web', { a: 'b' }), {
    'user-agent': 'kubectl/v1.36 (linux)',
  });
  assert.equal(made.code, 201);
  assert.equal(made.headers['content-type'], 'application/json');
  assert.equal(made.headers['cache-control'], 'no-cache, private');
  assert.match(String(made.headers['audit-id']), /^[0-9a-f-]{36}$/);
  assert.equal(made.json().metadata.managedFields[0].manager, 'kubectl');
  const got = await client.send('GET', `${MAPS}/web`);
  assert.equal(got.text, made.text);
  const list = (await client.send('GET', `${MAPS}?fieldSelector=metadata.name%3Dweb`)).json();
  assert.equal(list.kind, 'ConfigMapList');
  assert.deepEqual(list.items[0].data, { a: 'b' });
  assert.equal(list.items[0].kind, undefined, 'items do not repeat what the list says of them');
  assert.equal((await client.send('DELETE', `${MAPS}/web`)).json().status, 'Success');
  const gone = await client.send('GET', `${MAPS}/web`);
  assert.deepEqual(
    [gone.code, gone.json()],
    [
      404,
      {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message: 'configmaps "web" not found',
        reason: 'NotFound',
        details: { name: 'web', kind: 'configmaps' },
        code: 404,
      },
    ],
  );
});

test('a list of many parts arrives whole, over HTTP/2 and HTTP/1.1, plain and compressed', async () => {
  const large = '/api/v1/namespaces/large/configmaps';
  const text = 'x'.repeat(100_000);
  for (let i = 10; i < 30; i++) await client.send('POST', large, configMap(`large-${i}`, { text }));
  // One object that is larger than a part.
  await client.send('POST', large, configMap('larger', { text: 'y'.repeat(900_000) }));
  const over2 = await client.send('GET', large);
  assert.equal(over2.headers['content-length'], String(Buffer.byteLength(over2.text)));
  const { items } = over2.json() as { items: { metadata: { name: string }; data: { text: string } }[] };
  assert.equal(items.length, 21);
  assert.deepEqual(
    items.map(({ data }) => data.text.length),
    [...Array.from({ length: 20 }, () => 100_000), 900_000],
  );
  const over1 = await new Promise<string>((resolve, reject) => {
    request1({ host: '127.0.0.1', port, path: large, ca }, (response) => {
      let received = '';
      response.on('data', (chunk: Buffer) => (received += chunk.toString()));
      response.on('end', () => resolve(received));
    })
      .on('error', reject)
      .end();
  });
  assert.ok(over1 === over2.text);
  const compressed = await new Promise<Buffer>((resolve, reject) => {
    const headers = { 'accept-encoding': 'gzip' };
    request1({ host: '127.0.0.1', port, path: large, ca, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve(Buffer.concat(chunks)));
    })
      .on('error', reject)
      .end();
  });
  assert.ok(gunzipSync(compressed).toString() === over2.text);
});

test('the same over HTTP/1.1', async () => {
  const answer = await new Promise<{ code: number; text: string }>((resolve, reject) => {
    const body = JSON.stringify(configMap('old'));
    const sent = request1(
      {
        host: '127.0.0.1',
        port,
        ca,
        path: MAPS,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        agent: false,
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ code: response.statusCode ?? 0, text }));
      },
    );
    sent.on('error', reject).end(body);
  });
  assert.equal(answer.code, 201);
  assert.equal((JSON.parse(answer.text) as KubeObject).metadata.name, 'old');
});

test('a watch streams lines as changes happen', async () => {
  const stream = client.session.request({ ':path': `${MAPS}?watch=1&labelSelector=w%3D1&timeoutSeconds=60` });
  stream.setEncoding('utf8');
  await once(stream, 'response');
  const line = once(stream, 'data');
  await client.send('POST', MAPS, configMap('seen', {}, { labels: { w: '1' } }));
  const [text] = (await line) as [string];
  assert.ok(text.endsWith('}\n'));
  const event = JSON.parse(text) as { type: string; object: KubeObject };
  assert.deepEqual(
    [event.type, event.object.kind, event.object.metadata.name],
    ['ADDED', 'ConfigMap', 'seen'],
  );
  stream.close(constants.NGHTTP2_CANCEL);
});

test('a watch in protobuf is frames with their length in front', async () => {
  const stream = client.session.request({
    ':path': `${MAPS}?watch=1&fieldSelector=metadata.name%3Dframe`,
    accept: PROTOBUF,
  });
  const [headers] = (await once(stream, 'response')) as [Record<string, string>];
  assert.equal(headers['content-type'], `${PROTOBUF};stream=watch`);
  const data = once(stream, 'data');
  await client.send('POST', MAPS, configMap('frame'));
  const [frame] = (await data) as [Buffer];
  assert.equal(frame.readUInt32BE(0), frame.length - 4);
  stream.close(constants.NGHTTP2_CANCEL);
});

test('objects, lists and bodies in protobuf', async () => {
  const schema = schemaOf({ group: '', version: 'v1', kind: 'ConfigMap' });
  assert.ok(schema);
  await client.send('POST', MAPS, configMap('proto', { a: 'b' }));
  const got = await client.send('GET', `${MAPS}/proto`, undefined, { accept: PROTOBUF });
  assert.equal(got.headers['content-type'], PROTOBUF);
  assert.equal(decodeProtobufObject(schema, got.bytes).metadata.name, 'proto');
  const updated = await client.send('PUT', `${MAPS}/proto`, got.bytes, { 'content-type': PROTOBUF });
  assert.deepEqual([updated.code, updated.json().data], [200, { a: 'b' }]);
  const list = await client.send('GET', MAPS, undefined, { accept: PROTOBUF });
  assert.equal(list.bytes.subarray(0, 4).toString('latin1'), 'k8s\0');
});

test('a Table has columns and rows, and metadata can be had alone', async () => {
  await client.send('POST', MAPS, configMap('tab', { a: 'b' }));
  const table = (await client.send('GET', `${MAPS}/tab`, undefined, { accept: TABLE })).json();
  assert.deepEqual([table.kind, table.apiVersion], ['Table', 'meta.k8s.io/v1']);
  assert.deepEqual(
    table.columnDefinitions.map(({ name }: { name: string }) => name),
    ['Name', 'Data', 'Age'],
  );
  assert.deepEqual(table.rows[0].cells.slice(0, 2), ['tab', 1]);
  assert.equal(table.rows[0].object.kind, 'PartialObjectMetadata');
  const partial = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io';
  const metadata = (await client.send('GET', `${MAPS}/tab`, undefined, { accept: partial })).json();
  assert.deepEqual([metadata.kind, metadata.data], ['PartialObjectMetadata', undefined]);
  const wrong = await client.send('GET', MAPS, undefined, { accept: partial });
  assert.equal(
    wrong.json().message,
    'you requested PartialObjectMetadata, but the requested object is a list (*core.ConfigMapList)',
  );
});

test('large lists are compressed for those who ask', async () => {
  await client.send('POST', MAPS, configMap('large', { a: 'x'.repeat(200_000) }));
  const packed = await client.send('GET', `${MAPS}?fieldSelector=metadata.name%3Dlarge`, undefined, {
    'accept-encoding': 'gzip',
  });
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.ok(packed.bytes.length < 20_000);
  const list = JSON.parse(gunzipSync(packed.bytes).toString()) as {
    items: readonly { data: { a: string } }[];
  };
  assert.equal(list.items[0]?.data.a.length, 200_000);
});

test('a body beyond 3 MiB is 413, and one that breaks off changes nothing', async () => {
  const large = await client.send('POST', MAPS, configMap('huge', { a: 'x'.repeat(3_200_000) }));
  assert.deepEqual(
    [large.code, large.json().reason, large.json().message],
    [413, 'RequestEntityTooLarge', 'Request entity too large: limit is 3145728'],
  );
  const stream = client.session.request({
    ':method': 'POST',
    ':path': MAPS,
    'content-type': 'application/json',
    'content-length': '1000',
  });
  stream.on('error', () => undefined);
  stream.write(JSON.stringify(configMap('half')));
  stream.close(constants.NGHTTP2_CANCEL);
  await once(stream, 'close');
  assert.equal((await client.send('GET', `${MAPS}/half`)).code, 404);
});

test('what the client should know comes as Warning', async () => {
  const odd = { ...configMap('odd'), spce: 1 };
  const warned = await client.send('POST', MAPS, odd);
  assert.deepEqual([warned.code, warned.headers.warning], [201, '299 - "unknown field \\"spce\\""']);
  const strict = await client.send('POST', `${MAPS}?fieldValidation=Strict`, odd);
  assert.deepEqual(
    [strict.code, strict.json().message],
    [
      400,
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "spce"',
    ],
  );
});

test('without a valid credential: 401; as somebody one may not be: 403', async () => {
  const anonymous = await client.send('GET', MAPS, undefined, { authorization: 'Bearer bad' });
  assert.deepEqual([anonymous.code, anonymous.json().message], [401, 'Unauthorized']);
  const asRoot = await client.send('GET', MAPS, undefined, { 'impersonate-user': 'root' });
  assert.equal(asRoot.code, 403);
  assert.equal(
    asRoot.json().message,
    'users "root" is forbidden: User "admin" cannot impersonate resource "users" in API group "" at the cluster scope: not root',
  );
  assert.equal((await client.send('GET', MAPS, undefined, { 'impersonate-user': 'jane' })).code, 200);
});

test('health, version, metrics and the list of paths', async () => {
  assert.equal((await client.send('GET', '/readyz')).text, 'ok');
  assert.match(
    (await client.send('GET', '/livez?verbose')).text,
    /^\[\+\]ping ok\n[^]*livez check passed\n$/,
  );
  assert.equal((await client.send('GET', '/version')).json().gitVersion, 'v1.36.3');
  assert.match((await client.send('GET', '/metrics')).text, /apiserver_request_total\{verb="GET"/);
  assert.ok((await client.send('GET', '/')).json().paths.includes('/apis/apps/v1'));
  const nothing = await client.send('GET', '/nope');
  assert.deepEqual([nothing.code, nothing.text], [404, '404 page not found\n']);
});

test('discovery: whole for kubectl, piece by piece for others', async () => {
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';
  const aggregated = await client.send('GET', '/apis', undefined, { accept });
  assert.equal(
    aggregated.headers['content-type'],
    'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  );
  const etag = String(aggregated.headers.etag);
  assert.equal((await client.send('GET', '/apis', undefined, { accept, 'if-none-match': etag })).code, 304);
  const apps = aggregated.json().items[0];
  assert.equal(apps.metadata.name, 'apps');
  assert.ok(
    apps.versions[0].resources.some(({ resource }: { resource: string }) => resource === 'deployments'),
  );
  assert.equal((await client.send('GET', '/apis')).json().kind, 'APIGroupList');
  const list = (await client.send('GET', '/api/v1')).json();
  const pods = list.resources.find(({ name }: { name: string }) => name === 'pods');
  assert.deepEqual(pods.shortNames, ['po']);
  assert.deepEqual((await client.send('GET', '/api')).json().versions, ['v1']);
});

test('OpenAPI v2 and v3', async () => {
  const index = (await client.send('GET', '/openapi/v3')).json();
  const { serverRelativeURL } = index.paths['apis/apps/v1'] as { serverRelativeURL: string };
  const document = (await client.send('GET', serverRelativeURL)).json();
  assert.ok(document.components.schemas['io.k8s.api.apps.v1.Deployment']);
  const accept = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
  const v2 = await client.send('GET', '/openapi/v2', undefined, { accept });
  assert.equal(v2.headers['content-type'], 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf');
});

test('connectors answer ordinary requests and take over upgraded connections', async () => {
  const log = await client.send('GET', '/api/v1/namespaces/default/pods/p/log?container=c');
  assert.deepEqual([log.code, log.text], [200, 'log of p']);
  const text = await new Promise<string>((resolve, reject) => {
    const sent = request1({
      host: '127.0.0.1',
      port,
      ca,
      agent: false,
      method: 'POST',
      path: '/api/v1/namespaces/default/pods/p/exec?command=ls&command=-l',
      headers: { connection: 'Upgrade', upgrade: 'echo' },
    });
    sent.on('upgrade', (_response, socket, head) => {
      socket.destroy();
      resolve(head.toString());
    });
    sent.on('error', reject).end();
  });
  assert.equal(text, 'hello');
  assert.deepEqual(connected[0]?.query.getAll('command'), ['ls', '-l']);
  assert.equal(connected[0]?.user.name, 'admin');
});
