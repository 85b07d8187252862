/**
 * The server's side of a SPDY/3.1 connection (https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/),
 * as far as Kubernetes clients use it: the client opens streams, both sides write to them.
 *
 * Kubernetes' own implementation knows no flow control per stream: nobody sends WINDOW_UPDATE, so nobody waits for
 * it. Back pressure is the connection's: when a stream is not read, the whole connection is not read.
 */
import { Duplex } from 'node:stream';
import { HeaderCodec, type SpdyHeaders } from './header-codec.ts';

const TYPE = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
} as const;
const FLAG_FIN = 1;
const VERSION = 3;
const RST_PROTOCOL_ERROR = 1;
const RST_REFUSED = 3;
const RST_CANCEL = 5;
/** Streams open at once; one more is refused. */
const MAX_STREAMS = 1_000;
const MAX_FRAME_BYTES = 16 * 1024 * 1024 - 1;
/** Data is cut into frames of this size, so that streams take turns. */
const DATA_FRAME_BYTES = 32 * 1024;

export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly #session: SpdySession;

  constructor(session: SpdySession, id: number, headers: SpdyHeaders) {
    super({ allowHalfOpen: true });
    this.#session = session;
    this.id = id;
    this.headers = headers;
  }

  override _read(): void {
    this.#session.streamDrained(this);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#session.sendData(this.id, chunk, callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#session.sendFin(this.id, callback);
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#session.streamDestroyed(this, error !== null || !this.readableEnded || !this.writableFinished);
    callback(error);
  }
}

export interface SpdySessionHandlers {
  readonly onStream: (stream: SpdyStream) => void;
  /** Once, when the connection is gone. */
  readonly onClose: () => void;
}

export class SpdySession {
  readonly #connection: Duplex;
  readonly #codec = new HeaderCodec();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #unread = new Set<SpdyStream>();
  #handlers: SpdySessionHandlers | undefined;
  #buffered: Buffer = Buffer.alloc(0);
  /** Frames are handled one after the other: decoding headers is asynchronous. */
  #handling: Promise<void> = Promise.resolve();
  #lastStream = 0;
  #closed = false;

  constructor(connection: Duplex) {
    this.#connection = connection;
  }

  /** Streams are delivered from now on. `head`: bytes that already arrived. */
  start(head: Buffer, handlers: SpdySessionHandlers): void {
    this.#handlers = handlers;
    this.#connection.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#connection.on('error', () => this.close());
    this.#connection.on('close', () => this.close());
    this.#connection.on('end', () => this.close());
    if (head.length > 0) this.#receive(head);
  }

  /** Ends the connection once what was written has gone out; streams still open are destroyed. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const status = Buffer.alloc(8);
    status.writeUInt32BE(this.#lastStream);
    this.#sendControl(TYPE.goAway, 0, status);
    this.#connection.end();
    for (const stream of this.#streams.values()) stream.destroy();
    this.#codec.close();
    this.#handlers?.onClose();
  }

  /** @internal */
  sendData(id: number, data: Buffer, done: (error?: Error | null) => void): void {
    this.#connection.cork();
    for (let at = 0; at < data.length; at += DATA_FRAME_BYTES) {
      const part = data.subarray(at, at + DATA_FRAME_BYTES);
      this.#write(dataHeader(id, 0, part.length));
      this.#write(part, at + part.length >= data.length ? done : undefined);
    }
    if (data.length === 0) done();
    this.#connection.uncork();
  }

  /** @internal */
  sendFin(id: number, done: (error?: Error | null) => void): void {
    this.#write(dataHeader(id, FLAG_FIN, 0), done);
  }

  /** @internal */
  streamDestroyed(stream: SpdyStream, reset: boolean): void {
    if (!this.#streams.delete(stream.id)) return;
    this.streamDrained(stream);
    if (reset && !this.#closed) this.#sendReset(stream.id, RST_CANCEL);
  }

  /** @internal */
  streamDrained(stream: SpdyStream): void {
    if (this.#unread.delete(stream) && this.#unread.size === 0) this.#connection.resume();
  }

  #write(bytes: Buffer, done?: (error?: Error | null) => void): void {
    if (this.#connection.destroyed || this.#connection.writableEnded) {
      done?.(new Error('the SPDY connection is closed'));
      return;
    }
    this.#connection.write(bytes, (error) => done?.(error));
  }

  #receive(chunk: Buffer): void {
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk]);
    while (this.#buffered.length >= 8) {
      const length = this.#buffered.readUInt32BE(4) & 0xffffff;
      if (length > MAX_FRAME_BYTES || this.#buffered.length < 8 + length) return;
      const frame = this.#buffered.subarray(0, 8 + length);
      this.#buffered = this.#buffered.subarray(8 + length);
      this.#handling = this.#handling.then(() => this.#onFrame(frame)).catch(() => this.close());
    }
  }

  async #onFrame(frame: Buffer): Promise<void> {
    if (this.#closed) return;
    const flags = frame[4] ?? 0;
    const body = frame.subarray(8);
    if (((frame[0] ?? 0) & 0x80) === 0) {
      this.#onData(frame.readUInt32BE(0), flags, body);
      return;
    }
    switch (frame.readUInt16BE(2)) {
      case TYPE.synStream:
        await this.#onSynStream(body, flags);
        return;
      case TYPE.headers:
        // Decoded for the sake of the shared context; nothing uses late headers.
        await this.#codec.decode(body.subarray(4));
        return;
      case TYPE.rstStream:
        this.#streams.get(body.readUInt32BE(0) & 0x7fffffff)?.destroy();
        return;
      case TYPE.ping:
        this.#sendControl(TYPE.ping, 0, body);
        return;
      case TYPE.goAway:
        if (this.#streams.size === 0) this.close();
        return;
      default:
      // SETTINGS and WINDOW_UPDATE change nothing here; unknown frames are ignored, as the draft asks.
    }
  }

  async #onSynStream(body: Buffer, flags: number): Promise<void> {
    const id = body.readUInt32BE(0) & 0x7fffffff;
    const headers = await this.#codec.decode(body.subarray(10));
    if (id % 2 === 0 || id <= this.#lastStream) {
      this.#sendReset(id, RST_PROTOCOL_ERROR);
      return;
    }
    this.#lastStream = id;
    if (this.#streams.size >= MAX_STREAMS) {
      this.#sendReset(id, RST_REFUSED);
      return;
    }
    const stream = new SpdyStream(this, id, headers);
    this.#streams.set(id, stream);
    stream.on('error', () => undefined);
    const reply = Buffer.alloc(4);
    reply.writeUInt32BE(id);
    this.#sendControl(TYPE.synReply, 0, Buffer.concat([reply, await this.#codec.encode({})]));
    if ((flags & FLAG_FIN) !== 0) stream.push(null);
    this.#handlers?.onStream(stream);
  }

  #onData(id: number, flags: number, data: Buffer): void {
    const stream = this.#streams.get(id & 0x7fffffff);
    if (stream === undefined) return;
    if (data.length > 0 && !stream.push(data)) {
      this.#unread.add(stream);
      this.#connection.pause();
    }
    if ((flags & FLAG_FIN) !== 0) stream.push(null);
  }

  #sendReset(id: number, status: number): void {
    const body = Buffer.alloc(8);
    body.writeUInt32BE(id);
    body.writeUInt32BE(status, 4);
    this.#sendControl(TYPE.rstStream, 0, body);
  }

  #sendControl(type: number, flags: number, body: Buffer): void {
    const header = Buffer.alloc(8);
    header.writeUInt16BE(0x8000 | VERSION);
    header.writeUInt16BE(type, 2);
    header.writeUInt32BE((flags << 24) | body.length, 4);
    this.#write(Buffer.concat([header, body]));
  }
}

function dataHeader(id: number, flags: number, length: number): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(id);
  header.writeUInt32BE((flags << 24) | length, 4);
  return header;
}
