/** What a test does to requests on their way: count them for the clock, make some of them fail. */
import {
  type ApiEndpoint,
  type ResourceRequest,
  StatusError,
  type UserInfo,
  type WatchRequest,
} from '#machinery';

/** Decides about a request before it is sent: returning an error makes it fail with that one. */
export type RequestFault = (request: ResourceRequest | WatchRequest, user: UserInfo) => Error | undefined;

export class Interposer {
  /** Requests that have not been answered yet. A watch counts until it is accepted. */
  underWay = 0;
  readonly #faults = new Set<RequestFault>();

  /** Returns the way to end the fault. */
  addFault(fault: RequestFault): () => void {
    this.#faults.add(fault);
    return () => this.#faults.delete(fault);
  }

  interpose(endpoint: ApiEndpoint, user: UserInfo): ApiEndpoint {
    return {
      request: (request, options) => this.#send(request, user, () => endpoint.request(request, options)),
      watch: (request, options) => this.#send(request, user, () => endpoint.watch(request, options)),
    };
  }

  async #send<R>(
    request: ResourceRequest | WatchRequest,
    user: UserInfo,
    send: () => Promise<R>,
  ): Promise<R> {
    this.underWay++;
    try {
      for (const fault of this.#faults) {
        const error = fault(request, user);
        if (error !== undefined) throw error;
      }
      return await send();
    } finally {
      this.underWay--;
    }
  }
}

/** The API server is there but cannot serve now. */
export function unavailable(): StatusError {
  return new StatusError(503, 'ServiceUnavailable', 'the server is currently unable to handle the request');
}
