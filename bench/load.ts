/** One load generator for all peers: HTTP/2, JSON, a fixed number of clients that each wait for their answer. */
import { performance } from 'node:perf_hooks';
import { Http2Client } from './http2-client.ts';
import type { Peer } from './peers.ts';

/** Clients share so many connections, as many Go clients would. */
const CLIENTS_PER_CONNECTION = 16;

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

export class LoadClient implements Disposable {
  readonly #connections: readonly Http2Client[];

  static async connect(peer: Peer, connections: number): Promise<LoadClient> {
    const { port, pki } = peer;
    const { certPem, keyPem } = pki.admin;
    const options = { port, caPem: pki.caPem, certPem, keyPem };
    return new LoadClient(
      await Promise.all(Array.from({ length: connections }, () => Http2Client.connect(options))),
    );
  }

  private constructor(connections: readonly Http2Client[]) {
    this.#connections = connections;
  }

  /** Clients are dealt to the connections in turn. */
  connection(index: number): Http2Client {
    const connection = this.#connections[index % this.#connections.length];
    if (connection === undefined) throw new Error('a load client needs at least one connection');
    return connection;
  }

  send(index: number, method: string, path: string, body?: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let status = 0;
      this.connection(index).request(method, path, body, {
        head: (code) => (status = code),
        data: (bytes) => chunks.push(bytes),
        end: (error) => (error === undefined ? resolve({ status, body: joined(chunks) }) : reject(error)),
      });
    });
  }

  /** Bytes of the answer, which is not kept. @throws Error when it is not a 200. */
  count(index: number, path: string): Promise<number> {
    return new Promise((resolve, reject) => {
      let length = 0;
      let status = 0;
      this.connection(index).request('GET', path, undefined, {
        head: (code) => (status = code),
        data: (bytes) => (length += bytes.length),
        end: (error) => {
          if (error === undefined && status === 200) resolve(length);
          else reject(error ?? new Error(`${path} answered ${status}`));
        },
      });
    });
  }

  [Symbol.dispose](): void {
    for (const connection of this.#connections) connection[Symbol.dispose]();
  }
}

const joined = (chunks: readonly Buffer[]): Buffer =>
  chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);

/** Requests answered per second by `clients` clients that send one after the other for `seconds`. */
export async function throughput(
  peer: Peer,
  clients: number,
  seconds: number,
  request: (client: LoadClient, index: number, sequence: number) => Promise<Answer>,
): Promise<number> {
  using client = await LoadClient.connect(peer, Math.ceil(clients / CLIENTS_PER_CONNECTION));
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
