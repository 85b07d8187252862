/**
 * A registry's API for one repository: https://github.com/opencontainers/distribution-spec, with the token protocol
 * of https://distribution.github.io/distribution/spec/auth/token.
 */
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { Clock, Logger } from '#platform';
import type { RegistryAuth } from '#cri';
import { DOCUMENT_BYTES_MAX } from '../content/content-store.ts';
import { MANIFEST_TYPES, isDigest, mediaTypeOf } from '../content/media-types.ts';
import type { Descriptor, Digest } from '../content/media-types.ts';
import { createHash } from 'node:crypto';
import { repositoryName } from '../images/reference.ts';
import type { Reference } from '../images/reference.ts';
import { TransportError, exchange, readBody } from './http-exchange.ts';
import type { Exchange } from './http-exchange.ts';
import { endpointsOf } from './registry-configuration.ts';
import type { Endpoint, RegistryConfiguration } from './registry-configuration.ts';
import { parseChallenge, tokenRequest } from './registry-auth.ts';

/** What a registry said no to. `status` is HTTP's. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const isNotFound = (e: unknown): boolean => e instanceof RegistryError && e.status === 404;

export interface RegistryClientOptions {
  readonly reference: Reference;
  readonly configuration: RegistryConfiguration;
  readonly auth: RegistryAuth | undefined;
  readonly actions: 'pull' | 'pull,push';
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Attempts of one request while the network or the registry has a bad moment. */
const ATTEMPTS_MAX = 4;
const FIRST_RETRY_MS = 250;
const REDIRECTS_MAX = 5;

export class RegistryClient {
  readonly #options: RegistryClientOptions;
  /** `Authorization` that an endpoint accepted. */
  readonly #authorizations = new Map<string, string>();
  readonly #endpoints: readonly Endpoint[];

  constructor(options: RegistryClientOptions) {
    this.#options = options;
    const endpoints = endpointsOf(options.reference.registry, options.configuration);
    // Pushing goes to the registry itself; without one that answers, a mirror is as good.
    this.#endpoints = options.actions === 'pull' ? endpoints : [...endpoints].reverse();
  }

  /** What the reference names. @throws RegistryError (404 when there is no such image), TransportError. */
  resolve(signal?: AbortSignal): Promise<Descriptor> {
    return this.#anyEndpoint(async (endpoint) => {
      const { tag, digest } = this.#options.reference;
      const path = `manifests/${digest ?? tag ?? 'latest'}`;
      const head = await this.#send(endpoint, {
        method: 'HEAD',
        path,
        headers: { accept: MANIFEST_TYPES.join(', ') },
        signal,
      });
      head.resume();
      const named = digest ?? head.headers['docker-content-digest'];
      const size = Number(head.headers['content-length'] ?? 0);
      const type = head.headers['content-type']?.split(';')[0];
      if (typeof named === 'string' && isDigest(named) && size > 0 && type !== undefined) {
        return { mediaType: type, digest: named, size };
      }
      const body = await this.#document(endpoint, path, signal);
      const own: Digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
      return {
        mediaType: mediaTypeOf(JSON.parse(body.toString()) as object),
        digest: own,
        size: body.length,
      };
    });
  }

  /** A manifest or index, unchecked: the store checks its digest. */
  manifest(digest: Digest, signal?: AbortSignal): Promise<Buffer> {
    return this.#anyEndpoint((endpoint) => this.#document(endpoint, `manifests/${digest}`, signal));
  }

  async #document(endpoint: Endpoint, path: string, signal?: AbortSignal): Promise<Buffer> {
    const headers = { accept: MANIFEST_TYPES.join(', ') };
    const answer = await this.#send(endpoint, { method: 'GET', path, headers, signal });
    return readBody(answer, DOCUMENT_BYTES_MAX);
  }

  /**
   * The bytes of a blob. A connection that breaks half way is taken up again where it broke.
   * @throws RegistryError, TransportError after several breaks in a row.
   */
  async *blob({ digest, size }: Descriptor, signal?: AbortSignal): AsyncGenerator<Buffer> {
    let received = 0;
    for (let breaks = 0; received < size; ) {
      const headers: Record<string, string> = received === 0 ? {} : { range: `bytes=${received}-` };
      const answer = await this.#anyEndpoint((endpoint) =>
        this.#send(endpoint, { method: 'GET', path: `blobs/${digest}`, headers, signal }),
      );
      // Without ranges the registry starts over.
      let skip = answer.statusCode === 206 ? 0 : received;
      try {
        for await (const chunk of answer as AsyncIterable<Buffer>) {
          const fresh = chunk.subarray(Math.min(skip, chunk.length));
          skip -= chunk.length - fresh.length;
          received += fresh.length;
          breaks = 0;
          if (fresh.length > 0) yield fresh;
        }
        if (received < size)
          throw new TransportError(`blob ${digest} ended after ${received} of ${size} bytes`);
      } catch (e) {
        signal?.throwIfAborted();
        if (++breaks >= ATTEMPTS_MAX) throw e;
        await this.#options.clock.sleep(FIRST_RETRY_MS * 2 ** breaks, { signal });
      }
    }
  }

  async hasBlob(digest: Digest, signal?: AbortSignal): Promise<boolean> {
    try {
      const answer = await this.#anyEndpoint((endpoint) =>
        this.#send(endpoint, { method: 'HEAD', path: `blobs/${digest}`, headers: {}, signal }),
      );
      answer.resume();
      return true;
    } catch (e) {
      if (isNotFound(e)) return false;
      throw e;
    }
  }

  async pushBlob({ digest, size }: Descriptor, source: () => Readable, signal?: AbortSignal): Promise<void> {
    await this.#anyEndpoint(async (endpoint) => {
      const start = await this.#send(endpoint, {
        method: 'POST',
        path: 'blobs/uploads/',
        headers: { 'content-length': '0' },
        signal,
      });
      start.resume();
      const location = new URL(start.headers.location ?? '', `${this.#base(endpoint)}/blobs/uploads/`);
      location.searchParams.set('digest', digest);
      const headers = { 'content-type': 'application/octet-stream', 'content-length': String(size) };
      const done = await this.#send(endpoint, {
        method: 'PUT',
        path: location.href,
        headers,
        body: source,
        signal,
      });
      done.resume();
    });
  }

  async pushManifest(bytes: Buffer, mediaType: string, signal?: AbortSignal): Promise<void> {
    const { tag, digest } = this.#options.reference;
    await this.#anyEndpoint(async (endpoint) => {
      const headers = { 'content-type': mediaType, 'content-length': String(bytes.length) };
      const path = `manifests/${tag ?? digest ?? 'latest'}`;
      (await this.#send(endpoint, { method: 'PUT', path, headers, body: bytes, signal })).resume();
    });
  }

  #base(endpoint: Endpoint): string {
    return `${endpoint.baseUrl}/v2/${this.#options.reference.path}`;
  }

  /** The first endpoint that can answer; a mirror may be down or not have it. */
  async #anyEndpoint<T>(ask: (endpoint: Endpoint) => Promise<T>): Promise<T> {
    let failure: unknown;
    for (const endpoint of this.#endpoints) {
      try {
        return await ask(endpoint);
      } catch (e) {
        failure = e;
        if (!(e instanceof RegistryError || e instanceof TransportError)) throw e;
        this.#options.logger.debug(
          { endpoint: endpoint.baseUrl, error: e.message },
          'registry endpoint failed',
        );
      }
    }
    throw failure;
  }

  async #send(endpoint: Endpoint, request: RepositoryRequest): Promise<IncomingMessage> {
    const { clock } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#authorized(endpoint, request);
      } catch (e) {
        request.signal?.throwIfAborted();
        // An endpoint that refuses connections does so again; a mirror or the caller's next try is better.
        const passing = e instanceof RegistryError ? e.status >= 500 || e.status === 429 : isPassing(e);
        if (!passing || attempt >= ATTEMPTS_MAX) throw e;
        await clock.sleep(FIRST_RETRY_MS * 2 ** attempt, { signal: request.signal });
      }
    }
  }

  async #authorized(endpoint: Endpoint, request: RepositoryRequest): Promise<IncomingMessage> {
    const first = await this.#follow(endpoint, request);
    if (first.statusCode !== 401) return accepted(first, request, this.#options.reference);
    const challenge = first.headers['www-authenticate'] ?? '';
    first.resume();
    const authorization = await this.#authorize(endpoint, challenge, request.signal);
    if (authorization === undefined) throw denied(401);
    this.#authorizations.set(endpoint.baseUrl, authorization);
    return accepted(await this.#follow(endpoint, request), request, this.#options.reference);
  }

  async #follow(endpoint: Endpoint, request: RepositoryRequest): Promise<IncomingMessage> {
    const { method, path, body, signal, headers } = request;
    const { insecure, ca } = endpoint;
    let url = path.startsWith('http') ? path : `${this.#base(endpoint)}/${path}`;
    const origin = new URL(endpoint.baseUrl).origin;
    for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
      // Where blobs are redirected to must not see the registry's credentials.
      const own = new URL(url).origin === origin ? this.#authorizations.get(endpoint.baseUrl) : undefined;
      const sent: Exchange = {
        method,
        url,
        headers: { 'user-agent': 'k8ts', ...headers, ...(own === undefined ? {} : { authorization: own }) },
        insecure,
        ca,
        ...(body === undefined ? {} : { body: typeof body === 'function' ? body() : body }),
        ...(signal === undefined ? {} : { signal }),
      };
      const answer = await exchange(sent);
      const { location } = answer.headers;
      const status = answer.statusCode ?? 0;
      if (![301, 302, 303, 307, 308].includes(status) || location === undefined) return answer;
      answer.resume();
      url = new URL(location, url).href;
    }
    throw new RegistryError(310, `too many redirects for ${path}`);
  }

  async #authorize(endpoint: Endpoint, header: string, signal?: AbortSignal): Promise<string | undefined> {
    const { auth, reference, actions } = this.#options;
    const challenge = parseChallenge(header);
    if (auth?.registryToken !== undefined && auth.registryToken !== '') return `Bearer ${auth.registryToken}`;
    if (challenge?.scheme === 'basic') {
      if (auth?.username === undefined) return undefined;
      return `Basic ${Buffer.from(`${auth.username}:${auth.password ?? ''}`).toString('base64')}`;
    }
    if (challenge?.scheme !== 'bearer' || challenge.parameters.realm === undefined) return undefined;
    const scope = challenge.parameters.scope ?? `repository:${reference.path}:${actions}`;
    const answer = await exchange({
      ...tokenRequest({ ...challenge.parameters, realm: challenge.parameters.realm, scope }, auth),
      insecure: endpoint.insecure,
      ca: endpoint.ca,
      ...(signal === undefined ? {} : { signal }),
    });
    const body = await readBody(answer, DOCUMENT_BYTES_MAX);
    if (answer.statusCode === 401 || answer.statusCode === 403) throw denied(answer.statusCode);
    if (answer.statusCode !== 200) {
      throw new RegistryError(
        answer.statusCode ?? 0,
        `failed to fetch anonymous token: unexpected status: ${answer.statusCode}`,
      );
    }
    const { token, access_token: accessToken } = JSON.parse(body.toString()) as {
      readonly token?: string;
      readonly access_token?: string;
    };
    return `Bearer ${token ?? accessToken ?? ''}`;
  }
}

interface RepositoryRequest {
  readonly method: Exchange['method'];
  /** Below the repository, or a whole URL. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | (() => Readable);
  readonly signal?: AbortSignal;
}

const PASSING = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN']);

const isPassing = (e: unknown): boolean =>
  e instanceof TransportError && PASSING.has((e.cause as NodeJS.ErrnoException | undefined)?.code ?? '');

const denied = (status: number): RegistryError =>
  new RegistryError(
    status,
    'pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed',
  );

/** The answer when it says yes; else an error with the registry's own words. */
async function accepted(
  answer: IncomingMessage,
  { method, path }: RepositoryRequest,
  reference: Reference,
): Promise<IncomingMessage> {
  const status = answer.statusCode ?? 0;
  if (status >= 200 && status < 300) return answer;
  const body = await readBody(answer);
  if (status === 401 || status === 403) throw denied(status);
  if (status === 404) throw new RegistryError(404, `${repositoryName(reference)}/${path}: not found`);
  const detail = body.length === 0 ? '' : `: ${body.toString('utf8', 0, 500).trim()}`;
  throw new RegistryError(
    status,
    `unexpected status from ${method} request to ${path}: ${status} ${answer.statusMessage}${detail}`,
  );
}
