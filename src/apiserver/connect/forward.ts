/**
 * Passing one request on to another HTTP server, byte by byte: ordinary requests are streamed both ways, upgrades
 * become a tunnel through which both sides speak whatever they agreed on.
 */
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { StatusError } from '#machinery';
import type { ConnectRequest } from '../serving/connector.ts';
import { HtmlLinkRewriter, type ProxiedPlace, proxiedLink } from './link-rewriting.ts';
import { asksForWebSocket, openWebSocketOutput } from './websocket-output.ts';

export interface ForwardTarget {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** Path and query. */
  readonly path: string;
  /** Client certificate and trust for https; nothing is verified when absent. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
  /** Rewrites the `Location` and, in HTML pages, the links of the answer. */
  readonly place?: ProxiedPlace;
}

type Headers = Record<string, string | readonly string[]>;

/** Belong to one connection (RFC 9110, section 7.6.1), or are ours to know. */
const NOT_FORWARDED = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'authorization',
  'host',
]);

function forwardedHeaders(headers: ConnectRequest['headers']): Headers {
  const out: Headers = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name.startsWith(':') || NOT_FORWARDED.has(name)) continue;
    if (name.startsWith('impersonate-')) continue;
    out[name] = value;
  }
  return out;
}

function optionsOf(target: ForwardTarget, request: ConnectRequest, headers: Headers): RequestOptions {
  return {
    host: target.host,
    port: target.port,
    path: target.path,
    method: request.method,
    headers: headers as Record<string, string | string[]>,
    signal: request.signal,
    agent: false,
    ...(target.tls === undefined
      ? { rejectUnauthorized: false }
      : { ...target.tls, checkServerIdentity: () => undefined }),
  };
}

/** The clients are loaded with the first request: importing `node:http` loads undici as well, 30 ms of every start. */
async function send(target: ForwardTarget, options: RequestOptions): Promise<ClientRequest> {
  const { request } = target.scheme === 'https' ? await import('node:https') : await import('node:http');
  return request(options);
}

function unreachable(target: ForwardTarget, error: Error): StatusError {
  return new StatusError(
    503,
    'ServiceUnavailable',
    `error trying to reach service: dial tcp ${target.host}:${target.port}: ${error.message}`,
    undefined,
    error,
  );
}

/** Resolves when the exchange is over. @throws StatusError 503 when the other server cannot be reached. */
export async function forward(request: ConnectRequest, target: ForwardTarget): Promise<void> {
  if (request.upgrade !== undefined) await forwardUpgrade(request, target, request.upgrade);
  else await forwardPlain(request, target);
}

/** Like `forward`, for answers that a client may also read as WebSocket messages. */
export async function forwardOutput(request: ConnectRequest, target: ForwardTarget): Promise<void> {
  if (!asksForWebSocket(request)) return forwardPlain(request, target);
  const outgoing = await send(target, optionsOf(target, request, {}));
  const answered = responseOf(outgoing, target);
  outgoing.end();
  const answer = await answered;
  if (answer.statusCode === 200) {
    return pipeline(answer, openWebSocketOutput(request)).catch(() => undefined);
  }
  const { socket } = request.upgrade ?? {};
  socket?.write(statusLine(answer));
  if (socket !== undefined) await pipeline(answer, socket).catch(() => undefined);
}

function responseOf(outgoing: ClientRequest, target: ForwardTarget): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.once('error', (error) => reject(unreachable(target, error)));
  });
}

async function forwardPlain(request: ConnectRequest, target: ForwardTarget): Promise<void> {
  const outgoing = await send(target, optionsOf(target, request, forwardedHeaders(request.headers)));
  const answered = responseOf(outgoing, target);
  request.body.pipe(outgoing);
  const answer = await answered;
  const headers = forwardedHeaders(answer.headers);
  const { location } = answer.headers;
  const { place } = target;
  if (location !== undefined && place !== undefined) headers['location'] = proxiedLink(location, place);
  const steps = place === undefined ? [] : await pageSteps(answer, place);
  if (steps.length > 0) delete headers['content-length'];
  // A broken answer breaks ours: there is nobody left to tell.
  await pipeline([answer, ...steps, request.respond(answer.statusCode ?? 502, headers)]).catch(
    () => undefined,
  );
}

/** What an HTML page passes through; nothing for other answers and for encodings that we cannot look into. */
async function pageSteps(answer: IncomingMessage, place: ProxiedPlace): Promise<readonly Transform[]> {
  if (!/^text\/html\b/i.test(answer.headers['content-type'] ?? '')) return [];
  const links = new HtmlLinkRewriter(place);
  const encoding = answer.headers['content-encoding'] ?? '';
  if (encoding === '') return [links];
  if (encoding !== 'gzip' && encoding !== 'deflate') return [];
  const { createDeflate, createGunzip, createGzip, createInflate } = await import('node:zlib');
  return encoding === 'gzip'
    ? [createGunzip(), links, createGzip()]
    : [createInflate(), links, createDeflate()];
}

async function forwardUpgrade(
  request: ConnectRequest,
  target: ForwardTarget,
  { socket, head }: NonNullable<ConnectRequest['upgrade']>,
): Promise<void> {
  const headers: Headers = {
    ...forwardedHeaders(request.headers),
    connection: 'Upgrade',
    upgrade: String(request.headers['upgrade'] ?? ''),
  };
  const outgoing = await send(target, optionsOf(target, request, headers));
  await new Promise<void>((resolve, reject) => {
    outgoing.once('error', (error) => reject(unreachable(target, error)));
    outgoing.once('upgrade', (answer, upstream, upstreamHead) => {
      socket.write(statusLine(answer));
      if (upstreamHead.length > 0) socket.write(upstreamHead);
      if (head.length > 0) upstream.write(head);
      const end = (): void => {
        socket.destroy();
        upstream.destroy();
        resolve();
      };
      for (const side of [socket, upstream]) {
        side.on('error', end);
        side.on('close', end);
      }
      socket.pipe(upstream);
      upstream.pipe(socket);
    });
    // Refused: pass the refusal on as it is.
    outgoing.once('response', (answer) => {
      socket.write(statusLine(answer));
      pipeline(answer, socket).then(resolve, () => resolve());
    });
    outgoing.end();
  });
}

/** Status line and headers of an answer, as they came. */
function statusLine(answer: IncomingMessage): string {
  const lines = [`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}`];
  const { rawHeaders } = answer;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    // A body passed on without its chunk framing ends with the connection.
    if (rawHeaders[i]?.toLowerCase() === 'transfer-encoding') continue;
    lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}
