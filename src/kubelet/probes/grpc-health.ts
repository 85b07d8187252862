/**
 * One call of `grpc.health.v1.Health/Check` over plain HTTP/2, by hand: the request is one string, the answer one
 * enum, and a whole gRPC client per probe would cost more than the probe.
 * https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import type { Address, Sockets } from '#platform';

export type GrpcHealthAnswer =
  | { readonly ok: true; readonly serving: boolean; readonly status: string }
  | { readonly ok: false; readonly code: string; readonly message: string };

const STATUS_NAMES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const CODE_NAMES: Readonly<Record<string, string>> = {
  '0': 'OK',
  '1': 'Canceled',
  '2': 'Unknown',
  '4': 'DeadlineExceeded',
  '5': 'NotFound',
  '7': 'PermissionDenied',
  '8': 'ResourceExhausted',
  '12': 'UNIMPLEMENTED',
  '13': 'Internal',
  '14': 'Unavailable',
  '16': 'Unauthenticated',
};
/** An answer is two bytes; more is not this protocol. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** @throws Node's connection errors, or the signal's reason. */
export async function grpcHealth(
  sockets: Sockets,
  at: Address,
  service: string,
  signal: AbortSignal,
): Promise<GrpcHealthAnswer> {
  const socket = await sockets.connectTcp(at, { signal });
  const host = at.host.includes(':') ? `[${at.host}]` : at.host;
  const session = connect(`http://${host}:${at.port}`, { createConnection: () => socket });
  try {
    return await check(session, service, signal);
  } finally {
    session.destroy();
    socket.destroy();
  }
}

function check(session: ClientHttp2Session, service: string, signal: AbortSignal): Promise<GrpcHealthAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<GrpcHealthAnswer>();
  session.once('error', reject);
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: 'POST',
    [constants.HTTP2_HEADER_PATH]: '/grpc.health.v1.Health/Check',
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': 'kube-probe/1.36',
  });
  const pieces: Buffer[] = [];
  let size = 0;
  let code: string | undefined;
  let message = '';
  const readStatus = (headers: Readonly<Record<string, string | string[] | number | undefined>>): void => {
    if (headers['grpc-status'] === undefined) return;
    code = String(headers['grpc-status']);
    message = decodeURIComponent(String(headers['grpc-message'] ?? ''));
  };
  stream.on('response', (headers) => readStatus(headers as Record<string, string>));
  stream.on('trailers', (headers) => readStatus(headers as Record<string, string>));
  stream.on('data', (piece: Buffer) => {
    size += piece.length;
    if (size > MAX_ANSWER_BYTES) reject(new Error('answer too large'));
    else pieces.push(piece);
  });
  stream.once('error', reject);
  stream.once('end', () => {
    const name = CODE_NAMES[code ?? '2'] ?? `Code(${code})`;
    if (name !== 'OK') resolve({ ok: false, code: name, message });
    else resolve(readAnswer(Buffer.concat(pieces)));
  });
  stream.end(frame(service));
  return promise;
}

/** Length-prefixed message with `HealthCheckRequest { service = 1 }`. */
function frame(service: string): Buffer {
  const name = Buffer.from(service);
  const body =
    name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** `HealthCheckResponse { status = 1 }`; an absent field is UNKNOWN. */
function readAnswer(message: Buffer): GrpcHealthAnswer {
  const value = message[5] === 0x08 ? (message[6] ?? 0) : 0;
  return { ok: true, serving: value === 1, status: STATUS_NAMES[value] ?? String(value) };
}
