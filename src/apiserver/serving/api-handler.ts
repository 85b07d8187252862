/**
 * The way of a request through the server: who asks, as whom, whether there is room, and then the resource or path.
 * Everything that fails becomes one answer here, and nowhere else.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { badRequest, isStatusError, StatusError, unauthorized, type UserInfo } from '#machinery';
import type { Clock, Logger, Random } from '#platform';
import type { Authenticator } from '../authentication/authenticator.ts';
import { asStatusError, type Endpoints } from '../endpoints/endpoints.ts';
import { notAllowed, notServed } from '../endpoints/generic-error.ts';
import type { ConnectHandler } from './connect-handler.ts';
import { BodyTooLargeError, type Exchange, RequestAbortedError, type ResponseHeaders } from './exchange.ts';
import { impersonated } from './impersonation.ts';
import { InFlightLimit, MAX_MUTATING_IN_FLIGHT, MAX_READ_IN_FLIGHT } from './in-flight-limit.ts';
import { acceptedMediaTypes } from './media-type.ts';
import { type PathHandler, PathNotFoundError } from './path-handler.ts';
import { isWatchQuery } from './query-options.ts';
import type { RequestContext } from './request-context.ts';
import type { RequestMetrics } from './request-metrics.ts';
import { parseRequestPath, type RequestPath } from './request-path.ts';
import type { ResourceHandler } from './resource-handler.ts';
import { encodeStatus } from './response-encoder.ts';

const METHODS_NOT_ON_RESOURCES = new Set(['HEAD', 'OPTIONS']);
const NO_QUERY = new URLSearchParams();

/** A percent sign is followed by two hexadecimal digits, RFC 3986 section 2.1. */
const BROKEN_ESCAPE = /%(?![0-9a-f]{2})/i;

const isWellEscaped = (text: string): boolean => !text.includes('%') || !BROKEN_ESCAPE.test(text);

/** As Go reads a query: a part with a broken escape is as if it were not there. */
function parseQuery(text: string): URLSearchParams {
  if (isWellEscaped(text)) return new URLSearchParams(text);
  return new URLSearchParams(text.split('&').filter(isWellEscaped).join('&'));
}

export interface ApiHandlerOptions {
  readonly endpoints: Endpoints;
  readonly authenticator: Authenticator;
  readonly resources: ResourceHandler;
  readonly paths: PathHandler;
  readonly connects: ConnectHandler;
  readonly metrics: RequestMetrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export class ApiHandler {
  readonly #options: ApiHandlerOptions;
  readonly #mutating = new InFlightLimit(MAX_MUTATING_IN_FLIGHT);
  readonly #reading = new InFlightLimit(MAX_READ_IN_FLIGHT);

  #onIdle: (() => void) | undefined;

  constructor(options: ApiHandlerOptions) {
    this.#options = options;
  }

  /** Answers; never throws. */
  async handle(exchange: Exchange): Promise<void> {
    const startedMs = this.#options.clock.monotonic();
    const headers: ResponseHeaders = {
      'audit-id': this.#auditId(exchange),
      'cache-control': 'no-cache, private',
    };
    const { url } = exchange;
    const mark = url.indexOf('?');
    const path = mark < 0 ? url : url.slice(0, mark);
    const query = mark < 0 ? NO_QUERY : parseQuery(url.slice(mark + 1));
    const parsed = parseRequestPath(exchange.method, path, query.size > 0 && isWatchQuery(query));
    let code = 0;
    try {
      if (!isWellEscaped(path)) throw badRequest(`the path has an invalid URL escape: ${path.slice(0, 256)}`);
      const user = await this.#user(exchange, path);
      await this.#route({ exchange, user, path, query, headers }, parsed);
    } catch (error) {
      code = this.#answerError(exchange, headers, error);
    }
    const { metrics, clock } = this.#options;
    metrics.record(parsed, code, clock.monotonic() - startedMs, code === 0 || this.#isServed(parsed));
  }

  /** An HTTP/1.1 upgrade; what fails before a connector has the socket is answered on it. */
  async upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    clientCertificate: Uint8Array | undefined,
  ): Promise<void> {
    const { method = 'GET', headers } = request;
    const url = new URL(request.url ?? '/', 'https://localhost');
    try {
      const user = await this.#user({ headers, clientCertificate }, url.pathname);
      const parsed = parseRequestPath(method, url.pathname, false);
      if (!parsed.isResource) throw notServed();
      const { verb, target, trailingPath } = parsed;
      const query = url.searchParams;
      await this.#options.connects.upgrade(
        { user, verb, method, target, trailingPath, query, headers },
        socket,
        head,
      );
    } catch (error) {
      const { code, contentType, body } = encodeStatus(this.#asStatusError(error).toStatus(), undefined);
      // Loaded only here: importing it loads undici as well.
      const { STATUS_CODES } = await import('node:http');
      const lines = [
        `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? ''}`,
        `Content-Type: ${contentType}`,
        `Content-Length: ${body.length}`,
        'Connection: close',
      ];
      if (!socket.destroyed) socket.end(`${lines.join('\r\n')}\r\n\r\n${body.toString()}`);
    }
  }

  /** Resolves when no request is in flight, or after `timeoutMs`. */
  async drained(timeoutMs: number): Promise<void> {
    if (this.#reading.current + this.#mutating.current === 0) return;
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.setTimer(timeoutMs, resolve);
      this.#onIdle = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** @throws StatusError 401, 403. */
  async #user(request: Pick<Exchange, 'headers' | 'clientCertificate'>, path: string): Promise<UserInfo> {
    const { headers, clientCertificate } = request;
    const { authorization } = headers;
    const bearerToken =
      typeof authorization === 'string' && /^bearer /i.test(authorization)
        ? authorization.slice(7).trim()
        : undefined;
    const user = await this.#options.authenticator.authenticate({
      clientCertificate,
      bearerToken,
      headers,
      path,
    });
    if (user === undefined) throw unauthorized();
    if (headers['impersonate-user'] === undefined && headers['impersonate-group'] === undefined) return user;
    return impersonated(headers, user, (attributes) => this.#options.endpoints.authorize(attributes));
  }

  async #route(context: RequestContext, parsed: RequestPath): Promise<void> {
    if (!parsed.isResource) {
      this.#options.endpoints.authorize({ user: context.user, verb: parsed.verb, path: parsed.path });
      return this.#options.paths.handle(context);
    }
    const { verb, target } = parsed;
    const connector = this.#options.connects.find(target);
    if (connector !== undefined)
      return this.#options.connects.handle(context, verb, target, parsed.trailingPath, connector);
    if (verb === '' || METHODS_NOT_ON_RESOURCES.has(context.exchange.method)) throw notAllowed();
    if (verb === 'watch') return this.#options.resources.handle(context, verb, target);
    const limit = verb === 'get' || verb === 'list' ? this.#reading : this.#mutating;
    limit.enter();
    try {
      await this.#options.resources.handle(context, verb, target);
    } finally {
      limit.leave();
      if (this.#reading.current + this.#mutating.current === 0) this.#onIdle?.();
    }
  }

  #answerError(exchange: Exchange, headers: ResponseHeaders, error: unknown): number {
    if (error instanceof RequestAbortedError) return 0;
    if (error instanceof PathNotFoundError) {
      const text = Buffer.from(`${error.message}\n`);
      exchange.respond(404, { ...headers, 'content-type': 'text/plain; charset=utf-8' }, text);
      return 404;
    }
    const statusError = this.#asStatusError(error);
    const status = statusError.toStatus();
    const retryAfter = statusError.details?.retryAfterSeconds;
    if (retryAfter !== undefined) headers['retry-after'] = String(retryAfter);
    const accept = exchange.headers.accept as string | undefined;
    const media = acceptedMediaTypes(accept)[0];
    const form =
      media === undefined ? undefined : { media: { ...media, as: undefined }, pretty: media.pretty };
    const { code, contentType, body } = encodeStatus(status, form);
    exchange.respond(code, { ...headers, 'content-type': contentType }, body);
    return code;
  }

  #asStatusError(error: unknown): StatusError {
    if (error instanceof BodyTooLargeError)
      return new StatusError(413, 'RequestEntityTooLarge', error.message);
    if (!isStatusError(error)) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#options.logger.error({ error: text }, 'a request failed in a way the server does not know');
    }
    return asStatusError(error);
  }

  #isServed(parsed: RequestPath): boolean {
    if (!parsed.isResource) return true;
    const { group, version, resource } = parsed.target;
    return this.#options.endpoints.table.find(group, version, resource) !== undefined;
  }

  #auditId(exchange: Exchange): string {
    const given = exchange.headers['audit-id'];
    return typeof given === 'string' && given.length <= 64 ? given : this.#options.random.uuid();
  }
}
