/**
 * The server's side of a WebSocket (RFC 6455) over a connection that was just upgraded: binary messages both ways.
 *
 * Why not the `ws` package: it refuses a subprotocol with a slash in its name, and port-forward's is
 * `SPDY/3.1+portforward.k8s.io`.
 */
import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { headerOf, listOf, refuseUpgrade, type UpgradeRequest } from '../upgrade.ts';

const HANDSHAKE_KEY = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** A message larger than this ends the connection. kubectl sends 32 KiB at most. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export const isWebSocket = (request: UpgradeRequest): boolean =>
  headerOf(request, 'upgrade').toLowerCase() === 'websocket';

export interface WebSocketHandlers {
  readonly onMessage: (data: Buffer) => void;
  /** Once, when nothing more will come, whoever ended it. */
  readonly onClose: () => void;
}

/**
 * Upgrades and returns the connection with the first of `protocols` that the client offers; answers 400 and returns
 * undefined when there is none.
 */
export function acceptWebSocket(
  request: UpgradeRequest,
  protocols: readonly string[],
): { readonly socket: WebSocketConnection; readonly protocol: string } | undefined {
  const key = headerOf(request, 'sec-websocket-key');
  if (key === '' || headerOf(request, 'sec-websocket-version') !== '13') {
    refuseUpgrade(request, 400, 'Bad Request', 'not a WebSocket handshake of version 13');
    return undefined;
  }
  const offered = listOf(request, 'sec-websocket-protocol');
  const protocol = protocols.find((name) => offered.includes(name));
  if (protocol === undefined) {
    const message = `unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${protocols.join(' ')}]`;
    refuseUpgrade(request, 403, 'Forbidden', message);
    return undefined;
  }
  const accept = createHash('sha1').update(`${key}${HANDSHAKE_KEY}`).digest('base64');
  request.socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`,
  );
  return { socket: new WebSocketConnection(request.socket, request.head), protocol };
}

export class WebSocketConnection {
  readonly #socket: Duplex;
  #buffered: Buffer;
  #fragments: Buffer[] = [];
  #fragmentBytes = 0;
  #handlers: WebSocketHandlers | undefined;
  #sentClose = false;
  #closed = false;

  constructor(socket: Duplex, head: Buffer) {
    this.#socket = socket;
    this.#buffered = head;
  }

  /** Messages are delivered from now on. */
  start(handlers: WebSocketHandlers): void {
    this.#handlers = handlers;
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on('error', () => this.#finish());
    this.#socket.on('close', () => this.#finish());
    this.#socket.on('end', () => this.#finish());
    if (this.#buffered.length > 0) this.#receive(Buffer.alloc(0));
  }

  /** Stops reading from the network: back pressure for the client. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Sends one binary message; `done` when the connection took it. */
  send(data: Buffer, done?: (error?: Error | null) => void): void {
    this.#write(OPCODE.binary, data, done);
  }

  /** Says goodbye and ends the connection. */
  close(code = 1000): void {
    if (this.#sentClose || this.#closed) return;
    this.#sentClose = true;
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.#write(OPCODE.close, payload);
    this.#socket.end();
  }

  #write(opcode: number, data: Buffer, done?: (error?: Error | null) => void): void {
    if (this.#closed || this.#socket.destroyed) {
      done?.(new Error('the WebSocket is closed'));
      return;
    }
    this.#socket.cork();
    this.#socket.write(frameHeader(opcode, data.length));
    this.#socket.write(data, (error) => done?.(error));
    this.#socket.uncork();
  }

  #receive(chunk: Buffer): void {
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk]);
    for (;;) {
      const frame = parseFrame(this.#buffered);
      if (frame === undefined) return;
      if (frame === 'invalid') {
        this.close(1002);
        return;
      }
      this.#buffered = this.#buffered.subarray(frame.byteLength);
      this.#onFrame(frame);
      if (this.#closed || this.#sentClose) return;
    }
  }

  #onFrame({ opcode, final, payload }: Frame): void {
    switch (opcode) {
      case OPCODE.ping:
        this.#write(OPCODE.pong, payload);
        return;
      case OPCODE.pong:
        return;
      case OPCODE.close:
        this.close();
        this.#finish();
        return;
      default:
        this.#onData(final, payload);
    }
  }

  #onData(final: boolean, payload: Buffer): void {
    if (this.#fragmentBytes + payload.length > MAX_MESSAGE_BYTES) {
      this.close(1009);
      return;
    }
    if (final && this.#fragments.length === 0) {
      this.#handlers?.onMessage(payload);
      return;
    }
    this.#fragments.push(payload);
    this.#fragmentBytes += payload.length;
    if (!final) return;
    const whole = Buffer.concat(this.#fragments);
    this.#fragments = [];
    this.#fragmentBytes = 0;
    this.#handlers?.onMessage(whole);
  }

  #finish(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handlers?.onClose();
  }
}

interface Frame {
  readonly opcode: number;
  readonly final: boolean;
  readonly payload: Buffer;
  /** Header and payload. */
  readonly byteLength: number;
}

function frameHeader(opcode: number, length: number): Buffer {
  const first = 0x80 | opcode;
  if (length < 126) return Buffer.from([first, length]);
  if (length < 65_536) {
    const header = Buffer.from([first, 126, 0, 0]);
    header.writeUInt16BE(length, 2);
    return header;
  }
  const header = Buffer.alloc(10);
  header[0] = first;
  header[1] = 127;
  header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}

/** Undefined: more bytes are needed. Clients must mask (RFC 6455, section 5.1). */
function parseFrame(bytes: Buffer): Frame | 'invalid' | undefined {
  if (bytes.length < 2) return undefined;
  const [first = 0, second = 0] = bytes;
  if ((second & 0x80) === 0 || (first & 0x70) !== 0) return 'invalid';
  let length = second & 0x7f;
  let at = 2;
  if (length === 126) {
    if (bytes.length < 4) return undefined;
    length = bytes.readUInt16BE(2);
    at = 4;
  } else if (length === 127) {
    if (bytes.length < 10) return undefined;
    const long = bytes.readBigUInt64BE(2);
    if (long > BigInt(MAX_MESSAGE_BYTES)) return 'invalid';
    length = Number(long);
    at = 10;
  }
  const end = at + 4 + length;
  if (bytes.length < end) return undefined;
  const mask = bytes.subarray(at, at + 4);
  const payload = Buffer.from(bytes.subarray(at + 4, end));
  for (let i = 0; i < payload.length; i++) payload[i] = (payload[i] ?? 0) ^ (mask[i & 3] ?? 0);
  return { opcode: first & 0x0f, final: (first & 0x80) !== 0, payload, byteLength: end };
}
