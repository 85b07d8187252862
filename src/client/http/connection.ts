import * as http2 from 'node:http2';
import type { Clock, Logger, Timer } from '#platform';

export interface ConnectionOptions {
  /** `https://host:port`. */
  readonly server: string;
  readonly ca?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
  readonly insecureSkipVerify?: boolean;
  readonly serverName?: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The server cannot be reached, or the connection broke. Whether a write happened is unknown. */
export class ConnectionError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ConnectionError';
  }
}

/** A connection that carried nothing for this long is asked whether it lives: without it, a watch of a dead server never ends. */
const PING_AFTER_MS = 30_000;
const PING_TIMEOUT_MS = 15_000;
const CONNECT_TIMEOUT_MS = 30_000;
/** Flow-control window of the connection: lists come in faster than the default 64 KiB allows. */
const WINDOW_BYTES = 4 * 1024 * 1024;

/** One HTTP/2 connection, opened when needed and again after it broke. */
export class Connection {
  readonly #options: ConnectionOptions;
  #session: Promise<http2.ClientHttp2Session> | undefined;
  #closed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** @throws ConnectionError when the server cannot be reached. */
  session(): Promise<http2.ClientHttp2Session> {
    if (this.#closed) return Promise.reject(new ConnectionError('the client is closed'));
    this.#session ??= this.#connect();
    return this.#session;
  }

  close(): void {
    this.#closed = true;
    this.#session?.then(
      (session) => session.destroy(),
      () => undefined,
    );
    this.#session = undefined;
  }

  #connect(): Promise<http2.ClientHttp2Session> {
    const { server, ca, clientCert, clientKey, insecureSkipVerify, serverName, clock } = this.#options;
    const connected = new Promise<http2.ClientHttp2Session>((resolve, reject) => {
      const session = http2.connect(server, {
        ...(ca === undefined ? {} : { ca }),
        ...(clientCert === undefined ? {} : { cert: clientCert }),
        ...(clientKey === undefined ? {} : { key: clientKey }),
        ...(serverName === undefined ? {} : { servername: serverName }),
        rejectUnauthorized: insecureSkipVerify !== true,
        settings: { enablePush: false, initialWindowSize: WINDOW_BYTES },
      });
      const timer = clock.setTimer(CONNECT_TIMEOUT_MS, () =>
        session.destroy(new Error('connecting took too long')),
      );
      const gone = (error?: Error): void => {
        timer.cancel();
        if (this.#session === connected) this.#session = undefined;
        reject(
          new ConnectionError(`cannot reach ${server}: ${error?.message ?? 'connection closed'}`, error),
        );
      };
      session.once('connect', () => {
        timer.cancel();
        session.setLocalWindowSize(WINDOW_BYTES);
        this.#watchOver(session);
        resolve(session);
      });
      // Streams under way may still finish; new requests take a new connection.
      session.on('goaway', () => {
        if (this.#session === connected) this.#session = undefined;
      });
      session.on('error', gone);
      session.on('close', () => gone());
    });
    return connected;
  }

  #watchOver(session: http2.ClientHttp2Session): void {
    const { clock, logger, server } = this.#options;
    let timer: Timer;
    const ask = (): void => {
      const timeout = clock.setTimer(PING_TIMEOUT_MS, () => {
        logger.warn({ server }, 'connection is dead');
        session.destroy(new Error('no answer to a ping'));
      });
      const sent = session.ping((error) => {
        timeout.cancel();
        if (error === null && !session.destroyed) timer = clock.setTimer(PING_AFTER_MS, ask);
      });
      if (!sent) timeout.cancel();
    };
    timer = clock.setTimer(PING_AFTER_MS, ask);
    session.once('close', () => timer.cancel());
  }
}
