/**
 * The HTTPS server of the node (port 10250): logs, exec, attach, port-forward, what runs here and what it uses.
 * Paths and answers are upstream's, since the API server passes them on to kubectl as they are.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { TLSSocket } from 'node:tls';
import type { RuntimeService } from '#cri';
import type { UserInfo } from '#machinery';
import type { Clock, Files, Logger } from '#platform';
import type { Kubelet } from '../kubelet.ts';
import { streamLog } from '../logs/log-stream.ts';
import { latestContainer } from '../pods/runtime-pod.ts';
import { type Pod, podUid } from '../pods/pod-spec.ts';
import { servePortForward, serveRemoteCommand, type UpgradeRequest } from '../streaming/index.ts';
import { loggedContainerId, LogRequestError, parseLogOptions } from './container-log.ts';
import { type AuthenticateToken, type AuthorizeNodeRequest, onlyApiServer } from './node-authorizer.ts';
import { kubeletMetrics } from './kubelet-metrics.ts';
import { nodeUsage, resourceMetrics, statsSummary } from './summary.ts';

export interface NodeServerOptions {
  readonly kubelet: Kubelet;
  readonly runtime: RuntimeService;
  readonly files: Files;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls: { readonly certPem: string; readonly keyPem: string; readonly clientCaPem: string };
  /** Folder whose files `/logs/` shows; absent: none. */
  readonly logDir?: string;
  /** Default: the API server and administrators only. */
  readonly authorize?: AuthorizeNodeRequest;
  /** Absent: bearer tokens are not accepted. */
  readonly authenticateToken?: AuthenticateToken;
}

export interface NodeServer {
  readonly port: number;
  close(): Promise<void>;
}

/** A request that is answered with this status and text. */
class Refusal extends Error {
  readonly statusCode: number;
  constructor(statusCode: number, message: string) {
    super(message);
    this.statusCode = statusCode;
  }
}

export async function startNodeServer(options: NodeServerOptions): Promise<NodeServer> {
  const { certPem, keyPem, clientCaPem } = options.tls;
  const handler = new NodeHandler(options);
  const server = createServer(
    { cert: certPem, key: keyPem, ca: clientCaPem, requestCert: true, rejectUnauthorized: false },
    (request, response) => void handler.serve(request, response),
  );
  const streams = new Set<Duplex>();
  server.on('upgrade', (request, socket, head) => {
    streams.add(socket);
    socket.once('close', () => streams.delete(socket));
    void handler.upgrade(request, socket, head);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  return { port, close: () => close(server, streams) };
}

/** Also ends what was upgraded: the server does not count that among its connections, yet waits for it. */
function close(server: Server, streams: ReadonlySet<Duplex>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
    for (const stream of streams) stream.destroy();
  });
}

interface Call {
  readonly request: IncomingMessage;
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

class NodeHandler {
  readonly #options: NodeServerOptions;

  constructor(options: NodeServerOptions) {
    this.#options = options;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const call = await this.#admit(request);
      await this.#answer(call, response);
    } catch (e) {
      const statusCode = e instanceof Refusal || e instanceof LogRequestError ? e.statusCode : 500;
      if (statusCode === 500) this.#options.logger.warn({ err: e, url: request.url }, 'node request failed');
      if (response.headersSent) response.destroy();
      else
        response
          .writeHead(statusCode, { 'content-type': 'text/plain; charset=utf-8' })
          .end((e as Error).message);
    }
  }

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // A client that vanishes is no reason to crash.
    socket.on('error', () => socket.destroy());
    try {
      const call = await this.#admit(request);
      await this.#stream(call, { method: request.method ?? 'GET', headers: request.headers, socket, head });
    } catch (e) {
      const statusCode = e instanceof Refusal ? e.statusCode : 500;
      const body = (e as Error).message;
      socket.end(
        `HTTP/1.1 ${statusCode} ${statusCode === 500 ? 'Internal Server Error' : 'Refused'}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
      );
    }
  }

  /** @throws Refusal */
  async #admit(request: IncomingMessage): Promise<Call> {
    const url = new URL(request.url ?? '/', 'https://node');
    const path = url.pathname.split('/').slice(1).map(decodeURIComponent);
    const user = await this.#user(request);
    if (user === undefined) throw new Refusal(401, 'Unauthorized');
    const authorize = this.#options.authorize ?? onlyApiServer;
    const method = request.method ?? 'GET';
    if (!(await authorize({ method, path: url.pathname, user }))) {
      throw new Refusal(
        403,
        `Forbidden (user=${user.name}, verb=${method.toLowerCase()}, resource=nodes, subresource(s)=[proxy])\n`,
      );
    }
    return { request, path, query: url.searchParams };
  }

  async #user(request: IncomingMessage): Promise<UserInfo | undefined> {
    const socket = request.socket as TLSSocket;
    if (socket.authorized) {
      const { CN = '', O = [] } = socket.getPeerCertificate().subject as {
        CN?: string;
        O?: string | string[];
      };
      return { name: CN, groups: [...(typeof O === 'string' ? [O] : O), 'system:authenticated'] };
    }
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    return token === undefined ? undefined : this.#options.authenticateToken?.(token);
  }

  async #answer(call: Call, response: ServerResponse): Promise<void> {
    const { kubelet, runtime, clock } = this.#options;
    const [first, second] = call.path;
    switch (first) {
      case 'healthz':
        text(response, 'ok');
        return;
      case 'pods':
        json(response, { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: kubelet.pods() });
        return;
      case 'containerLogs':
        await this.#log(call, response);
        return;
      case 'run':
        await this.#run(call, response);
        return;
      case 'stats':
        json(response, statsSummary(kubelet.nodeName, await nodeUsage(runtime), clock.now()));
        return;
      case 'configz':
        json(response, {
          kubeletconfig: { kind: 'KubeletConfiguration', apiVersion: 'kubelet.config.k8s.io/v1beta1' },
        });
        return;
      case 'logs':
        await this.#file(call, response);
        return;
      case 'metrics':
        if (second === 'resource') text(response, resourceMetrics(await nodeUsage(runtime)));
        else text(response, kubeletMetrics(kubelet));
        return;
      case 'exec':
      case 'attach':
      case 'portForward':
        throw new Refusal(400, 'Upgrade request required');
      default:
        throw new Refusal(404, '404 page not found\n');
    }
  }

  /** A file of the log folder, or the names in one of its folders. */
  async #file({ path }: Call, response: ServerResponse): Promise<void> {
    const { files, logDir } = this.#options;
    const parts = path.slice(1).filter((part) => part !== '');
    const outside = parts.some((part) => part === '..' || part.includes('/'));
    const full = [logDir, ...parts].join('/');
    const stat = logDir === undefined || outside ? undefined : await files.stat(full, { follow: false });
    if (stat?.kind === 'directory')
      text(response, (await files.list(full)).map((name) => `${name}\n`).join(''));
    else if (stat?.kind === 'file') text(response, await files.readFile(full));
    else throw new Refusal(404, '404 page not found\n');
  }

  async #log({ path, query, request }: Call, response: ServerResponse): Promise<void> {
    const { files, runtime, clock } = this.#options;
    const [, namespace = '', name = '', containerName = ''] = path;
    const options = parseLogOptions(query, clock.now());
    const pod = this.#pod(namespace, name);
    const id = loggedContainerId(pod, containerName, options.previous);
    const { logPath } = await runtime.containerStatus(id);
    const gone = new AbortController();
    response.once('close', () => gone.abort(new Error('the reader left')));
    request.resume();
    const source = {
      path: logPath,
      running: async () => (await runtime.containerStatus(id)).state === 'CONTAINER_RUNNING',
      onChange: (listener: () => void) =>
        runtime.onEvent(({ containerId }) => {
          if (containerId === id) listener();
        }),
    };
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.flushHeaders();
    const log = Readable.from(streamLog(files, source, options, gone.signal), { objectMode: false });
    await pipeline(log, response).catch((e: unknown) => {
      if (!gone.signal.aborted) throw e;
    });
  }

  async #run({ path, query, request }: Call, response: ServerResponse): Promise<void> {
    if (request.method !== 'POST') throw new Refusal(405, '405: Method Not Allowed');
    const [, namespace = '', name = ''] = path;
    const id = await this.#runningContainer(this.#pod(namespace, name), path.at(-1) ?? '');
    const command = (query.get('cmd') ?? '').split(' ').filter((word) => word !== '');
    const { stdout, stderr } = await this.#options.runtime.execSync(id, command, 0);
    text(response, Buffer.concat([stdout, stderr]).toString());
  }

  async #stream({ path, query }: Call, upgrade: UpgradeRequest): Promise<void> {
    const { runtime, clock } = this.#options;
    const [kind, namespace = '', name = ''] = path;
    const pod = this.#pod(namespace, name);
    if (kind === 'portForward') {
      const sandboxId = await this.#sandbox(pod);
      await servePortForward(upgrade, (port, signal) => runtime.portForward(sandboxId, port, { signal }));
      return;
    }
    if (kind !== 'exec' && kind !== 'attach') throw new Refusal(404, '404 page not found\n');
    // `/exec/<namespace>/<pod>[/<uid>]/<container>`
    const id = await this.#runningContainer(pod, path.at(-1) ?? '');
    const flag = (key: string): boolean => query.get(key) === '1' || query.get(key) === 'true';
    const tty = flag('tty');
    const streams = { stdin: flag('input'), stdout: flag('output'), stderr: flag('error') && !tty, tty };
    if (!streams.stdin && !streams.stdout && !streams.stderr) {
      throw new Refusal(400, 'you must specify at least 1 of stdin, stdout, stderr');
    }
    const command = query.getAll('command');
    await serveRemoteCommand(upgrade, {
      streams,
      clock,
      run: async (io, signal) => {
        if (kind === 'exec') return runtime.exec(id, command, io, { signal });
        await runtime.attach(id, io, { signal });
        return 0;
      },
    });
  }

  /** @throws Refusal */
  #pod(namespace: string, name: string): Pod {
    const pod = this.#options.kubelet.podByName(namespace, name);
    if (pod === undefined) throw new Refusal(404, `pod "${name}" does not exist`);
    return pod;
  }

  async #runningContainer(pod: Pod, containerName: string): Promise<string> {
    const runtime = await this.#options.kubelet.runtimePods.get(podUid(pod));
    const latest = latestContainer(runtime, containerName);
    if (latest?.state !== 'running') throw new Refusal(404, `container not found ("${containerName}")`);
    return latest.id;
  }

  async #sandbox(pod: Pod): Promise<string> {
    const { sandboxes } = await this.#options.kubelet.runtimePods.get(podUid(pod));
    const ready = sandboxes.find(({ state }) => state === 'SANDBOX_READY');
    if (ready === undefined) throw new Refusal(404, `pod "${pod.metadata.name}" has no running sandbox`);
    return ready.id;
  }
}

function text(response: ServerResponse, body: string | Buffer): void {
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(body);
}

function json(response: ServerResponse, body: object): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
