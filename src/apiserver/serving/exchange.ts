/** One HTTP request and its answer, the same over HTTP/2 and HTTP/1.1. */
import type { Readable, Writable } from 'node:stream';
import type { Body } from './body-parts.ts';

export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;
export type ResponseHeaders = Record<string, string | readonly string[]>;

export interface Exchange {
  readonly method: string;
  /** Path and query as sent. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Headers;
  /** DER of the client's certificate, when it was verified against the client CA. */
  readonly clientCertificate: Uint8Array | undefined;
  readonly isHttp2: boolean;
  /** The request's body as it comes. */
  readonly input: Readable;
  /**
   * The whole body. @throws BodyTooLargeError, RequestAbortedError when the client went away in the middle.
   */
  readBody(limitBytes: number): Promise<Buffer>;
  /** Answers with a body of known length. At most once, and not together with `begin`. */
  respond(status: number, headers: ResponseHeaders, body?: Body): void;
  /** Answers bit by bit. */
  begin(status: number, headers: ResponseHeaders): Writable;
  /** Each callback is called once when the exchange is over, whoever ended it. */
  onClose(callback: () => void): void;
  readonly hasResponded: boolean;
}

export class BodyTooLargeError extends Error {
  constructor(limitBytes: number) {
    super(`Request entity too large: limit is ${limitBytes}`);
    this.name = 'BodyTooLargeError';
  }
}

export class RequestAbortedError extends Error {
  constructor() {
    super('the client went away before the request was complete');
    this.name = 'RequestAbortedError';
  }
}

/**
 * Collects a body. An aborted HTTP/2 request still emits `end`, so what was received is held against the announced
 * length, and `isAborted` is asked.
 */
export function collectBody(
  input: Readable,
  contentLength: string | undefined,
  limitBytes: number,
  isAborted: () => boolean,
): Promise<Buffer> {
  const announced = contentLength === undefined ? undefined : Number(contentLength);
  if (announced !== undefined && announced > limitBytes)
    return Promise.reject(new BodyTooLargeError(limitBytes));
  return new Promise<Buffer>((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    let isSettled = false;
    // Making an error costs a stack trace; every request ends with `close`.
    const abort = (): void => {
      if (isSettled) return;
      isSettled = true;
      reject(new RequestAbortedError());
    };
    input.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= limitBytes) chunks.push(chunk);
      else if (!isSettled) {
        isSettled = true;
        reject(new BodyTooLargeError(limitBytes));
      }
    });
    input.on('end', () => {
      const isComplete = !isAborted() && (announced === undefined || announced === length);
      if (!isComplete) return abort();
      if (isSettled) return;
      isSettled = true;
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, length));
    });
    input.on('error', abort);
    input.on('close', abort);
  });
}
