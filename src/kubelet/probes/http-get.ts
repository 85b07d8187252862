/** One HTTP GET as probes and hooks make it: over the injected sockets, certificates unchecked, a bounded body. */
import { request as plainRequest, type ClientRequestArgs, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { coreV1 } from '#api';
import type { Sockets } from '#platform';
import type { Container } from '../pods/pod-spec.ts';
import { resolvePort } from './container-port.ts';

export interface HttpAnswer {
  readonly statusCode: number;
  readonly location: string | undefined;
  readonly body: string;
}

export interface HttpGetTarget {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Bytes of the answer that are read; upstream's limit. */
const MAX_BODY_BYTES = 10 * 1024;

/** `agent` names who asks: `probe` or `lifecycle`. @throws for a port that cannot be resolved. */
export function httpGetTarget(
  action: coreV1.HTTPGetAction,
  container: Container,
  podIp: string,
  agent: 'probe' | 'lifecycle',
): HttpGetTarget {
  const host = action.host === undefined || action.host === '' ? podIp : action.host;
  const port = resolvePort(action.port, container);
  const tls = action.scheme === 'HTTPS';
  const path = action.path === undefined || action.path === '' ? '/' : action.path;
  const rooted = path.startsWith('/') ? path : `/${path}`;
  const headers: Record<string, string> = {};
  for (const { name, value } of action.httpHeaders ?? []) headers[name.toLowerCase()] = value;
  // An empty User-Agent or Accept means: send none.
  const withDefault = (name: string, fallback: string): void => {
    if (headers[name] === undefined) headers[name] = fallback;
    else if (headers[name] === '') delete headers[name];
  };
  withDefault('user-agent', `kube-${agent}/1.36`);
  withDefault('accept', '*/*');
  const shown = host.includes(':') ? `[${host}]` : host;
  return {
    url: `${tls ? 'https' : 'http'}://${shown}:${port}${rooted}`,
    host,
    port,
    tls,
    path: rooted,
    headers,
  };
}

/** @throws Node's connection errors, or the signal's reason. */
export async function httpGet(
  sockets: Sockets,
  target: HttpGetTarget,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const raw = await sockets.connectTcp({ host: target.host, port: target.port }, { signal });
  const socket: Duplex = target.tls ? await upgrade(raw, target, signal) : raw;
  try {
    return await exchange(socket, target, signal);
  } finally {
    socket.destroy();
    raw.destroy();
  }
}

function upgrade(socket: Duplex, target: HttpGetTarget, signal: AbortSignal): Promise<Duplex> {
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
  const tls = connectTls({ socket, rejectUnauthorized: false, servername: target.headers['host'] ?? '' });
  const leave = (): void => {
    reject(signal.reason as Error);
    tls.destroy();
  };
  signal.addEventListener('abort', leave, { once: true });
  tls.once('secureConnect', () => resolve(tls));
  tls.once('error', reject);
  return promise.finally(() => signal.removeEventListener('abort', leave));
}

function exchange(socket: Duplex, target: HttpGetTarget, signal: AbortSignal): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const options: ClientRequestArgs = {
    method: 'GET',
    path: target.path,
    headers: { host: `${target.host}:${target.port}`, connection: 'close', ...target.headers },
    createConnection: () => socket,
    signal,
  };
  const request = plainRequest(options, (response) => {
    readBody(response).then(
      (body) => resolve({ statusCode: response.statusCode ?? 0, location: response.headers.location, body }),
      reject,
    );
  });
  request.once('error', (e) => reject(signal.aborted ? (signal.reason as Error) : e));
  request.end();
  return promise;
}

async function readBody(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    pieces.push(piece);
    size += piece.length;
    if (size >= MAX_BODY_BYTES) break;
  }
  return Buffer.concat(pieces).subarray(0, MAX_BODY_BYTES).toString();
}
