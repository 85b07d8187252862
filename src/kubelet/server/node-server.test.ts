import assert from 'node:assert/strict';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { silentLogger } from '#platform';
import { type KubeletHarness, startKubelet } from '../kubelet.fixture.ts';
import { SCRIPT_ANNOTATION } from '../simulated/index.ts';
import { type Pair, type TestAuthority, testAuthority } from './certificates.fixture.ts';
import { nodeSubresources } from './node-authorizer.ts';
import { type NodeServer, startNodeServer } from './node-server.ts';

let authority: TestAuthority;
let harness: KubeletHarness;
let server: NodeServer;
let apiServer: Pair;

before(async () => {
  authority = await testAuthority();
  apiServer = await authority.issue('kube-apiserver-kubelet-client');
  harness = await startKubelet();
  const { certPem, keyPem } = await authority.issue('node');
  server = await startNodeServer({
    kubelet: harness.kubelet,
    runtime: harness.runtime,
    files: harness.files,
    clock: harness.clock,
    logger: silentLogger,
    host: '127.0.0.1',
    port: 0,
    tls: { certPem, keyPem, clientCaPem: authority.caPem },
    logDir: '/var/log/pods',
    authenticateToken: async (token) =>
      token === 'good' ? { name: 'monitor', groups: ['system:masters'] } : undefined,
  });
  const script = { app: { logs: ['one', 'two'], exec: { hello: { output: 'hi' } } } };
  await harness.createPod('web', {}, { annotations: { [SCRIPT_ANNOTATION]: JSON.stringify(script) } });
  await harness.createPod('waiting', {
    containers: [{ name: 'app', image: 'app:1', envFrom: [{ configMapRef: { name: 'none' } }] }],
  });
});

after(async () => {
  await server.close();
  await harness.stop();
});

interface Answer {
  readonly status: number;
  readonly body: string;
}

function ask(path: string, options: { pair?: Pair; token?: string; method?: string } = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const { pair, token, method = 'GET' } = options;
  const asked = request(
    {
      host: '127.0.0.1',
      port: server.port,
      path,
      method,
      ca: authority.caPem,
      agent: false,
      ...(pair === undefined ? {} : { cert: pair.certPem, key: pair.keyPem }),
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    },
    (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    },
  );
  asked.once('error', reject);
  asked.end();
  return promise;
}

const get = (path: string): Promise<Answer> => ask(path, { pair: apiServer });

test('Only the API server and administrators are answered', async () => {
  assert.deepEqual(await ask('/healthz'), { status: 401, body: 'Unauthorized' });
  assert.deepEqual(await ask('/healthz', { token: 'bad' }), { status: 401, body: 'Unauthorized' });
  assert.equal((await ask('/healthz', { token: 'good' })).status, 200);
  const jane = await authority.issue('jane', ['developers']);
  assert.equal((await ask('/pods', { pair: jane })).status, 403);
  const admin = await authority.issue('root', ['developers', 'system:masters']);
  assert.equal((await ask('/healthz', { pair: admin })).status, 200);
  assert.deepEqual(await get('/healthz'), { status: 200, body: 'ok' });
});

test('A certificate of another authority counts for nothing', async () => {
  const other = await (await testAuthority()).issue('kube-apiserver-kubelet-client');
  assert.equal((await ask('/healthz', { pair: other })).status, 401);
});

test('Logs are given whole or from the tail', async () => {
  assert.deepEqual(await get('/containerLogs/default/web/app'), { status: 200, body: 'one\ntwo\n' });
  assert.equal((await get('/containerLogs/default/web/app?tailLines=1')).body, 'two\n');
  assert.equal((await get('/containerLogs/default/web/app?limitBytes=3&timestamps=false')).body, 'one');
});

test('What has no log says why', async () => {
  assert.deepEqual(await get('/containerLogs/default/none/app'), {
    status: 404,
    body: 'pod "none" does not exist',
  });
  assert.deepEqual(await get('/containerLogs/default/web/none'), {
    status: 404,
    body: 'container "none" not found in pod "web"',
  });
  assert.deepEqual(await get('/containerLogs/default/web/app?previous=true'), {
    status: 400,
    body: 'previous terminated container "app" in pod "web" not found',
  });
  assert.deepEqual(await get('/containerLogs/default/waiting/app'), {
    status: 400,
    body: 'container "app" in pod "waiting" is waiting to start: CreateContainerConfigError',
  });
  assert.equal((await get('/containerLogs/default/web/app?tailLines=-1')).status, 422);
  assert.equal((await get('/containerLogs/default/web/app?tailLines=x')).status, 400);
});

test('A followed log ends when the reader leaves', async () => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const asked = request(
    {
      host: '127.0.0.1',
      port: server.port,
      path: '/containerLogs/default/web/app?follow=true',
      ca: authority.caPem,
      cert: apiServer.certPem,
      key: apiServer.keyPem,
      agent: false,
    },
    (response) => {
      response.once('data', (data: Buffer) => {
        assert.equal(data.toString(), 'one\ntwo\n');
        response.destroy();
        resolve();
      });
    },
  );
  asked.once('error', reject);
  asked.end();
  await promise;
});

test('The pods of the node are listed with the status the node has decided', async () => {
  const { items } = JSON.parse((await get('/pods')).body) as { items: { metadata: { name: string } }[] };
  assert.deepEqual(items.map(({ metadata }) => metadata.name).sort(), ['waiting', 'web']);
});

test('A command can be run in a container', async () => {
  assert.deepEqual(await ask('/run/default/web/app?cmd=hello', { pair: apiServer, method: 'POST' }), {
    status: 200,
    body: 'hi',
  });
  assert.equal((await ask('/run/default/web/none?cmd=x', { pair: apiServer, method: 'POST' })).status, 404);
});

test('What runs and what it uses is told for people and for machines', async () => {
  const summary = JSON.parse((await get('/stats/summary')).body) as { pods: { podRef: { name: string } }[] };
  assert.deepEqual(
    summary.pods.map(({ podRef }) => podRef.name),
    ['web'],
  );
  assert.match(
    (await get('/metrics/resource')).body,
    /^container_memory_working_set_bytes\{container="app",namespace="default",pod="web"\} 0$/m,
  );
  assert.match((await get('/metrics')).body, /^kubelet_running_pods 1$/m);
});

test('Log files can be looked at, other files cannot', async () => {
  assert.equal((await get('/logs/')).body, 'default_waiting_uid-waiting\ndefault_web_uid-web\n');
  assert.match((await get('/logs/default_web_uid-web/app/0.log')).body, /stdout F one\n/);
  assert.equal((await get('/logs/..%2f..%2fetc/passwd')).status, 404);
  assert.equal((await get('/logs/%2e%2e/x')).status, 404);
});

test('Unknown paths and streams without an upgrade are refused', async () => {
  assert.equal((await get('/nothing')).status, 404);
  assert.deepEqual(await get('/exec/default/web/app?command=x'), {
    status: 400,
    body: 'Upgrade request required',
  });
});

test('Each path stands for a subresource of the node', () => {
  assert.deepEqual(
    ['/stats/summary', '/metrics/resource', '/logs/x', '/pods', '/healthz', '/exec/a/b/c'].map(
      nodeSubresources,
    ),
    [['stats'], ['metrics'], ['log'], ['pods', 'proxy'], ['healthz', 'proxy'], ['proxy']],
  );
});
