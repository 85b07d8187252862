import assert from 'node:assert/strict';
import { duplexPair, PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import type { ConnectRequest } from '../serving/connector.ts';
import { openWebSocketOutput } from './websocket-output.ts';

/** What a client gets that asks with these headers for `text`, one character per byte. */
async function received(text: string, headers: Readonly<Record<string, string>>): Promise<string> {
  const [client, socket] = duplexPair();
  const request: ConnectRequest = {
    target: { group: '', version: 'v1', resource: 'pods' },
    user: { name: 'u', groups: [] },
    method: 'GET',
    trailingPath: '',
    query: new URLSearchParams(),
    headers: { upgrade: 'websocket', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers },
    body: Readable.from([]),
    upgrade: { socket, head: Buffer.alloc(0) },
    respond: () => new PassThrough(),
    signal: new AbortController().signal,
  };
  const parts: Buffer[] = [];
  client.on('data', (part: Buffer) => parts.push(part));
  await pipeline(Readable.from([Buffer.from(text)]), openWebSocketOutput(request));
  return Buffer.concat(parts).toString('latin1');
}

test('output comes as binary messages behind an empty one, and the connection closes after it', async () => {
  assert.equal(
    await received('hello', { 'sec-websocket-protocol': 'other, binary.k8s.io' }),
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: binary.k8s.io\r\n\r\n' +
      '\x82\x00\x82\x05hello\x88\x00',
  );
});

test('a client may ask for base64 text', async () => {
  const text = await received('hello', { 'sec-websocket-protocol': 'base64.binary.k8s.io' });
  assert.equal(text.slice(text.indexOf('\r\n\r\n') + 4), '\x81\x00\x81\x08aGVsbG8=\x88\x00');
});

test('long messages have long lengths', async () => {
  const body = async (length: number): Promise<string> => {
    const text = await received('x'.repeat(length), {});
    return text.slice(text.indexOf('\r\n\r\n') + 4);
  };
  assert.equal((await body(300)).slice(2, 6), '\x82\x7e\x01\x2c');
  assert.equal((await body(70_000)).slice(2, 12), '\x82\x7f\0\0\0\0\0\x01\x11\x70');
});

test('unknown protocols are refused', async () => {
  await assert.rejects(received('x', { 'sec-websocket-protocol': 'v9.x' }), {
    message: 'none of the WebSocket protocols v9.x is known here',
  });
});
