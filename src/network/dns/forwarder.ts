/** Asks other name servers what is not the cluster's. */
import type { Address, Clock, Random, Sockets, Timer, UdpSocket } from '#platform';

/** Questions under way; one more is answered SERVFAIL. */
const MAX_IN_FLIGHT = 1_000;
const TIMEOUT_MS = 2_000;

export class ForwardingError extends Error {
  constructor(reason: string) {
    super(`the question could not be forwarded: ${reason}`);
    this.name = 'ForwardingError';
  }
}

interface Pending {
  readonly resolve: (answer: Buffer) => void;
  readonly originalId: number;
  readonly server: Address;
  readonly timer: Timer;
}

export interface ForwarderOptions {
  readonly sockets: Sockets;
  readonly clock: Clock;
  readonly random: Random;
  /** Tried in order. */
  readonly upstreams: readonly Address[];
}

/** One UDP socket for all questions; each gets an unused random id, so that answers cannot be guessed or mixed up. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #pending = new Map<number, Pending>();
  #socket: Promise<UdpSocket> | undefined;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /**
   * The first answer of the upstreams, byte for byte but for the id.
   * @throws ForwardingError when none answers in time, there is none, or too many questions are under way.
   */
  async ask(query: Buffer): Promise<Buffer> {
    const { upstreams } = this.#options;
    if (upstreams.length === 0) throw new ForwardingError('there are no upstream servers');
    if (this.#pending.size >= MAX_IN_FLIGHT) throw new ForwardingError('too many questions are under way');
    for (const server of upstreams) {
      const answer = await this.#askOne(query, server);
      if (answer !== undefined) return answer;
    }
    throw new ForwardingError('no upstream server answered in time');
  }

  async close(): Promise<void> {
    for (const { timer } of this.#pending.values()) timer.cancel();
    this.#pending.clear();
    await (await this.#socket)?.close();
  }

  async #askOne(query: Buffer, server: Address): Promise<Buffer | undefined> {
    const host = server.host.includes(':') ? '::' : '0.0.0.0';
    this.#socket ??= this.#options.sockets.bindUdp({ host, port: 0 }, (data, from) =>
      this.#onAnswer(data, from),
    );
    const socket = await this.#socket;
    return new Promise((resolve) => {
      const id = this.#freeId();
      const timer = this.#options.clock.setTimer(TIMEOUT_MS, () => {
        this.#pending.delete(id);
        resolve(undefined);
      });
      this.#pending.set(id, { resolve, originalId: query.readUInt16BE(0), server, timer });
      const copy = Buffer.from(query);
      copy.writeUInt16BE(id, 0);
      socket.send(copy, server);
    });
  }

  #onAnswer(data: Buffer, from: Address): void {
    if (data.length < 12) return;
    const id = data.readUInt16BE(0);
    const pending = this.#pending.get(id);
    if (pending === undefined || pending.server.host !== from.host || pending.server.port !== from.port)
      return;
    this.#pending.delete(id);
    pending.timer.cancel();
    data.writeUInt16BE(pending.originalId, 0);
    pending.resolve(data);
  }

  #freeId(): number {
    for (;;) {
      const id = Math.floor(this.#options.random.next() * 65_536);
      if (!this.#pending.has(id)) return id;
    }
  }
}
