import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createHttp2, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer as createTcp, type Server } from 'node:net';
import { after, before, test } from 'node:test';
import type { coreV1 } from '#api';
import { nodeSockets, systemClock } from '#platform/node';
import { seededRandom, VirtualClock } from '#testing';
import { testPod } from '../pods/pod.fixture.ts';
import { createSimulatedRuntime } from '../simulated/index.ts';
import { createNetworkProbes } from './network-probes.ts';
import type { ProbeAnswer } from './probe.ts';

const seen: { headers: Record<string, unknown> }[] = [];
const http = createServer((request, response) => {
  seen.push({ headers: request.headers });
  switch (request.url) {
    case '/fail':
      response.writeHead(500).end('secret');
      break;
    case '/inside':
      response.writeHead(302, { location: '/ok' }).end();
      break;
    case '/outside':
      response.writeHead(302, { location: 'http://example.com/' }).end('moved');
      break;
    case '/loop':
      response.writeHead(302, { location: '/loop' }).end();
      break;
    case '/silent':
      break;
    default:
      response.end('fine');
  }
});
let health = 1;
const grpc: Http2Server = createHttp2();
grpc.on('stream', (stream: ServerHttp2Stream) => {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () =>
    stream.sendTrailers({ 'grpc-status': health < 0 ? '12' : '0', 'grpc-message': 'no%20such' }),
  );
  stream.end(health < 0 ? Buffer.alloc(0) : Buffer.from([0, 0, 0, 0, 2, 8, health]));
});
const closed: Server = createTcp();
let closedPort = 0;

const portOf = (server: Server | Http2Server): number => (server.address() as AddressInfo).port;

before(async () => {
  for (const server of [http, grpc, closed]) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  closedPort = portOf(closed);
  closed.close();
});
after(() => {
  http.closeAllConnections();
  http.close();
  grpc.close();
});

const runtime = createSimulatedRuntime({ clock: new VirtualClock(), random: seededRandom(1) });
const probes = createNetworkProbes({ runtime, sockets: nodeSockets, clock: systemClock });
const container: coreV1.Container = { name: 'app', ports: [{ name: 'web', containerPort: 80 }] };

const ask = (probe: coreV1.Probe, podIp = '127.0.0.1'): Promise<ProbeAnswer> =>
  probes.run(
    probe,
    { pod: testPod(), container, containerId: 'c', podIp },
    { signal: new AbortController().signal },
  );
const get = (path: string, more: Partial<coreV1.HTTPGetAction> = {}): Promise<ProbeAnswer> =>
  ask({ httpGet: { port: portOf(http), path, ...more }, timeoutSeconds: 5 });

test('A page that answers is a success, an error is a failure without the body', async () => {
  assert.deepEqual(await get('/ok'), { result: 'success', output: 'fine' });
  assert.deepEqual(await get('/fail'), {
    result: 'failure',
    output: 'HTTP probe failed with statuscode: 500',
  });
});

test('A redirect inside the pod is followed, one that leaves it is a warning, a circle fails', async () => {
  assert.deepEqual(await get('/inside'), { result: 'success', output: 'fine' });
  assert.deepEqual(await get('/outside'), {
    result: 'warning',
    output: 'Probe terminated redirects, Response body: moved',
  });
  assert.match((await get('/loop')).output, /stopped after 10 redirects$/);
});

test('A probe says who it is, and sends the headers it is told to', async () => {
  await get('/ok', {
    httpHeaders: [
      { name: 'X-Test', value: 'yes' },
      { name: 'Accept', value: '' },
    ],
  });
  const { headers } = seen.at(-1) ?? { headers: {} };
  assert.equal(headers['user-agent'], 'kube-probe/1.36');
  assert.equal(headers['x-test'], 'yes');
  assert.equal(headers['accept'], undefined);
});

test('Nobody there is told in the words people know', async () => {
  assert.deepEqual(await ask({ httpGet: { port: closedPort } }), {
    result: 'failure',
    output: `Get "http://127.0.0.1:${closedPort}/": dial tcp 127.0.0.1:${closedPort}: connect: connection refused`,
  });
  assert.deepEqual(await ask({ tcpSocket: { port: closedPort } }), {
    result: 'failure',
    output: `dial tcp 127.0.0.1:${closedPort}: connect: connection refused`,
  });
});

test('An answer that does not come in time is a failure', async () => {
  const clock = new VirtualClock();
  const timed = createNetworkProbes({ runtime, sockets: nodeSockets, clock });
  const probe = { httpGet: { port: portOf(http), path: '/silent' }, timeoutSeconds: 3 };
  const before = seen.length;
  const asked = timed.run(
    probe,
    { pod: testPod(), container, containerId: 'c', podIp: '127.0.0.1' },
    { signal: new AbortController().signal },
  );
  while (seen.length === before) await once(http, 'request');
  await clock.advance(3000);
  assert.match(
    (await asked).output,
    /context deadline exceeded \(Client\.Timeout exceeded while awaiting headers\)$/,
  );
});

test('A port that can be reached is enough for TCP', async () => {
  assert.deepEqual(await ask({ tcpSocket: { port: portOf(http) } }), { result: 'success', output: '' });
});

test('A port may be named; an unknown name cannot be asked at all', async () => {
  await assert.rejects(ask({ tcpSocket: { port: 'none' } }), {
    message: "couldn't find port: none in container: app",
  });
});

test('gRPC health is asked and believed', async () => {
  const check = (): Promise<ProbeAnswer> =>
    ask({ grpc: { port: portOf(grpc), service: 'x' }, timeoutSeconds: 5 });
  health = 1;
  assert.deepEqual(await check(), { result: 'success', output: 'service healthy' });
  health = 2;
  assert.deepEqual(await check(), {
    result: 'failure',
    output: 'service unhealthy (responded with "NOT_SERVING")',
  });
  health = -1;
  assert.deepEqual(await check(), {
    result: 'failure',
    output: 'error: this server does not implement the grpc health protocol (grpc.health.v1.Health): no such',
  });
});
