import assert from 'node:assert/strict';
import {
  createSecureServer,
  type Http2SecureServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { Http2Client } from './http2-client.ts';
import { makePki } from './peers.ts';

const LARGE = Buffer.alloc(3_000_000, 'x');
const sessions = new Set<ServerHttp2Session>();
let server: Http2SecureServer;
let client: Http2Client;

/** Answers with the status its path names, what it was sent, and for `/large` three megabytes. */
before(async () => {
  const { caPem, apiserver, admin } = await makePki();
  server = createSecureServer({ cert: apiserver.certPem, key: apiserver.keyPem });
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const path = String(headers[':path']);
    stream.on('error', () => undefined);
    if (path === '/reset') return stream.close(2);
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      stream.respond({ ':status': path === '/large' ? 200 : Number(path.slice(1)), 'x-other': 'header' });
      stream.end(path === '/large' ? LARGE : Buffer.concat(chunks));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  client = await Http2Client.connect({ port, caPem, certPem: admin.certPem, keyPem: admin.keyPem });
});
after(() => {
  client[Symbol.dispose]();
  for (const session of sessions) session.destroy();
  server.close();
});

function send(method: string, path: string, body?: string): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let status = 0;
    client.request(method, path, body, {
      head: (code) => (status = code),
      data: (bytes) => chunks.push(bytes),
      end: (error) =>
        error === undefined ? resolve({ status, body: Buffer.concat(chunks) }) : reject(error),
    });
  });
}

test('every status is read, also those that HTTP/2 has no short form for', async () => {
  const codes = [200, 201, 202, 404, 403, 409, 410, 422, 429, 489, 500, 503, 504, 567];
  const answers = await Promise.all(codes.map((code) => send('POST', `/${code}`, `body of ${code}`)));
  assert.deepEqual(
    answers.map(({ status, body }) => [status, body.toString()]),
    codes.map((code) => [code, `body of ${code}`]),
  );
});

test('a large answer arrives whole, while others go on', async () => {
  const [large, small] = await Promise.all([send('GET', '/large'), send('POST', '/200', 'small')]);
  assert.ok(large.body.equals(LARGE));
  assert.equal(small.body.toString(), 'small');
});

test('a body that needs several frames is refused, a stream that is reset is an error', async () => {
  assert.throws(
    () => client.request('POST', '/200', 'x'.repeat(16_385), { head() {}, data() {}, end() {} }),
    RangeError,
  );
  await assert.rejects(send('GET', '/reset'), /reset/);
  assert.equal((await send('GET', '/200')).status, 200);
});

test('when the connection ends, what waits and what comes after it fail', async () => {
  const waiting = send('GET', '/large');
  for (const session of sessions) session.destroy();
  await assert.rejects(waiting);
  await assert.rejects(send('GET', '/200'), /connection/);
});
