/**
 * Exec and attach: a command's streams over WebSocket (KEP-4006; protocols v5 and v4) or SPDY (v4 and older).
 */
import { PassThrough, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { StreamIo } from '#cri';
import type { Clock } from '#platform';
import { type CommandOutcome, outcomeStatus, outcomeText } from './exit-status.ts';
import { SpdySession, type SpdyStream } from './spdy/session.ts';
import { TerminalSizes } from './terminal-size.ts';
import { headerOf, listOf, refuseUpgrade, type UpgradeRequest } from './upgrade.ts';
import { acceptWebSocket, isWebSocket, type WebSocketConnection } from './websocket/websocket.ts';

export interface RemoteCommandStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export interface RemoteCommandOptions {
  readonly streams: RemoteCommandStreams;
  readonly clock: Clock;
  /** Runs the command on the given streams; resolves with its exit code (attach: 0). */
  readonly run: (io: StreamIo, signal: AbortSignal) => Promise<number>;
}

const WEBSOCKET_PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'channel.k8s.io'];
const SPDY_PROTOCOLS = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'];
/** A SPDY client must have opened all its streams by then. */
const STREAM_CREATION_MS = 30_000;

/** Takes the connection over; resolves when the command is over and the client was told. */
export async function serveRemoteCommand(
  request: UpgradeRequest,
  options: RemoteCommandOptions,
): Promise<void> {
  if (isWebSocket(request)) await serveWebSocket(request, options);
  else if (headerOf(request, 'upgrade').toUpperCase() === 'SPDY/3.1') await serveSpdy(request, options);
  else refuseUpgrade(request, 400, 'Bad Request', 'Upgrade request required');
}

async function outcomeOf(run: Promise<number>): Promise<CommandOutcome> {
  try {
    return { exitCode: await run };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

/** Ends the outputs and waits until all that was written to them is on its way; a broken one does not hold up. */
async function flushed(outputs: readonly (Writable | undefined)[]): Promise<void> {
  await Promise.all(
    outputs.map(async (output) => {
      if (output === undefined) return;
      const ended = finished(output, { readable: false });
      output.end();
      await ended.catch(() => undefined);
    }),
  );
}

const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/** Everything written goes out as messages of one channel. */
function channelWriter(socket: WebSocketConnection, channel: number): Writable {
  const prefix = Buffer.from([channel]);
  return new Writable({
    write: (chunk: Buffer, _encoding, callback) => socket.send(Buffer.concat([prefix, chunk]), callback),
  });
}

async function serveWebSocket(
  request: UpgradeRequest,
  { streams, run }: RemoteCommandOptions,
): Promise<void> {
  const accepted = acceptWebSocket(request, WEBSOCKET_PROTOCOLS);
  if (accepted === undefined) return;
  const { socket, protocol } = accepted;
  const gone = new AbortController();
  const stdin = streams.stdin ? new PassThrough() : undefined;
  const sizes = streams.tty ? new TerminalSizes() : undefined;
  stdin?.on('drain', () => socket.resume());
  socket.start({
    onMessage(data) {
      const payload = data.subarray(1);
      switch (data[0]) {
        case CHANNEL.stdin:
          if (payload.length > 0 && stdin?.writableEnded === false && !stdin.write(payload)) socket.pause();
          return;
        case CHANNEL.resize:
          sizes?.push(payload);
          return;
        case CHANNEL.close:
          if (payload[0] === CHANNEL.stdin) stdin?.end();
          return;
        default:
      }
    },
    onClose() {
      stdin?.end();
      sizes?.end();
      gone.abort(new Error('the client closed the connection'));
    },
  });
  const stdout = streams.stdout ? channelWriter(socket, CHANNEL.stdout) : undefined;
  const stderr = streams.stderr && !streams.tty ? channelWriter(socket, CHANNEL.stderr) : undefined;
  // Clients wait for a first, empty message to know that the streams are there.
  const first =
    stdout === undefined ? (stderr === undefined ? CHANNEL.error : CHANNEL.stderr) : CHANNEL.stdout;
  socket.send(Buffer.from([first]));
  const io: StreamIo = {
    tty: streams.tty,
    ...(stdin === undefined ? {} : { stdin }),
    ...(stdout === undefined ? {} : { stdout }),
    ...(stderr === undefined ? {} : { stderr }),
    ...(sizes === undefined ? {} : { resize: sizes }),
  };
  const outcome = await outcomeOf(run(io, gone.signal));
  await flushed([stdout, stderr]);
  const text = protocol === 'channel.k8s.io' ? outcomeText(outcome) : outcomeStatus(outcome);
  // Behind everything the command wrote: one connection keeps the order.
  if (text !== '') socket.send(Buffer.concat([Buffer.from([CHANNEL.error]), Buffer.from(text)]));
  socket.close();
}

/** Upgrades to SPDY with the best protocol both know; undefined when refused. */
export function acceptSpdy(
  request: UpgradeRequest,
  protocols: readonly string[],
): { readonly session: SpdySession; readonly protocol: string } | undefined {
  const offered = listOf(request, 'x-stream-protocol-version');
  // A client that names none speaks the first one.
  const protocol = offered.length === 0 ? protocols.at(-1) : protocols.find((name) => offered.includes(name));
  if (protocol === undefined) {
    const message = `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${protocols.join(' ')}]`;
    refuseUpgrade(request, 403, 'Forbidden', message);
    return undefined;
  }
  request.socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
  return { session: new SpdySession(request.socket), protocol };
}

type StreamType = 'error' | 'stdin' | 'stdout' | 'stderr' | 'resize';

function expectedStreams(streams: RemoteCommandStreams, protocol: string): ReadonlySet<StreamType> {
  const expected = new Set<StreamType>(['error']);
  if (streams.stdin) expected.add('stdin');
  if (streams.stdout) expected.add('stdout');
  if (streams.stderr && !streams.tty) expected.add('stderr');
  if (streams.tty && (protocol.startsWith('v3') || protocol.startsWith('v4'))) expected.add('resize');
  return expected;
}

async function serveSpdy(request: UpgradeRequest, options: RemoteCommandOptions): Promise<void> {
  const { streams, clock, run } = options;
  const accepted = acceptSpdy(request, SPDY_PROTOCOLS);
  if (accepted === undefined) return;
  const { session, protocol } = accepted;
  const gone = new AbortController();
  const opened = new Map<StreamType, SpdyStream>();
  const expected = expectedStreams(streams, protocol);
  const complete = new Promise<boolean>((resolve) => {
    const timer = clock.setTimer(STREAM_CREATION_MS, () => resolve(false));
    session.start(request.head, {
      onStream(stream) {
        opened.set(stream.headers['streamtype'] as StreamType, stream);
        if ([...expected].every((type) => opened.has(type))) {
          timer.cancel();
          resolve(true);
        }
      },
      onClose() {
        timer.cancel();
        resolve(false);
        gone.abort(new Error('the client closed the connection'));
      },
    });
  });
  if (!(await complete)) {
    session.close();
    return;
  }
  const outcome = await outcomeOf(run(spdyIo(opened, streams.tty), gone.signal));
  await flushed([opened.get('stdout'), opened.get('stderr')]);
  const text = protocol === 'v4.channel.k8s.io' ? outcomeStatus(outcome) : outcomeText(outcome);
  const error = opened.get('error');
  error?.write(text);
  await flushed([error]);
  session.close();
}

function spdyIo(opened: ReadonlyMap<StreamType, SpdyStream>, tty: boolean): StreamIo {
  const resize = opened.get('resize');
  let sizes: TerminalSizes | undefined;
  if (resize !== undefined) {
    const received = new TerminalSizes();
    resize.on('data', (data: Buffer) => received.push(data));
    resize.on('close', () => received.end());
    sizes = received;
  }
  const stdin = opened.get('stdin');
  const stdout = opened.get('stdout');
  const stderr = opened.get('stderr');
  return {
    tty,
    ...(stdin === undefined ? {} : { stdin }),
    ...(stdout === undefined ? {} : { stdout }),
    ...(stderr === undefined ? {} : { stderr }),
    ...(sizes === undefined ? {} : { resize: sizes }),
  };
}
