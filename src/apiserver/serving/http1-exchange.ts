import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { type Body, send } from './body-parts.ts';
import { collectBody, type Exchange, type Headers, type ResponseHeaders } from './exchange.ts';

const EMPTY = Buffer.alloc(0);

/** An HTTP/1.1 request as an exchange. */
export class Http1Exchange implements Exchange {
  readonly method: string;
  readonly url: string;
  readonly clientCertificate: Uint8Array | undefined;
  readonly isHttp2 = false;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse, clientCertificate: Uint8Array | undefined) {
    this.#request = request;
    this.#response = response;
    this.method = request.method ?? 'GET';
    this.url = request.url ?? '/';
    this.clientCertificate = clientCertificate;
    request.on('error', () => undefined);
    response.on('error', () => undefined);
  }

  get headers(): Headers {
    return this.#request.headers;
  }

  get input(): Readable {
    return this.#request;
  }

  get hasResponded(): boolean {
    return this.#response.headersSent;
  }

  readBody(limitBytes: number): Promise<Buffer> {
    return collectBody(
      this.#request,
      this.#request.headers['content-length'],
      limitBytes,
      () => !this.#request.complete,
    );
  }

  respond(status: number, headers: ResponseHeaders, body: Body = EMPTY): void {
    if (this.#response.destroyed || this.#response.headersSent) return;
    this.#response.writeHead(status, { 'content-length': body.length, ...mutable(headers) });
    send(this.#response, this.method === 'HEAD' ? EMPTY : body);
    if (!this.#request.complete) this.#request.resume();
  }

  begin(status: number, headers: ResponseHeaders): Writable {
    if (!this.#response.destroyed) {
      this.#response.writeHead(status, mutable(headers));
      this.#response.flushHeaders();
    }
    return this.#response;
  }

  onClose(callback: () => void): void {
    if (this.#response.closed) callback();
    else this.#response.once('close', callback);
  }
}

function mutable(headers: ResponseHeaders): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers))
    out[name] = typeof value === 'string' ? value : [...value];
  return out;
}
