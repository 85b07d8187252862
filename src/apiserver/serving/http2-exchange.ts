import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Readable, Writable } from 'node:stream';
import { type Body, send } from './body-parts.ts';
import { collectBody, type Exchange, type Headers, type ResponseHeaders } from './exchange.ts';

const EMPTY = Buffer.alloc(0);

/** An HTTP/2 stream as an exchange, without the compatibility layer. */
export class Http2Exchange implements Exchange {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly clientCertificate: Uint8Array | undefined;
  readonly isHttp2 = true;
  readonly #stream: ServerHttp2Stream;
  readonly #hasBody: boolean;
  readonly #onClose: (() => void)[] = [];

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders & Readonly<Record<string, string | string[] | undefined>>,
    flags: number,
    clientCertificate: Uint8Array | undefined,
  ) {
    this.#stream = stream;
    this.headers = headers;
    this.method = String(headers[':method']);
    this.url = String(headers[':path']);
    this.clientCertificate = clientCertificate;
    this.#hasBody = (flags & constants.NGHTTP2_FLAG_END_STREAM) === 0;
    // A reset by the client is nobody's error here: `close` follows and tells the handler.
    stream.on('error', () => undefined);
    stream.on('close', () => {
      for (const callback of this.#onClose) callback();
    });
  }

  get input(): Readable {
    return this.#stream;
  }

  get hasResponded(): boolean {
    return this.#stream.headersSent;
  }

  readBody(limitBytes: number): Promise<Buffer> {
    if (!this.#hasBody) return Promise.resolve(EMPTY);
    const length = this.headers['content-length'];
    return collectBody(
      this.#stream,
      typeof length === 'string' ? length : undefined,
      limitBytes,
      () => this.#stream.aborted,
    );
  }

  respond(status: number, headers: ResponseHeaders, body: Body = EMPTY): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.headersSent) return;
    const isEmpty = body.length === 0 || this.method === 'HEAD';
    stream.respond({ ':status': status, 'content-length': body.length, ...headers }, { endStream: isEmpty });
    if (!isEmpty) send(stream, body);
    // Whatever of the body is still to come is read and dropped, so that the stream can close.
    if (this.#hasBody) stream.resume();
  }

  begin(status: number, headers: ResponseHeaders): Writable {
    if (!this.#stream.destroyed) this.#stream.respond({ ':status': status, ...headers });
    return this.#stream;
  }

  onClose(callback: () => void): void {
    if (this.#stream.closed) callback();
    else this.#onClose.push(callback);
  }
}
