/**
 * Port forwarding: for each connection of the client a pair of SPDY streams, `data` and `error`, with the same
 * request id. The SPDY connection is the upgraded one itself, or is carried inside a WebSocket (KEP-4006).
 */
import { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import { acceptSpdy } from './remote-command.ts';
import { SpdySession, type SpdyStream } from './spdy/session.ts';
import { headerOf, refuseUpgrade, type UpgradeRequest } from './upgrade.ts';
import { acceptWebSocket, isWebSocket, type WebSocketConnection } from './websocket/websocket.ts';

const PROTOCOL = 'portforward.k8s.io';
const TUNNEL_PROTOCOL = 'SPDY/3.1+portforward.k8s.io';

/** Opens a connection to a port of the pod. */
export type ConnectPort = (port: number, signal: AbortSignal) => Promise<Duplex>;

/** Takes the connection over; resolves when the client is gone. */
export async function servePortForward(request: UpgradeRequest, connect: ConnectPort): Promise<void> {
  if (isWebSocket(request)) {
    const accepted = acceptWebSocket(request, [TUNNEL_PROTOCOL]);
    if (accepted === undefined) return;
    await serveSession(new SpdySession(tunnel(accepted.socket)), Buffer.alloc(0), connect);
  } else if (headerOf(request, 'upgrade').toUpperCase() === 'SPDY/3.1') {
    const accepted = acceptSpdy(request, [PROTOCOL]);
    if (accepted === undefined) return;
    await serveSession(accepted.session, request.head, connect);
  } else {
    refuseUpgrade(request, 400, 'Bad Request', 'Upgrade request required');
  }
}

/** A byte stream inside binary messages. */
function tunnel(socket: WebSocketConnection): Duplex {
  const stream = new Duplex({
    read: () => socket.resume(),
    write: (chunk: Buffer, _encoding, callback) => socket.send(chunk, callback),
    final: (callback) => {
      socket.close();
      callback();
    },
  });
  socket.start({
    onMessage: (data) => {
      if (!stream.push(data)) socket.pause();
    },
    onClose: () => stream.destroy(),
  });
  return stream;
}

interface Pair {
  data?: SpdyStream;
  error?: SpdyStream;
}

function serveSession(session: SpdySession, head: Buffer, connect: ConnectPort): Promise<void> {
  const gone = new AbortController();
  const pairs = new Map<string, Pair>();
  return new Promise((resolve) => {
    session.start(head, {
      onStream(stream) {
        const id = stream.headers['requestid'] ?? stream.headers['port'] ?? '';
        const pair = pairs.get(id) ?? {};
        pairs.set(id, pair);
        if (stream.headers['streamtype'] === 'error') pair.error = stream;
        else pair.data = stream;
        if (pair.data === undefined || pair.error === undefined) return;
        pairs.delete(id);
        void forward(pair.data, pair.error, connect, gone.signal);
      },
      onClose() {
        gone.abort(new Error('the client closed the connection'));
        resolve();
      },
    });
  });
}

/** Never rejects: what goes wrong is written to the error stream. */
async function forward(
  data: SpdyStream,
  error: SpdyStream,
  connect: ConnectPort,
  signal: AbortSignal,
): Promise<void> {
  const port = Number(data.headers['port']);
  try {
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      throw new Error(`"${data.headers['port'] ?? ''}" is not a port`);
    }
    const target = await connect(port, signal);
    await join(data, target, signal);
    error.end();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    if (!error.destroyed) error.end(`error forwarding port ${port}: ${message}`);
    data.destroy();
  }
}

/**
 * Joins the two until the pod has ended and all it sent is on its way, or one of them breaks. The client ending its
 * direction ends only that one: it may still read the answer.
 * Not `pipeline`: that destroys the client's stream when the pod closes while the client could still send, and with
 * it bytes that have not gone out.
 */
async function join(client: SpdyStream, target: Duplex, signal: AbortSignal): Promise<void> {
  const leave = (): void => void target.destroy();
  signal.addEventListener('abort', leave, { once: true });
  client.once('close', leave);
  try {
    client.pipe(target);
    target.pipe(client);
    await Promise.all([finished(target, { writable: false }), finished(client, { readable: false })]);
  } finally {
    signal.removeEventListener('abort', leave);
    target.destroy();
  }
}
