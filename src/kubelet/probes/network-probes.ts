/** Probes as they really are: commands in the container, HTTP, TCP and gRPC to its address. */
import type { coreV1 } from '#api';
import type { RuntimeService } from '#cri';
import type { Clock, Sockets } from '#platform';
import { expand } from '../environment/expansion.ts';
import { goDuration } from '../go-text.ts';
import { resolvePort } from './container-port.ts';
import { grpcHealth } from './grpc-health.ts';
import { httpGet, httpGetTarget } from './http-get.ts';
import type { ProbeAnswer, ProbeRunner, ProbeTarget } from './probe.ts';

/** Bytes of a command's output that reach the event. */
const MAX_OUTPUT_BYTES = 10 * 1024;

class ProbeTimeout extends Error {}

export function createNetworkProbes(options: {
  readonly runtime: RuntimeService;
  readonly sockets: Sockets;
  readonly clock: Clock;
}): ProbeRunner {
  const { runtime, sockets, clock } = options;

  /** Runs `ask` with a signal that also fires when the probe's time is up. */
  async function timed<T>(
    probe: coreV1.Probe,
    outer: AbortSignal,
    ask: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const stop = new AbortController();
    const timer = clock.setTimer(timeoutMs(probe), () => stop.abort(new ProbeTimeout()));
    try {
      return await ask(AbortSignal.any([stop.signal, outer]));
    } catch (e) {
      outer.throwIfAborted();
      if (stop.signal.aborted) throw stop.signal.reason;
      throw e;
    } finally {
      timer.cancel();
    }
  }

  async function exec(
    probe: coreV1.Probe,
    action: coreV1.ExecAction,
    target: ProbeTarget,
  ): Promise<ProbeAnswer> {
    const env = new Map((target.container.env ?? []).map(({ name, value }) => [name, value]));
    const command = (action.command ?? []).map((word) => expand(word, (name) => env.get(name)));
    const seconds = timeoutMs(probe) / 1000;
    const result = await runtime.execSync(target.containerId, command, seconds);
    if (result.timedOut) {
      const words = JSON.stringify(command.join(' '));
      return failure(`command timed out: ${words} timed out after ${goDuration(seconds * 1000)}`);
    }
    const output = Buffer.concat([result.stdout, result.stderr]).subarray(0, MAX_OUTPUT_BYTES).toString();
    return { result: result.exitCode === 0 ? 'success' : 'failure', output };
  }

  async function http(
    probe: coreV1.Probe,
    action: coreV1.HTTPGetAction,
    target: ProbeTarget,
    signal: AbortSignal,
  ): Promise<ProbeAnswer> {
    let place = httpGetTarget(action, target.container, target.podIp, 'probe');
    const first = place.host;
    try {
      for (let redirects = 0; ; redirects++) {
        const at = place;
        const answer = await timed(probe, signal, (inner) => httpGet(sockets, at, inner));
        const { statusCode, location, body } = answer;
        if (statusCode >= 200 && statusCode < 300) return { result: 'success', output: body };
        if (statusCode < 200 || statusCode >= 400) {
          return failure(`HTTP probe failed with statuscode: ${statusCode}`);
        }
        const next = location === undefined ? undefined : new URL(location, place.url);
        if (next === undefined || bareHost(next) !== first) {
          return { result: 'warning', output: `Probe terminated redirects, Response body: ${body}` };
        }
        if (redirects >= 10) return failure(`Get "${place.url}": stopped after 10 redirects`);
        const tls = next.protocol === 'https:';
        const port = next.port === '' ? (tls ? 443 : 80) : Number(next.port);
        place = { ...place, url: next.href, port, tls, path: `${next.pathname}${next.search}` };
      }
    } catch (e) {
      signal.throwIfAborted();
      const text =
        e instanceof ProbeTimeout
          ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
          : dialError(e, place.host, place.port);
      return failure(`Get "${place.url}": ${text}`);
    }
  }

  async function tcp(
    probe: coreV1.Probe,
    action: coreV1.TCPSocketAction,
    target: ProbeTarget,
    signal: AbortSignal,
  ): Promise<ProbeAnswer> {
    const port = resolvePort(action.port, target.container);
    const host = action.host === undefined || action.host === '' ? target.podIp : action.host;
    try {
      const socket = await timed(probe, signal, (inner) =>
        sockets.connectTcp({ host, port }, { signal: inner }),
      );
      socket.destroy();
      return { result: 'success', output: '' };
    } catch (e) {
      signal.throwIfAborted();
      return failure(
        e instanceof ProbeTimeout ? `dial tcp ${join(host, port)}: i/o timeout` : dialError(e, host, port),
      );
    }
  }

  async function grpc(
    probe: coreV1.Probe,
    action: coreV1.GRPCAction,
    target: ProbeTarget,
    signal: AbortSignal,
  ): Promise<ProbeAnswer> {
    const at = { host: target.podIp, port: action.port };
    try {
      const answer = await timed(probe, signal, (inner) =>
        grpcHealth(sockets, at, action.service ?? '', inner),
      );
      if (answer.ok) {
        return answer.serving
          ? { result: 'success', output: 'service healthy' }
          : failure(`service unhealthy (responded with "${answer.status}")`);
      }
      if (answer.code === 'UNIMPLEMENTED') {
        return failure(
          `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${answer.message}`,
        );
      }
      return failure(
        `error: health rpc probe failed: rpc error: code = ${answer.code} desc = ${answer.message}`,
      );
    } catch (e) {
      signal.throwIfAborted();
      const address = join(at.host, at.port);
      const limit = goDuration(timeoutMs(probe));
      return failure(
        e instanceof ProbeTimeout
          ? `timeout: failed to connect service "${address}" within ${limit}: context deadline exceeded`
          : `error: failed to connect service at "${address}": ${dialError(e, at.host, at.port)}`,
      );
    }
  }

  return {
    async run(probe, target, { signal }) {
      if (probe.exec !== undefined) return exec(probe, probe.exec, target);
      if (probe.httpGet !== undefined) return http(probe, probe.httpGet, target, signal);
      if (probe.tcpSocket !== undefined) return tcp(probe, probe.tcpSocket, target, signal);
      if (probe.grpc !== undefined) return grpc(probe, probe.grpc, target, signal);
      throw new Error(`missing probe handler for ${target.container.name}`);
    },
  };
}

const timeoutMs = (probe: coreV1.Probe): number => (probe.timeoutSeconds ?? 1) * 1000;
const failure = (output: string): ProbeAnswer => ({ result: 'failure', output });
const join = (host: string, port: number): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;
const bareHost = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '');

const ERRNO_TEXT: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'connect: connection timed out',
};

/** Node's error in the words that people know from upstream. */
function dialError(e: unknown, host: string, port: number): string {
  const { code = '', message } = e as NodeJS.ErrnoException;
  const text = ERRNO_TEXT[code];
  if (text !== undefined) return `dial tcp ${join(host, port)}: ${text}`;
  return code === 'ECONNRESET' ? `read tcp ${join(host, port)}: read: connection reset by peer` : message;
}
