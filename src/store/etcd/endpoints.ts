import { checkServerIdentity } from 'node:tls';
import { Client, connectivityState, credentials } from '@grpc/grpc-js';
import type { ChannelCredentials } from '@grpc/grpc-js';
import type { Clock } from '#platform';
import { StoreUnavailableError } from '../store.ts';

/** How long a call waits for any endpoint to be reachable before it fails. */
const CONNECT_TIMEOUT_MS = 5_000;

const CHANNEL_OPTIONS = {
  // A dead peer is noticed within 40 s, also when nothing is being asked.
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 3_000,
  // A list of everything is one message.
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  // Otherwise all stores of a process share one connection, closed by none and slow for all.
  'grpc.use_local_subchannel_pool': 1,
} as const;

/**
 * TLS has no server name for an IP address, and Node refuses one; grpc-js gives it all the same unless it is told
 * another. The certificate is still checked against the address: see `channelCredentials`.
 */
const NAME_FOR_IP = { 'grpc.ssl_target_name_override': 'etcd' } as const;

export const STATUS = '/etcdserverpb.Maintenance/Status';

/** PEM contents, not paths. */
export interface EtcdTls {
  /** Authorities to trust; absent: those of the system. */
  readonly ca?: Buffer;
  /** Client certificate and its key, when etcd asks for one. */
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

export interface Endpoint {
  readonly address: string;
  readonly client: Client;
}

/**
 * The members of an etcd cluster, one connection each, made when needed. Calls go to one of them until it fails;
 * a call is sent on an established connection only, so that "not reachable" never means "may have happened".
 */
export class Endpoints {
  readonly #endpoints: readonly Endpoint[];
  readonly #clock: Clock;
  #preferred = 0;

  /** `endpoints` as etcdctl takes them: `http://host:port`, `https://host:port` or `host:port`. */
  constructor(endpoints: readonly string[], tls: EtcdTls | undefined, clock: Clock) {
    if (endpoints.length === 0) throw new RangeError('no etcd endpoint was given');
    this.#clock = clock;
    this.#endpoints = endpoints.map((endpoint) => {
      const { address, isSecure } = parseEndpoint(endpoint, tls !== undefined);
      const ip = ipOf(address);
      const options = ip === undefined ? CHANNEL_OPTIONS : { ...CHANNEL_OPTIONS, ...NAME_FOR_IP };
      return { address, client: new Client(address, channelCredentials(isSecure, tls, ip), options) };
    });
  }

  get count(): number {
    return this.#endpoints.length;
  }

  /** A connected endpoint, the preferred one if it is. @throws StoreUnavailableError naming all; the signal's reason. */
  async ready(signal?: AbortSignal): Promise<Endpoint> {
    for (let at = 0; at < this.#endpoints.length; at++) {
      const index = (this.#preferred + at) % this.#endpoints.length;
      const endpoint = this.#endpoints[index];
      // Asking also starts connecting: the others only once the preferred one is not there.
      if (endpoint?.client.getChannel().getConnectivityState(true) === connectivityState.READY) {
        this.#preferred = index;
        return endpoint;
      }
    }
    return this.#firstReady(signal);
  }

  /** This endpoint did not answer well: the next call tries another first. */
  avoid(endpoint: Endpoint): void {
    const index = this.#endpoints.indexOf(endpoint);
    if (index === this.#preferred) this.#preferred = (index + 1) % this.#endpoints.length;
  }

  close(): void {
    for (const { client } of this.#endpoints) client.close();
  }

  #firstReady(signal: AbortSignal | undefined): Promise<Endpoint> {
    return new Promise((resolve, reject) => {
      let settled = false;
      const settle = (how: () => void): void => {
        if (settled) return;
        settled = true;
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
        how();
      };
      const onAbort = (): void => settle(() => reject(signal?.reason as Error));
      const reasons = new Map<string, string>();
      const timer = this.#clock.setTimer(CONNECT_TIMEOUT_MS, () => {
        const tried = this.#endpoints.map(({ address }) => {
          const reason = reasons.get(address);
          return reason === undefined ? address : `${address} (${reason})`;
        });
        settle(() => reject(new StoreUnavailableError(`no etcd is reachable at ${tried.join(', ')}`)));
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      for (const [index, endpoint] of this.#endpoints.entries()) {
        askWhyNot(endpoint, (reason) => reasons.set(endpoint.address, reason));
        whenReady(
          endpoint.client,
          () => settled,
          () => {
            settle(() => {
              this.#preferred = index;
              resolve(endpoint);
            });
          },
        );
      }
    });
  }
}

/** A channel does not say why it cannot connect; a call that fails because of it does. */
function askWhyNot(endpoint: Endpoint, onReason: (reason: string) => void): void {
  const bytes = (buffer: Buffer): Buffer => buffer;
  endpoint.client.makeUnaryRequest(STATUS, bytes, bytes, Buffer.alloc(0), (error) => {
    const reason = /Last error: (?:\w*Error: )?(.*?)\.? Resolution note:/.exec(error?.details ?? '')?.[1];
    if (reason !== undefined) onReason(reason);
  });
}

function whenReady(client: Client, isOver: () => boolean, then: () => void): void {
  if (isOver()) return;
  const channel = client.getChannel();
  const state = channel.getConnectivityState(true);
  if (state === connectivityState.READY) then();
  else if (state !== connectivityState.SHUTDOWN) {
    channel.watchConnectivityState(state, Infinity, () => whenReady(client, isOver, then));
  }
}

function parseEndpoint(
  endpoint: string,
  hasTls: boolean,
): { readonly address: string; readonly isSecure: boolean } {
  const [, scheme, address] = /^(?:(https?):\/\/)?(.+?)\/?$/.exec(endpoint) ?? [];
  if (address === undefined) throw new RangeError(`${JSON.stringify(endpoint)} is not an etcd endpoint`);
  return { address, isSecure: scheme === undefined ? hasTls : scheme === 'https' };
}

function channelCredentials(
  isSecure: boolean,
  tls: EtcdTls | undefined,
  ip: string | undefined,
): ChannelCredentials {
  if (!isSecure) return credentials.createInsecure();
  return credentials.createSsl(
    tls?.ca ?? null,
    tls?.key ?? null,
    tls?.cert ?? null,
    ip === undefined
      ? {}
      : { checkServerIdentity: (_name, certificate) => checkServerIdentity(ip, certificate) },
  );
}

/** The host of the address when it is an IP address. */
function ipOf(address: string): string | undefined {
  return (
    /^\[([0-9a-f:.]+)\](?::\d+)?$/i.exec(address)?.[1] ?? /^(\d+(?:\.\d+){3})(?::\d+)?$/.exec(address)?.[1]
  );
}
