/** Joining the streams of a running container. */
import { closeSync, openSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Clock } from '#platform';
import type { StreamIo } from '#cri';
import { connectSeqpacket, sendMessage, shutdownReading, shutdownWriting } from '../kernel/libc.ts';
import type { ContainerRecord } from './container-record.ts';
import { LogFollower } from './log-follower.ts';
import { ATTACH_SOCKET, resizeTerminal } from './monitor.ts';

/** The monitor reads its socket in pieces of this size. */
const MESSAGE_BYTES = 8192;

/** Wait between attempts while the container does not read its stdin: the socket cannot tell when it has room. */
const FULL_QUEUE_WAIT_MS = 5;

export interface AttachOptions {
  readonly record: ContainerRecord;
  readonly bundle: string;
  readonly io: StreamIo;
  readonly clock: Clock;
  /** Resolves when the container has ended. */
  readonly ended: (signal: AbortSignal) => Promise<void>;
  readonly signal?: AbortSignal;
}

/** Resolves when the container has ended, all its output handed on, or when the caller leaves. */
export async function attach({ record, bundle, io, clock, ended, signal }: AttachOptions): Promise<void> {
  const leaving = new AbortController();
  const left = signal === undefined ? leaving.signal : AbortSignal.any([signal, leaving.signal]);
  const follower =
    record.logPath === ''
      ? undefined
      : new LogFollower(record.logPath, (stream, data) => {
          const target = stream === 'stderr' && !record.config.tty ? io.stderr : io.stdout;
          target?.write(data);
        });
  // The container may end, or the caller leave, at any moment: what is under way then just stops.
  const ignore = (): void => undefined;
  if (io.resize !== undefined && record.config.tty) followSizes(bundle, io.resize, left).catch(ignore);
  if (io.stdin !== undefined && record.config.stdin) {
    feedStdin(bundle, io.stdin, record.config.stdinOnce, clock, left).catch(ignore);
  }
  for (const stream of [io.stdout, io.stderr]) {
    // A viewer whose output is gone has left.
    if (stream !== undefined) finished(stream, { signal: left }).then(ignore, () => leaving.abort());
  }
  try {
    await ended(left);
  } catch (e) {
    if (!left.aborted) throw e;
  } finally {
    follower?.read();
    follower?.close();
    leaving.abort();
    io.stdout?.end();
    io.stderr?.end();
  }
}

async function followSizes(
  bundle: string,
  sizes: NonNullable<StreamIo['resize']>,
  signal: AbortSignal,
): Promise<void> {
  for await (const size of sizes) {
    if (signal.aborted) return;
    resizeTerminal(bundle, size);
  }
}

/** Sends what the caller types; its end closes the container's stdin when that was asked for once only. */
async function feedStdin(
  bundle: string,
  stdin: NodeJS.ReadableStream,
  stdinOnce: boolean,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  // By way of the folder's descriptor: a socket's path may have 107 bytes only.
  const folder = openSync(bundle, 'r');
  let socket: number;
  try {
    socket = connectSeqpacket(`/proc/self/fd/${folder}/${ATTACH_SOCKET}`, closeSync);
  } finally {
    closeSync(folder);
  }
  try {
    // Output comes from the log; unread here it would fill up and stop the container.
    shutdownReading(socket);
    for await (const chunk of stdin) {
      const data = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      for (let offset = 0; offset < data.length; offset += MESSAGE_BYTES) {
        const message = data.subarray(offset, offset + MESSAGE_BYTES);
        while (!sendMessage(socket, message)) await clock.sleep(FULL_QUEUE_WAIT_MS, { signal });
      }
      if (signal.aborted) return;
    }
    if (stdinOnce) shutdownWriting(socket);
  } finally {
    closeSync(socket);
  }
}
