/**
 * An answer that only flows to the client, as WebSocket messages (RFC 6455): how browsers and old clients read logs.
 * What the client sends is not looked at; when it goes, the source is let go.
 */
import { createHash } from 'node:crypto';
import { type Duplex, Writable } from 'node:stream';
import { badRequest } from '#machinery';
import type { ConnectRequest } from '../serving/connector.ts';

const OPCODE = { text: 1, binary: 2, close: 8 } as const;
const FINAL_FRAME = 0x80;
/** RFC 6455, section 1.3. */
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** Subprotocol → what messages are; '' when the client names none. */
const PROTOCOLS: Readonly<Record<string, 'binary' | 'base64'>> = {
  '': 'binary',
  'binary.k8s.io': 'binary',
  'base64.binary.k8s.io': 'base64',
};

const header = (request: ConnectRequest, name: string): string => {
  const value = request.headers[name] ?? '';
  return typeof value === 'string' ? value : value.join(',');
};

export const asksForWebSocket = (request: ConnectRequest): boolean =>
  request.upgrade !== undefined && header(request, 'upgrade').toLowerCase() === 'websocket';

/** Frames of a server are not masked (RFC 6455, section 5.1). */
function frame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  if (length < 126) return Buffer.concat([Buffer.from([FINAL_FRAME | opcode, length]), payload]);
  const isShort = length < 65_536;
  const head = Buffer.alloc(isShort ? 4 : 10);
  head[0] = FINAL_FRAME | opcode;
  head[1] = isShort ? 126 : 127;
  if (isShort) head.writeUInt16BE(length, 2);
  else head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

class WebSocketOutput extends Writable {
  readonly #socket: Duplex;
  readonly #form: 'binary' | 'base64';

  constructor(socket: Duplex, form: 'binary' | 'base64') {
    super();
    this.#socket = socket;
    this.#form = form;
    socket.on('error', () => this.destroy());
    socket.on('close', () => this.destroy());
    socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const message =
      this.#form === 'binary'
        ? frame(OPCODE.binary, chunk)
        : frame(OPCODE.text, Buffer.from(chunk.toString('base64')));
    this.#socket.write(message, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(frame(OPCODE.close, Buffer.alloc(0)), () => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#socket.writableEnded) this.#socket.destroy();
    done(error);
  }
}

/**
 * Completes the handshake; an empty message tells the client that the answer begins.
 * @throws StatusError 400 before anything was answered.
 */
export function openWebSocketOutput(request: ConnectRequest): Writable {
  const { upgrade } = request;
  const key = header(request, 'sec-websocket-key');
  if (upgrade === undefined || key === '') throw badRequest('the request is no WebSocket handshake');
  const offered = header(request, 'sec-websocket-protocol')
    .split(',')
    .map((protocol) => protocol.trim())
    .filter((protocol) => protocol !== '');
  const chosen = offered.length === 0 ? '' : offered.find((protocol) => Object.hasOwn(PROTOCOLS, protocol));
  const form = chosen === undefined ? undefined : PROTOCOLS[chosen];
  if (chosen === undefined || form === undefined) {
    throw badRequest(`none of the WebSocket protocols ${offered.join(', ')} is known here`);
  }
  const accept = createHash('sha1').update(`${key}${ACCEPT_SUFFIX}`).digest('base64');
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
    ...(chosen === '' ? [] : [`Sec-WebSocket-Protocol: ${chosen}`]),
  ];
  upgrade.socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  const output = new WebSocketOutput(upgrade.socket, form);
  output.write(Buffer.alloc(0));
  return output;
}
