/**
 * Requests whose answer is not an object: `pods/log`, `exec`, `attach`, `portforward`, and the proxies. After
 * authentication, authorization and admission the raw exchange is handed to the connector of the subresource.
 */
import type { Duplex, Readable, Writable } from 'node:stream';
import type { ResourceTarget, UserInfo } from '#machinery';

export interface ConnectRequest {
  readonly target: ResourceTarget;
  readonly user: UserInfo;
  readonly method: string;
  /** What follows the subresource in the URL, with its leading slash; '' when nothing does. */
  readonly trailingPath: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The request's body; empty for an upgrade. */
  readonly body: Readable;
  /**
   * HTTP/1.1 Upgrade (WebSocket, SPDY): the connection itself. The connector writes the whole answer, status line
   * included, and owns the socket from here on. Absent for ordinary requests.
   */
  readonly upgrade?: { readonly socket: Duplex; readonly head: Buffer };
  /** Starts the answer of an ordinary request; ending the stream ends it. At most once. */
  respond(status: number, headers: Readonly<Record<string, string | readonly string[]>>): Writable;
  /** Aborted when the client is gone or the server shuts down. */
  readonly signal: AbortSignal;
}

export interface Connector {
  readonly group: string;
  /** `pods`, `services`, `nodes` */
  readonly resource: string;
  /** `log`, `exec`, `attach`, `portforward`, `proxy` */
  readonly subresource: string;
  /** Resolves when the exchange is over. @throws StatusError before anything was answered. */
  connect(request: ConnectRequest): Promise<void>;
}
