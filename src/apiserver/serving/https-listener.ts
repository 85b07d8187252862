/**
 * HTTPS for HTTP/2 and HTTP/1.1 on one port. HTTP/2 requests are taken from the stream event; Node's compatibility
 * layer, which would build a second set of objects for each of them, is kept out.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  createSecureServer,
  type Http2SecureServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Exchange } from './exchange.ts';
import { Http1Exchange } from './http1-exchange.ts';
import { Http2Exchange } from './http2-exchange.ts';

/** Requests a client may have open on one connection; watches count. */
const MAX_STREAMS_PER_CONNECTION = 1000;
/** What a client may send before it is told to go on. */
const WINDOW_BYTES = 1024 * 1024;

export interface ListenOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls: {
    readonly cert: string;
    readonly key: string;
    /** Client certificates are checked against it; absent: none is asked for. */
    readonly clientCa?: string | readonly string[];
  };
}

export interface Listener {
  readonly port: number;
  /** Takes no new connections, lets requests finish for `graceMs` (in the caller's hands), then cuts the rest. */
  close(): Promise<void>;
}

export interface ListenerHandlers {
  request(exchange: Exchange): void;
  upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    clientCertificate: Uint8Array | undefined,
  ): void;
}

/** A connection before TLS. */
type Connection = Duplex & { setNoDelay(isOn: boolean): void };

/** The DER of a verified client certificate, read once per connection. */
const certificates = new WeakMap<object, { readonly raw: Uint8Array | undefined }>();

function certificateOf(socket: TLSSocket): Uint8Array | undefined {
  const known = certificates.get(socket);
  if (known !== undefined) return known.raw;
  const raw = socket.authorized ? socket.getPeerX509Certificate()?.raw : undefined;
  certificates.set(socket, { raw });
  return raw;
}

export async function listenHttps(options: ListenOptions, handlers: ListenerHandlers): Promise<Listener> {
  const { tls } = options;
  const server = createSecureServer({
    allowHTTP1: true,
    cert: tls.cert,
    key: tls.key,
    ...(tls.clientCa === undefined
      ? {}
      : { ca: typeof tls.clientCa === 'string' ? tls.clientCa : [...tls.clientCa], requestCert: true }),
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    settings: { maxConcurrentStreams: MAX_STREAMS_PER_CONNECTION, initialWindowSize: WINDOW_BYTES },
    maxHeaderListPairs: 1024,
    maxSessionMemory: 1000,
  });
  const sessions = new Set<ServerHttp2Session>();
  const sockets = new Set<Connection>();
  server.on('connection', (socket: Connection) => {
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('session', (session) => {
    sessions.add(session);
    session.setLocalWindowSize(WINDOW_BYTES);
    session.on('error', () => undefined);
    session.once('close', () => sessions.delete(session));
  });
  takeRequests(server, handlers);
  // Broken handshakes and resets are the client's affair.
  server.on('sessionError', () => undefined);
  server.on('tlsClientError', () => undefined);
  server.on('clientError', (_error: Error, socket: Duplex) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return {
    port: portOf(server),
    close: () => closeAll(server, sessions, sockets),
  };
}

function portOf(server: Http2SecureServer): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function takeRequests(server: Http2SecureServer, handlers: ListenerHandlers): void {
  server.on('request', (request, response) => {
    // Only HTTP/1.1 comes this way, see below; Node's types name the HTTP/2 classes for both.
    const req = request as unknown as IncomingMessage;
    handlers.request(
      new Http1Exchange(req, response as unknown as ServerResponse, certificateOf(req.socket as TLSSocket)),
    );
  });
  // Listening for `request` has put the compatibility layer on `stream`; for HTTP/2 we do without it.
  server.removeAllListeners('stream');
  server.on('stream', (stream: ServerHttp2Stream, headers, flags) => {
    const socket = stream.session?.socket as TLSSocket | undefined;
    if (socket === undefined) return;
    handlers.request(new Http2Exchange(stream, headers, flags, certificateOfSession(stream)));
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => undefined);
    handlers.upgrade(request, socket, head, certificateOf(request.socket as TLSSocket));
  });
}

/** By session: asking the session for its socket goes through a proxy each time. */
function certificateOfSession(stream: ServerHttp2Stream): Uint8Array | undefined {
  const { session } = stream;
  if (session === undefined) return undefined;
  const known = certificates.get(session);
  if (known !== undefined) return known.raw;
  const socket = session.socket as TLSSocket;
  const raw = socket.authorized ? socket.getPeerX509Certificate()?.raw : undefined;
  certificates.set(session, { raw });
  return raw;
}

function closeAll(
  server: Http2SecureServer,
  sessions: ReadonlySet<ServerHttp2Session>,
  sockets: ReadonlySet<Connection>,
): Promise<void> {
  return new Promise<void>((resolve) => {
    server.close(() => resolve());
    for (const session of sessions) session.close();
    // What is idle goes now; what is still answering has been given its time by the caller.
    for (const session of sessions) session.destroy();
    for (const socket of sockets) socket.destroy();
  });
}
