/** An HTTP/1.1 request that asks for another protocol on its connection. */
import type { Duplex } from 'node:stream';

export interface UpgradeRequest {
  readonly method: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly socket: Duplex;
  /** What already arrived behind the request. */
  readonly head: Buffer;
}

/** The first value of a header, '' when it is absent. */
export function headerOf(request: UpgradeRequest, name: string): string {
  const value = request.headers[name];
  return typeof value === 'string' ? value : (value?.[0] ?? '');
}

/** A header that lists things, over all its lines. */
export function listOf(request: UpgradeRequest, name: string): readonly string[] {
  const value = request.headers[name];
  const lines = typeof value === 'string' ? [value] : (value ?? []);
  return lines.flatMap((line) => line.split(',').map((item) => item.trim())).filter((item) => item !== '');
}

/** Answers without upgrading and ends the connection. */
export function refuseUpgrade(
  request: UpgradeRequest,
  status: number,
  reason: string,
  message: string,
): void {
  const body = `${message}\n`;
  request.socket.end(
    `HTTP/1.1 ${status} ${reason}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
