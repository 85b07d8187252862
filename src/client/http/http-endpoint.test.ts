import assert from 'node:assert/strict';
import {
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { createPki, type ClusterPki } from '#launcher';
import { isConflict, isExpired, isNotFound, isStatusError } from '#machinery';
import { silentLogger } from '#platform';
import { systemRandom } from '#platform/node';
import { API_SERVER_ALONE, startCluster, type TestCluster, VirtualClock } from '#testing';
import { createClient } from '../create-client.ts';
import { createInformer } from '../informer-factory.ts';
import { resources } from '../resources.ts';
import { ConnectionError } from './connection.ts';
import { type HttpEndpoint, type HttpEndpointOptions, httpEndpoint } from './http-endpoint.ts';

let pki: ClusterPki;
let clock: VirtualClock;
before(async () => {
  // TLS judges certificates by the machine's own clock.
  clock = new VirtualClock({ startMs: Date.now() });
  pki = await createPki(
    { serverDnsNames: ['localhost'], serverIps: ['127.0.0.1'] },
    { clock, random: systemRandom },
  );
});

const open: HttpEndpoint[] = [];
function connect(port: number, options: Partial<HttpEndpointOptions> = {}): HttpEndpoint {
  const endpoint = httpEndpoint({
    server: `https://127.0.0.1:${port}`,
    ca: pki.caPem,
    userAgent: 'test',
    clock,
    logger: silentLogger,
    ...options,
  });
  open.push(endpoint);
  return endpoint;
}

let api: TestCluster;
let port: number;
beforeEach(async () => {
  api = await startCluster({ ...API_SERVER_ALONE, clock });
  const tls = { cert: pki.apiserver.certPem, key: pki.apiserver.keyPem, clientCa: pki.caPem };
  ({ port } = await api.apiServer.listen({ host: '127.0.0.1', port: 0, tls }));
});
afterEach(async () => {
  for (const endpoint of open.splice(0)) endpoint.close();
  await api.stop();
});

const asAdmin = () =>
  createClient(connect(port, { clientCert: pki.admin.certPem, clientKey: pki.admin.keyPem }));

test('objects are created, read, changed and deleted as in process', async () => {
  const maps = asAdmin().resource(resources.configMaps, 'default');
  const created = await maps.create({ metadata: { name: 'settings' }, data: { a: '1' } });
  assert.deepEqual(await api.client.resource(resources.configMaps, 'default').get('settings'), created);
  const changed = await maps.update({ ...created, data: { a: '2' } });
  assert.deepEqual(changed.data, { a: '2' });
  await assert.rejects(maps.update(created), isConflict);
  await maps.patch('settings', 'application/merge-patch+json', { data: { b: 'ü' } });
  assert.deepEqual((await maps.get('settings')).data, { a: '2', b: 'ü' });
  await maps.apply('settings', { metadata: { name: 'settings' }, data: { c: '3' } }, { fieldManager: 'me' });
  assert.deepEqual((await maps.get('settings')).data, { a: '2', b: 'ü', c: '3' });
  await maps.delete('settings');
  await assert.rejects(maps.get('settings'), isNotFound);
});

test('items of a list know what they are', async () => {
  const client = asAdmin();
  await client
    .resource(resources.configMaps, 'default')
    .create({ metadata: { name: 'one', labels: { a: 'b' } } });
  const list = await client.resource(resources.configMaps, 'default').list({ labelSelector: 'a=b' });
  assert.deepEqual(
    list.items.map(({ kind, apiVersion, metadata }) => [kind, apiVersion, metadata.name]),
    [['ConfigMap', 'v1', 'one']],
  );
});

test('a failure is the StatusError that the server made', async () => {
  await assert.rejects(asAdmin().resource(resources.pods, 'default').get('none'), (error) => {
    assert.ok(isStatusError(error));
    assert.equal(error.message, 'pods "none" not found');
    assert.deepEqual(error.details, { name: 'none', kind: 'pods' });
    return true;
  });
});

test('an informer follows over the network', async () => {
  const client = asAdmin();
  const seen: string[] = [];
  const changes: (() => void)[] = [];
  const informer = createInformer({
    client,
    ref: resources.configMaps,
    scope: { namespace: 'default' },
    clock,
    random: systemRandom,
    logger: silentLogger,
  });
  informer.addHandler({
    onAdd: ({ metadata }) => seen.push(`add ${metadata.name}`),
    onDelete: ({ metadata }) => {
      seen.push(`delete ${metadata.name}`);
      changes.pop()?.();
    },
  });
  informer.start();
  await informer.synced();
  const deleted = new Promise<void>((resolve) => changes.push(resolve));
  await client.resource(resources.configMaps, 'default').create({ metadata: { name: 'new' } });
  await client.resource(resources.configMaps, 'default').delete('new');
  await deleted;
  assert.deepEqual(seen, ['add new', 'delete new']);
  await informer.stop();
});

test('a request that is aborted rejects with the reason', async () => {
  const stop = new AbortController();
  stop.abort(new Error('never mind'));
  await assert.rejects(asAdmin().resource(resources.pods).list({ signal: stop.signal }), /never mind/);
});

test('a server that is not there is a ConnectionError, and is found again when it is', async () => {
  const client = asAdmin();
  await client.resource(resources.namespaces).get('default');
  await api.apiServer.close();
  await assert.rejects(client.resource(resources.namespaces).get('default'), ConnectionError);
});

test('a server with a certificate of another authority is refused', async () => {
  const other = await createPki({ serverDnsNames: [], serverIps: [] }, { clock, random: systemRandom });
  const client = createClient(connect(port, { ca: other.caPem }));
  await assert.rejects(client.resource(resources.namespaces).get('default'), ConnectionError);
});

/** A server whose answers the test writes by hand. */
async function answering(
  answer: (stream: ServerHttp2Stream, headers: Record<string, unknown>) => void,
): Promise<number> {
  const server: Http2SecureServer = createSecureServer({
    cert: pki.apiserver.certPem,
    key: pki.apiserver.keyPem,
  });
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => answer(stream, headers));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  servers.push(server);
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
const servers: Http2SecureServer[] = [];
after(() => {
  for (const server of servers) server.close();
});

const reply = (stream: ServerHttp2Stream, code: number, body: unknown, headers: object = {}): void => {
  stream.respond({ ':status': code, 'content-type': 'application/json', ...headers });
  stream.end(JSON.stringify(body));
};
const NAMESPACE = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } };

test('a token that is refused is read again, once', async () => {
  const used: unknown[] = [];
  const tokens = ['old', 'new', 'unused'];
  const at = await answering((stream, headers) => {
    used.push(headers['authorization']);
    if (headers['authorization'] === 'Bearer new') reply(stream, 200, NAMESPACE);
    else
      reply(stream, 401, {
        kind: 'Status',
        apiVersion: 'v1',
        status: 'Failure',
        reason: 'Unauthorized',
        code: 401,
      });
  });
  const client = createClient(connect(at, { token: () => tokens.shift() ?? '' }));
  await client.resource(resources.namespaces).get('default');
  await client.resource(resources.namespaces).get('default');
  assert.deepEqual(used, ['Bearer old', 'Bearer new', 'Bearer new']);
});

test('a server that is too busy is asked again when it says', async () => {
  let asked = 0;
  const at = await answering((stream) => {
    asked++;
    if (asked === 1) reply(stream, 429, { kind: 'Status', message: 'slow down' }, { 'retry-after': '3' });
    else reply(stream, 200, NAMESPACE);
  });
  const answer = createClient(connect(at)).resource(resources.namespaces).get('default');
  const before = clock.monotonic();
  await clock.waitFor(() => asked > 1, { withinMs: 60_000 }).catch(() => undefined);
  while (asked < 2) await clock.advance(1000);
  assert.equal((await answer).metadata.name, 'default');
  assert.ok(clock.monotonic() - before >= 3000);
});

test('warnings of the server come with the answer', async () => {
  const at = await answering((stream) =>
    reply(stream, 200, NAMESPACE, { warning: '299 - "v1 is \\"old\\""' }),
  );
  const { warnings } = await connect(at).request({
    verb: 'get',
    group: '',
    version: 'v1',
    resource: 'namespaces',
    name: 'a',
  });
  assert.deepEqual(warnings, ['v1 is "old"']);
});

test('events of a watch are read whole however they are cut, until the server ends it', async () => {
  const at = await answering((stream) => {
    stream.respond({ ':status': 200 });
    const bytes = Buffer.from(
      `${JSON.stringify({ type: 'ADDED', object: { ...NAMESPACE, x: 'ü€' } })}\n`.repeat(2),
    );
    for (let i = 0; i < bytes.length; i += 7) stream.write(bytes.subarray(i, i + 7));
    stream.end('{"type":"ADDED","obj');
  });
  const seen: unknown[] = [];
  const events = await connect(at).watch({ verb: 'watch', group: '', version: 'v1', resource: 'namespaces' });
  for await (const event of events) seen.push('x' in event.object ? event.object['x'] : undefined);
  assert.deepEqual(seen, ['ü€', 'ü€']);
});

test('a watch refused with 410 is expired', async () => {
  const at = await answering((stream) =>
    reply(stream, 410, { kind: 'Status', reason: 'Expired', code: 410, message: 'too old' }),
  );
  await assert.rejects(
    connect(at).watch({ verb: 'watch', group: '', version: 'v1', resource: 'namespaces' }),
    isExpired,
  );
});
