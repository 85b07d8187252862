/** Requests that are handed to a connector, after admission has seen them as CONNECT. */
import { Readable, type Duplex } from 'node:stream';
import { type ResourceTarget, type UserInfo } from '#machinery';
import type { AdmissionPlugin } from '../admission/admission.ts';
import type { Endpoints } from '../endpoints/endpoints.ts';
import { notServed } from '../endpoints/generic-error.ts';
import type { ConnectRequest, Connector } from './connector.ts';
import type { Headers } from './exchange.ts';
import type { RequestContext } from './request-context.ts';

export class ConnectHandler {
  readonly #endpoints: Endpoints;
  readonly #admission: () => readonly AdmissionPlugin[];
  readonly #connectors: ReadonlyMap<string, Connector>;

  constructor(options: {
    readonly endpoints: Endpoints;
    readonly admission: () => readonly AdmissionPlugin[];
    readonly connectors: readonly Connector[];
  }) {
    this.#endpoints = options.endpoints;
    this.#admission = options.admission;
    this.#connectors = new Map(
      options.connectors.map((connector) => [
        `${connector.group}/${connector.resource}/${connector.subresource}`,
        connector,
      ]),
    );
  }

  find(target: ResourceTarget): Connector | undefined {
    if (target.subresource === undefined) return undefined;
    return this.#connectors.get(`${target.group}/${target.resource}/${target.subresource}`);
  }

  async handle(
    context: RequestContext,
    verb: string,
    target: ResourceTarget,
    trailingPath: string,
    connector: Connector,
  ): Promise<void> {
    const { exchange } = context;
    const controller = new AbortController();
    exchange.onClose(() => controller.abort());
    await this.#admit(context.user, verb, target, controller.signal);
    await connector.connect({
      target,
      user: context.user,
      method: exchange.method,
      trailingPath,
      query: context.query,
      headers: exchange.headers,
      body: exchange.input,
      respond: (status, headers) => exchange.begin(status, { ...context.headers, ...headers }),
      signal: controller.signal,
    });
  }

  /** An HTTP/1.1 upgrade; the socket is the connector's once it is called. */
  async upgrade(
    request: {
      readonly user: UserInfo;
      readonly verb: string;
      readonly method: string;
      readonly target: ResourceTarget;
      readonly trailingPath: string;
      readonly query: URLSearchParams;
      readonly headers: Headers;
    },
    socket: Duplex,
    head: Buffer,
  ): Promise<void> {
    const connector = this.find(request.target);
    if (connector === undefined) throw notServed();
    const controller = new AbortController();
    socket.once('close', () => controller.abort());
    const { user, verb, method, target, trailingPath, query, headers } = request;
    await this.#admit(user, verb, target, controller.signal);
    const connect: ConnectRequest = {
      target,
      user,
      method,
      trailingPath,
      query,
      headers,
      body: Readable.from([]),
      upgrade: { socket, head },
      respond: () => {
        throw new Error('an upgraded connection answers on its socket');
      },
      signal: controller.signal,
    };
    await connector.connect(connect);
  }

  async #admit(user: UserInfo, verb: string, target: ResourceTarget, signal: AbortSignal): Promise<void> {
    this.#endpoints.authorize({ user, verb, ...target });
    if (target.subresource === 'log') return;
    const attributes = {
      operation: 'CONNECT' as const,
      target,
      kind: connectKind(target),
      user,
      object: undefined,
      oldObject: undefined,
      dryRun: false,
      warn: () => undefined,
      signal,
    };
    for (const plugin of this.#admission()) await plugin.mutate?.(attributes);
    for (const plugin of this.#admission()) await plugin.validate?.(attributes);
  }
}

const KINDS: Readonly<Record<string, string>> = {
  exec: 'PodExecOptions',
  attach: 'PodAttachOptions',
  portforward: 'PodPortForwardOptions',
};

function connectKind(target: ResourceTarget): string {
  const known = KINDS[target.subresource ?? ''];
  if (known !== undefined) return known;
  return (
    { pods: 'PodProxyOptions', services: 'ServiceProxyOptions', nodes: 'NodeProxyOptions' }[
      target.resource
    ] ?? ''
  );
}
