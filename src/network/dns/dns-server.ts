/**
 * The cluster's DNS server of one node, over UDP and TCP: the cluster's names from informers, all others forwarded.
 */
import type { Duplex } from 'node:stream';
import { decode, encode, RECURSION_DESIRED, type Answer, type Packet, type Question } from 'dns-packet';
import type { InformerFactory } from '#client';
import type { Address, Clock, Logger, Random, Sockets, TcpListener, UdpSocket } from '#platform';
import { Forwarder } from './forwarder.ts';
import { ClusterNames } from './names.ts';
import { ClusterResponder, type Reply } from './responder.ts';

/** RFC 1035: what fits into UDP without EDNS0. */
const PLAIN_UDP_BYTES = 512;
const MAX_UDP_BYTES = 1232;
const AUTHORITATIVE = 1 << 10;
const RECURSION_AVAILABLE = 1 << 7;
const TRUNCATED = 1 << 9;
const RCODES = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3 } as const;
/** A TCP client that sends nothing more is let go. */
const TCP_IDLE_MS = 10_000;

export interface DnsServerOptions {
  readonly informers: InformerFactory;
  readonly sockets: Sockets;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly listen: readonly Address[];
  readonly clusterDomain: string;
  readonly upstreams: readonly Address[];
}

interface DecodedQuery extends Packet {
  readonly questions: Question[];
}

export class DnsServer {
  readonly #options: DnsServerOptions;
  readonly #names: ClusterNames;
  readonly #responder: ClusterResponder;
  readonly #forwarder: Forwarder;
  readonly #stopped = new AbortController();
  readonly #udp: UdpSocket[] = [];
  readonly #tcp: TcpListener[] = [];

  constructor(options: DnsServerOptions) {
    this.#options = options;
    this.#names = new ClusterNames(options.informers, options.clusterDomain);
    this.#responder = new ClusterResponder(this.#names, options.clusterDomain);
    this.#forwarder = new Forwarder(options);
  }

  /** Addresses really listened on (UDP), in the order of `listen`. */
  get addresses(): readonly Address[] {
    return this.#udp.map((socket) => socket.address);
  }

  /** Listens only when the names are known: until then clients ask again rather than hear a wrong NXDOMAIN. */
  async start(): Promise<void> {
    await this.#names.synced(this.#stopped.signal);
    for (const address of this.#options.listen) {
      const socket: UdpSocket = await this.#options.sockets.bindUdp(address, (data, from) => {
        void this.#respond(data, true).then((answer) => {
          if (answer !== undefined && !this.#stopped.signal.aborted) socket.send(answer, from);
        });
      });
      this.#udp.push(socket);
      const tcpAddress = { host: address.host, port: socket.address.port };
      this.#tcp.push(
        await this.#options.sockets.listenTcp(tcpAddress, (stream) => this.#serveStream(stream)),
      );
    }
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('DNS server stopped'));
    await Promise.all([...this.#udp, ...this.#tcp].map((socket) => socket.close()));
    await this.#forwarder.close();
  }

  /** Undefined: not a question at all, no answer. Never rejects. */
  async #respond(data: Buffer, isUdp: boolean): Promise<Buffer | undefined> {
    let query: DecodedQuery;
    try {
      query = decode(data) as DecodedQuery;
    } catch {
      return data.length < 12 ? undefined : failure(data.readUInt16BE(0), 'FORMERR');
    }
    const id = query.id ?? 0;
    const [question] = query.questions;
    if (query.type !== 'query') return undefined;
    if (question === undefined) return failure(id, 'FORMERR');
    try {
      const reply = this.#responder.answer(question);
      if (reply === undefined) return await this.#forwarder.ask(data);
      return this.#encode(query, question, await this.#followAlias(question, reply), isUdp);
    } catch (error) {
      this.#options.logger.debug({ error, name: question.name }, 'a DNS question could not be answered');
      return failure(id, 'SERVFAIL', question);
    }
  }

  /** An ExternalName outside the cluster: adds what the upstream knows about the target. */
  async #followAlias(question: Question, reply: Reply): Promise<Reply> {
    const target = this.#responder.aliasOf(question);
    if (target === undefined || question.type === 'CNAME' || reply.answers.length !== 1) return reply;
    const query = encode({
      type: 'query',
      id: 0,
      flags: RECURSION_DESIRED,
      questions: [{ ...question, name: target }],
    });
    try {
      const answers: readonly Answer[] = decode(await this.#forwarder.ask(query)).answers ?? [];
      return { ...reply, answers: [...reply.answers, ...answers] };
    } catch {
      return reply;
    }
  }

  #encode(query: DecodedQuery, question: Question, reply: Reply, isUdp: boolean): Buffer {
    const edns = query.additionals?.find((record) => record.type === 'OPT');
    const limit = !isUdp
      ? 65_535
      : edns === undefined
        ? PLAIN_UDP_BYTES
        : Math.max(PLAIN_UDP_BYTES, Math.min(MAX_UDP_BYTES, edns.udpPayloadSize));
    const opt: Answer[] =
      edns === undefined
        ? []
        : [
            {
              type: 'OPT',
              name: '.',
              udpPayloadSize: MAX_UDP_BYTES,
              extendedRcode: 0,
              ednsVersion: 0,
              flags: 0,
              flag_do: false,
              options: [],
            },
          ];
    const desired = (query.flags ?? 0) & RECURSION_DESIRED;
    const flags = AUTHORITATIVE | RECURSION_AVAILABLE | desired | RCODES[reply.rcode];
    const packet: Packet = {
      type: 'response',
      id: query.id ?? 0,
      flags,
      questions: [question],
      answers: [...reply.answers],
      authorities: [...reply.authorities],
      additionals: [...reply.additionals, ...opt],
    };
    const bytes = encode(packet);
    if (bytes.length <= limit) return bytes;
    return encode({ ...packet, flags: flags | TRUNCATED, answers: [], authorities: [], additionals: opt });
  }

  /** RFC 7766: two bytes of length before each message, several messages a connection. */
  #serveStream(stream: Duplex): void {
    let buffered: Buffer = Buffer.alloc(0);
    const idle = (): ReturnType<Clock['setTimer']> =>
      this.#options.clock.setTimer(TCP_IDLE_MS, () => stream.destroy());
    let timer = idle();
    stream.on('error', () => undefined);
    stream.on('close', () => timer.cancel());
    stream.on('data', (chunk: Buffer) => {
      timer.cancel();
      timer = idle();
      buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk]);
      while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
        const end = 2 + buffered.readUInt16BE(0);
        const message = buffered.subarray(2, end);
        buffered = buffered.subarray(end);
        void this.#respond(message, false).then((answer) => {
          if (answer === undefined || stream.destroyed) return;
          const length = Buffer.alloc(2);
          length.writeUInt16BE(answer.length);
          stream.write(Buffer.concat([length, answer]));
        });
      }
    });
  }
}

function failure(id: number, rcode: 'FORMERR' | 'SERVFAIL', question?: Question): Buffer {
  return encode({
    type: 'response',
    id,
    flags: RECURSION_AVAILABLE | RCODES[rcode],
    questions: question === undefined ? [] : [question],
  });
}
