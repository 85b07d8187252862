import type { Duplex } from 'node:stream';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface UdpSocket {
  readonly address: Address;
  send(data: Uint8Array, to: Address): void;
  close(): Promise<void>;
}

export interface TcpListener {
  readonly address: Address;
  close(): Promise<void>;
}

/** Raw TCP and UDP: probes, port-forward, DNS. HTTP goes through `node:http2`/`node:https` directly. */
export interface Sockets {
  /** Rejects with Node's error (`ECONNREFUSED`, …) or the signal's reason. */
  connectTcp(to: Address, options?: { readonly signal?: AbortSignal }): Promise<Duplex>;
  listenTcp(at: Address, onConnection: (socket: Duplex, from: Address) => void): Promise<TcpListener>;
  bindUdp(at: Address, onMessage: (data: Buffer, from: Address) => void): Promise<UdpSocket>;
}
