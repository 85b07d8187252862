import * as http2 from 'node:http2';
import {
  type ApiEndpoint,
  type KubeList,
  type KubeObject,
  type ResourceRequest,
  type ResourceResponse,
  type Status,
  StatusError,
  type WatchEvent,
  type WatchRequest,
} from '#machinery';
import { readBody, readLines } from './body.ts';
import { Connection, ConnectionError, type ConnectionOptions } from './connection.ts';
import { type RequestLine, requestLine } from './request-line.ts';

export interface HttpEndpointOptions extends ConnectionOptions {
  /** Bearer token. A function is asked before the first request, and again when the server answers 401. */
  readonly token?: string | (() => string | Promise<string>);
  readonly userAgent: string;
}

export interface HttpEndpoint extends ApiEndpoint {
  /** Ends every request and watch. */
  close(): void;
}

interface Answer {
  readonly code: number;
  readonly headers: http2.IncomingHttpHeaders;
  readonly stream: http2.ClientHttp2Stream;
}

/** Times a request is sent again because the server said 429 with `Retry-After`. */
const MAX_THROTTLED_ATTEMPTS = 10;
const { HTTP2_HEADER_STATUS, HTTP2_HEADER_RETRY_AFTER } = http2.constants;

/** Another process's API server over HTTPS: one HTTP/2 connection, JSON bodies. */
export function httpEndpoint(options: HttpEndpointOptions): HttpEndpoint {
  return new Http2Endpoint(options);
}

class Http2Endpoint implements HttpEndpoint {
  readonly #options: HttpEndpointOptions;
  readonly #connection: Connection;
  readonly #authority: string;
  #token: string | undefined;

  constructor(options: HttpEndpointOptions) {
    this.#options = options;
    this.#connection = new Connection(options);
    this.#authority = new URL(options.server).host;
    if (typeof options.token === 'string') this.#token = options.token;
  }

  async request(
    request: ResourceRequest,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<ResourceResponse> {
    const answer = await this.#ask(requestLine(request), signal);
    const body = parseObject(await readBody(answer.stream), answer.code);
    const object = request.verb === 'list' ? withItemTypes(body as KubeList) : body;
    return { code: answer.code, object, warnings: warningsOf(answer.headers) };
  }

  async watch(
    request: WatchRequest,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<AsyncIterable<WatchEvent>> {
    const { stream } = await this.#ask(requestLine(request), signal);
    return watchEvents(stream, signal);
  }

  close(): void {
    this.#connection.close();
  }

  /** Sends until the answer is final. @throws StatusError for a failure. */
  async #ask(line: RequestLine, signal: AbortSignal | undefined): Promise<Answer> {
    const { clock, token } = this.#options;
    let refreshed = false;
    for (let attempt = 1; ; attempt++) {
      if (typeof token === 'function') this.#token ??= await token();
      const answer = await this.#send(line, signal);
      if (answer.code < 400) return answer;
      const text = await readBody(answer.stream);
      if (answer.code === 401 && typeof token === 'function' && !refreshed) {
        refreshed = true;
        const used = this.#token;
        this.#token = await token();
        if (this.#token !== used) continue;
      }
      const retryAfter = Number(answer.headers[HTTP2_HEADER_RETRY_AFTER]);
      if (answer.code === 429 && retryAfter > 0 && attempt < MAX_THROTTLED_ATTEMPTS) {
        await clock.sleep(retryAfter * 1000, signal === undefined ? {} : { signal });
        continue;
      }
      throw failure(text, answer.code);
    }
  }

  async #send(line: RequestLine, signal: AbortSignal | undefined): Promise<Answer> {
    signal?.throwIfAborted();
    const session = await this.#connection.session();
    const body = line.body === undefined ? undefined : Buffer.from(JSON.stringify(line.body));
    const headers: http2.OutgoingHttpHeaders = {
      ':method': line.method,
      ':path': line.path,
      ':authority': this.#authority,
      accept: 'application/json',
      'user-agent': this.#options.userAgent,
      ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
      ...(body === undefined ? {} : { 'content-type': line.contentType, 'content-length': body.length }),
    };
    return new Promise<Answer>((resolve, reject) => {
      const stream = session.request(headers, {
        endStream: body === undefined,
        ...(signal === undefined ? {} : { signal }),
      });
      stream.once('response', (answer) =>
        resolve({ code: Number(answer[HTTP2_HEADER_STATUS]), headers: answer, stream }),
      );
      stream.once('error', (error) =>
        reject(
          signal?.aborted === true
            ? (signal.reason as Error)
            : new ConnectionError(`${line.method} ${line.path}: ${error.message}`, error),
        ),
      );
      stream.once('close', () =>
        reject(new ConnectionError(`${line.method} ${line.path}: the connection closed`)),
      );
      if (body !== undefined) stream.end(body);
    });
  }
}

async function* watchEvents(
  stream: http2.ClientHttp2Stream,
  signal: AbortSignal | undefined,
): AsyncGenerator<WatchEvent> {
  try {
    for await (const line of readLines(stream)) yield JSON.parse(line) as WatchEvent;
  } catch (error) {
    if (signal?.aborted === true) return;
    throw new ConnectionError(
      `watch broke: ${error instanceof Error ? error.message : String(error)}`,
      error,
    );
  } finally {
    // Leaving the loop closes the watch.
    stream.close(http2.constants.NGHTTP2_CANCEL);
  }
}

function parseObject(text: string, code: number): KubeObject | KubeList | Status {
  try {
    return JSON.parse(text) as KubeObject | KubeList | Status;
  } catch (error) {
    throw new ConnectionError(`the server answered ${code} with something that is not JSON`, error);
  }
}

function failure(text: string, code: number): StatusError {
  try {
    const status = JSON.parse(text) as Partial<Status>;
    if (status.kind === 'Status') return StatusError.fromStatus(status, code);
  } catch {
    // A proxy's page, or a body cut off.
  }
  return new StatusError(
    code,
    reasonOf(code),
    text.trim() === '' ? `the server answered ${code}` : text.trim(),
  );
}

function reasonOf(code: number): StatusError['reason'] {
  if (code === 401) return 'Unauthorized';
  if (code === 403) return 'Forbidden';
  if (code === 404) return 'NotFound';
  if (code === 429) return 'TooManyRequests';
  if (code === 503) return 'ServiceUnavailable';
  return code >= 500 ? 'InternalError' : '';
}

/** Items of a built-in list come without their type, as Go prints them; each is given that of the list. */
function withItemTypes(list: KubeList): KubeList {
  const type: { readonly apiVersion?: string; readonly kind?: string } = {
    apiVersion: list.apiVersion,
    kind: list.kind.replace(/List$/, ''),
  };
  const items = list.items ?? [];
  if (items.every((item) => item.kind !== undefined)) return list.items === items ? list : { ...list, items };
  return { ...list, items: items.map((item) => ({ ...type, ...item })) };
}

/** Texts of `299 - "…"` headers (RFC 9111). */
function warningsOf(headers: http2.IncomingHttpHeaders): readonly string[] {
  const header = headers.warning;
  if (header === undefined) return [];
  return [...header.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) =>
    text.replace(/\\(.)/g, '$1'),
  );
}
