/** One HTTP request and its answer's head, with the errors of the network in the words users know from containerd. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';

export interface Exchange {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Readable | Uint8Array;
  readonly insecure: boolean;
  readonly ca: string | undefined;
  readonly signal?: AbortSignal;
}

/** The registry could not be spoken to at all; worth another try. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
}

const title = (method: string): string => method.slice(0, 1) + method.slice(1).toLowerCase();

function words(
  error: NodeJS.ErrnoException & {
    readonly address?: string;
    readonly port?: number;
    readonly hostname?: string;
  },
): string {
  const where = error.address === undefined ? '' : `${error.address}:${error.port}`;
  switch (error.code) {
    case 'ECONNREFUSED':
      return `dial tcp ${where}: connect: connection refused`;
    case 'EHOSTUNREACH':
      return `dial tcp ${where}: connect: no route to host`;
    case 'ENETUNREACH':
      return `dial tcp ${where}: connect: network is unreachable`;
    case 'ENOTFOUND':
      return `dial tcp: lookup ${error.hostname}: no such host`;
    case 'EAI_AGAIN':
      return `dial tcp: lookup ${error.hostname}: Temporary failure in name resolution`;
    case 'EPROTO':
      return 'http: server gave HTTP response to HTTPS client';
    case undefined:
    default:
      return error.message === '' ? String(error.code) : error.message;
  }
}

/** Connecting and waiting for the head of the answer; bodies may take longer. */
const HEAD_WITHIN_MS = 30_000;

/** Resolves with whatever status. @throws TransportError, or the signal's reason. */
export function exchange(request: Exchange): Promise<IncomingMessage> {
  const { method, url, headers, body, insecure, ca, signal } = request;
  const options = { method, headers, signal, timeout: HEAD_WITHIN_MS };
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      if (signal?.aborted === true) reject(signal.reason as Error);
      else
        reject(
          new TransportError(`failed to do request: ${title(method)} "${url}": ${words(firstOf(error))}`, {
            cause: error,
          }),
        );
    };
    const outgoing = url.startsWith('https:')
      ? httpsRequest(
          url,
          { ...options, rejectUnauthorized: !insecure, ...(ca === undefined ? {} : { ca }) },
          resolve,
        )
      : httpRequest(url, options, resolve);
    outgoing.on('error', fail);
    outgoing.on('timeout', () => outgoing.destroy(new Error('net/http: timeout awaiting response headers')));
    if (body === undefined || body instanceof Uint8Array) outgoing.end(body);
    else {
      body.on('error', (error) => outgoing.destroy(error));
      body.pipe(outgoing);
    }
  });
}

/** Node gathers the failures of several addresses; the first one is the one to tell. */
function firstOf(error: Error): Error {
  return error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error;
}

/** Bytes of an error's body that are kept. */
const ERROR_BYTES_MAX = 64 * 1024;

/** Reads a small body to its end, or drops it. */
export async function readBody(message: IncomingMessage, maxBytes = ERROR_BYTES_MAX): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) {
      message.destroy();
      break;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
