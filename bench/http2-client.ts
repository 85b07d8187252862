/**
 * An HTTP/2 client that costs as little as can be: server and client share the cores, so what the client takes the
 * server does not get, and what is measured would be the client. It knows what a load generator needs of RFC 9113 and
 * RFC 7541 and no more: it asks the server not to compress headers by reference, of which it reads only the status.
 */
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const FRAME_HEADER_BYTES = 9;
const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 } as const;
const FLAG = { ack: 1, endStream: 1, endHeaders: 4 } as const;
const SETTING = { headerTableSize: 1, enablePush: 2, initialWindowSize: 4 } as const;
const EMPTY = Buffer.alloc(0);
const MAX_WINDOW = 2 ** 31 - 1;
/** What a connection may receive before it is told that it may receive more. */
const RENEW_WINDOW_AT = 2 ** 29;
/** The largest frame a server must take, and the window it gives a body, unless it says otherwise. */
const MAX_BODY_BYTES = 16_384;

/** RFC 7541 appendix A: `:status` with these values is a single byte. */
const INDEXED_STATUS: Readonly<Record<number, number>> = {
  0x88: 200,
  0x89: 204,
  0x8a: 206,
  0x8b: 304,
  0x8c: 400,
  0x8d: 404,
  0x8e: 500,
};
/** RFC 7541 appendix B: the digits 0 to 2 have five bits, the others six. */
const SHORT_DIGIT_LIMIT = 3;
const LONG_DIGITS_FROM = 0b011001;

export interface StreamHandler {
  head(status: number): void;
  /** A part of what was received: keeping it keeps the rest in memory. */
  data(bytes: Buffer): void;
  /** Undefined: complete. */
  end(error: Error | undefined): void;
}

export interface Http2ClientOptions {
  readonly port: number;
  readonly caPem: string;
  readonly certPem: string;
  readonly keyPem: string;
}

export class Http2Client implements Disposable {
  readonly #socket: TLSSocket;
  readonly #streams = new Map<number, StreamHandler>();
  /** Header blocks that are sent again and again, by method and path. */
  readonly #blocks = new Map<string, Buffer>();
  /** Less than a frame, or than its header. */
  #rest: Buffer = EMPTY;
  /** The frame of a body that is being received. */
  #data: { readonly id: number; readonly isLast: boolean; bytesLeft: number } | undefined;
  #nextStream = 1;
  #unacknowledged = 0;
  #isCorked = false;

  static async connect(options: Http2ClientOptions): Promise<Http2Client> {
    const socket = connect({
      host: '127.0.0.1',
      port: options.port,
      ca: options.caPem,
      cert: options.certPem,
      key: options.keyPem,
      ALPNProtocols: ['h2'],
    });
    await once(socket, 'secureConnect');
    return new Http2Client(socket);
  }

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the server closed the connection')));
    socket.write(PREFACE);
    socket.write(
      settings([
        [SETTING.headerTableSize, 0],
        [SETTING.enablePush, 0],
        [SETTING.initialWindowSize, MAX_WINDOW],
      ]),
    );
    socket.write(windowUpdate(MAX_WINDOW - 65_535));
  }

  /** @throws RangeError for a body that does not fit into one frame. */
  request(method: string, path: string, body: string | undefined, handler: StreamHandler): void {
    if (this.#socket.destroyed) return handler.end(new Error('the connection is closed'));
    const id = this.#nextStream;
    this.#nextStream += 2;
    this.#streams.set(id, handler);
    const block = this.#headerBlock(method, path);
    const content = body === undefined ? undefined : Buffer.from(body);
    if (content !== undefined && content.length > MAX_BODY_BYTES)
      throw new RangeError('the body is too large');
    const flags = FLAG.endHeaders | (content === undefined ? FLAG.endStream : 0);
    this.#cork();
    this.#socket.write(frame(FRAME.headers, flags, id, block));
    if (content !== undefined) this.#socket.write(frame(FRAME.data, FLAG.endStream, id, content));
  }

  [Symbol.dispose](): void {
    this.#streams.clear();
    this.#socket.destroy();
  }

  /** What is sent in one turn of the loop goes out together. */
  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#socket.cork();
    queueMicrotask(() => {
      this.#isCorked = false;
      this.#socket.uncork();
    });
  }

  #headerBlock(method: string, path: string): Buffer {
    const key = `${method} ${path}`;
    let block = this.#blocks.get(key);
    if (block === undefined) {
      block = Buffer.concat(
        Object.entries({
          ':method': method,
          ':scheme': 'https',
          ':authority': '127.0.0.1',
          ':path': path,
          accept: 'application/json',
          'content-type': 'application/json',
        }).map(([name, value]) => literal(name, value)),
      );
      this.#blocks.set(key, block);
    }
    return block;
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = this.#takeData(bytes, 0);
    while (bytes.length - at >= FRAME_HEADER_BYTES) {
      const length = bytes.readUIntBE(at, 3);
      const type = bytes[at + 3] ?? 0;
      const flags = bytes[at + 4] ?? 0;
      const id = bytes.readUInt32BE(at + 5) & MAX_WINDOW;
      const start = at + FRAME_HEADER_BYTES;
      if (type === FRAME.data) {
        this.#received(length);
        this.#data = { id, isLast: (flags & FLAG.endStream) !== 0, bytesLeft: length };
        at = this.#takeData(bytes, start);
      } else {
        if (start + length > bytes.length) break;
        at = start + length;
        this.#control(type, flags, id, bytes.subarray(start, at));
      }
    }
    this.#rest = at === bytes.length ? EMPTY : bytes.subarray(at);
  }

  /** Hands on what there is of the frame that has begun, without waiting for the rest. Returns how far it got. */
  #takeData(bytes: Buffer, start: number): number {
    const data = this.#data;
    if (data === undefined) return start;
    const end = Math.min(bytes.length, start + data.bytesLeft);
    data.bytesLeft -= end - start;
    const stream = this.#streams.get(data.id);
    if (end > start) stream?.data(bytes.subarray(start, end));
    if (data.bytesLeft === 0) {
      this.#data = undefined;
      if (data.isLast && stream !== undefined) this.#end(data.id, stream, undefined);
    }
    return end;
  }

  #control(type: number, flags: number, id: number, payload: Buffer): void {
    if (type === FRAME.settings && (flags & FLAG.ack) === 0)
      this.#socket.write(frame(FRAME.settings, FLAG.ack, 0, EMPTY));
    if (type === FRAME.ping && (flags & FLAG.ack) === 0)
      this.#socket.write(frame(FRAME.ping, FLAG.ack, 0, payload));
    if (type === FRAME.goAway) this.#fail(new Error('the server said GOAWAY'));
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    if (type === FRAME.reset) this.#end(id, stream, new Error('the server reset the stream'));
    if (type !== FRAME.headers) return;
    stream.head(statusOf(payload));
    if ((flags & FLAG.endStream) !== 0) this.#end(id, stream, undefined);
  }

  #received(length: number): void {
    this.#unacknowledged += length;
    if (this.#unacknowledged < RENEW_WINDOW_AT) return;
    this.#socket.write(windowUpdate(this.#unacknowledged));
    this.#unacknowledged = 0;
  }

  #end(id: number, stream: StreamHandler, error: Error | undefined): void {
    this.#streams.delete(id);
    stream.end(error);
  }

  #fail(error: Error): void {
    for (const [id, stream] of this.#streams) this.#end(id, stream, error);
  }
}

function frame(type: number, flags: number, id: number, payload: Buffer): Buffer {
  const out = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  out.writeUIntBE(payload.length, 0, 3);
  out[3] = type;
  out[4] = flags;
  out.writeUInt32BE(id, 5);
  payload.copy(out, FRAME_HEADER_BYTES);
  return out;
}

function settings(values: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(values.length * 6);
  for (const [index, [id, value]] of values.entries()) {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  }
  return frame(FRAME.settings, 0, 0, payload);
}

function windowUpdate(increment: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(increment);
  return frame(FRAME.windowUpdate, 0, 0, payload);
}

/** RFC 7541 section 6.2.2, with a new name and without Huffman code. */
function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0]), plainString(name), plainString(value)]);
}

/** RFC 7541 sections 5.1 and 5.2, for lengths below 255. */
function plainString(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  if (bytes.length >= 255) throw new RangeError(`a header is too long: ${text}`);
  return Buffer.concat([Buffer.from([127, bytes.length - 127]), bytes]);
}

/** `:status` is the first field of an answer. @throws Error when it is not. */
function statusOf(bytes: Buffer): number {
  let at = 0;
  // The server's agreement not to refer to earlier headers comes first once.
  while (((bytes[at] ?? 0) & 0xe0) === 0x20) at++;
  const first = bytes[at] ?? 0;
  const indexed = INDEXED_STATUS[first];
  if (indexed !== undefined) return indexed;
  // A literal, whichever way, whose name is that of an entry 8 to 14, followed by a length.
  const nameIndex = first & ((first & 0xc0) === 0x40 ? 0x3f : 0x0f);
  if (nameIndex < 8 || nameIndex > 14) throw new Error('an answer does not begin with its status');
  const length = bytes[at + 1] ?? 0;
  const value = bytes.subarray(at + 2, at + 2 + (length & 0x7f));
  return Number((length & 0x80) === 0 ? value.toString('latin1') : digits(value));
}

function digits(huffman: Buffer): string {
  let text = '';
  const bits = [...huffman].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  for (let at = 0; text.length < 3; ) {
    const short = Number.parseInt(bits.slice(at, at + 5), 2);
    if (short < SHORT_DIGIT_LIMIT) {
      text += short;
      at += 5;
    } else {
      text += Number.parseInt(bits.slice(at, at + 6), 2) - LONG_DIGITS_FROM + SHORT_DIGIT_LIMIT;
      at += 6;
    }
  }
  return text;
}
