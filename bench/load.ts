/** One load generator for all peers: HTTP/2, JSON, a fixed number of clients that each wait for their answer. */
import { type ClientHttp2Session, connect } from 'node:http2';
import { performance } from 'node:perf_hooks';
import type { Peer } from './peers.ts';

/** Clients share so many connections, as many Go clients would. */
const CLIENTS_PER_CONNECTION = 16;

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

export class LoadClient implements Disposable {
  readonly #sessions: readonly ClientHttp2Session[];

  constructor(peer: Peer, connections: number) {
    const { caPem, admin } = peer.pki;
    this.#sessions = Array.from({ length: connections }, () => {
      const session = connect(`https://127.0.0.1:${peer.port}`, {
        ca: caPem,
        cert: admin.certPem,
        key: admin.keyPem,
      });
      session.setMaxListeners(0);
      session.on('error', () => undefined);
      return session;
    });
  }

  session(index: number): ClientHttp2Session {
    const session = this.#sessions[index % this.#sessions.length];
    if (session === undefined) throw new Error('a load client needs at least one connection');
    return session;
  }

  send(index: number, method: string, path: string, body?: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = {
        ':method': method,
        ':path': path,
        accept: 'application/json',
        'content-type': 'application/json',
      };
      const stream = this.session(index).request(headers, { endStream: body === undefined });
      const chunks: Buffer[] = [];
      let status = 0;
      stream.on('response', (response) => (status = Number(response[':status'])));
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => resolve({ status, body: Buffer.concat(chunks) }));
      stream.on('error', reject);
      if (body !== undefined) stream.end(body);
    });
  }

  [Symbol.dispose](): void {
    for (const session of this.#sessions) session.destroy();
  }
}

/** Requests answered per second by `clients` clients that send one after the other for `seconds`. */
export async function throughput(
  peer: Peer,
  clients: number,
  seconds: number,
  request: (client: LoadClient, index: number, sequence: number) => Promise<Answer>,
): Promise<number> {
  using client = new LoadClient(peer, Math.ceil(clients / CLIENTS_PER_CONNECTION));
  let answered = 0;
  let sequence = 0;
  const startedAt = performance.now();
  const end = startedAt + seconds * 1000;
  await Promise.all(
    Array.from({ length: clients }, async (_, index) => {
      while (performance.now() < end) {
        const { status, body } = await request(client, index, sequence++);
        if (status >= 400)
          throw new Error(`${peer.name} answered ${status}: ${body.toString().slice(0, 300)}`);
        answered++;
      }
    }),
  );
  return (answered / (performance.now() - startedAt)) * 1000;
}
