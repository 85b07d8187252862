/**
 * A small image registry: the pull and push parts of https://github.com/opencontainers/distribution-spec over the
 * engine's own content store, so that what was built here can be pulled by every node.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { pipeline } from 'node:stream/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock, Logger, Random, Timer } from '#platform';
import { DOCUMENT_BYTES_MAX } from '../content/content-store.ts';
import type { ContentStore } from '../content/content-store.ts';
import { isDigest } from '../content/media-types.ts';
import type { Descriptor, Digest } from '../content/media-types.ts';
import { readBody } from '../distribution/http-exchange.ts';
import type { RegistryStore } from './registry-store.ts';

export interface RegistryServerOptions {
  readonly content: ContentStore;
  readonly store: RegistryStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Images that are here but were never pushed; undefined when there is none of that name. */
  readonly findLocal?: (repository: string, reference: string) => Promise<Descriptor | undefined>;
  /** Only this user may pull and push. Absent: everybody who can reach it. */
  readonly credentials?: { readonly username: string; readonly password: string };
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface RegistryServer {
  readonly address: { readonly host: string; readonly port: number };
  close(): Promise<void>;
}

/** A blob that no manifest names is kept this long after it came, and so is an upload under way. */
const LOOSE_BLOB_KEPT_MS = 60 * 60 * 1000;
/** Uploads at the same time; more are refused. */
const UPLOADS_MAX = 256;

const NAME = '([a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*)*)';
const MANIFEST = new RegExp(`^/v2/${NAME}/manifests/([\\w.:-]+)$`);
const BLOB = new RegExp(`^/v2/${NAME}/blobs/(sha256:[0-9a-f]{64})$`);
const UPLOAD = new RegExp(`^/v2/${NAME}/blobs/uploads/([\\w-]*)$`);
const TAGS = new RegExp(`^/v2/${NAME}/tags/list$`);

/** An answer other than yes, in the words of the specification. */
class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

interface Upload {
  readonly path: string;
  readonly expiry: Timer;
}

class Registry {
  readonly #options: RegistryServerOptions;
  readonly #uploads = new Map<string, Upload>();

  constructor(options: RegistryServerOptions) {
    this.#options = options;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://registry');
    this.#authenticate(request);
    if (url.pathname === '/v2/' || url.pathname === '/v2') return json(response, 200, {});
    if (url.pathname === '/v2/_catalog')
      return json(response, 200, { repositories: this.#options.store.repositories() });
    const tags = TAGS.exec(url.pathname);
    if (tags !== null) return this.#tags(tags[1] ?? '', response);
    const manifest = MANIFEST.exec(url.pathname);
    if (manifest !== null) return this.#manifest(manifest[1] ?? '', manifest[2] ?? '', request, response);
    const blob = BLOB.exec(url.pathname);
    if (blob !== null) return this.#blob(blob[2] as Digest, request, response);
    const upload = UPLOAD.exec(url.pathname);
    if (upload !== null) return this.#upload(upload[1] ?? '', upload[2] ?? '', url, request, response);
    throw new Refusal(404, 'NAME_UNKNOWN', 'repository name not known to registry');
  }

  #authenticate(request: IncomingMessage): void {
    const { credentials } = this.#options;
    if (credentials === undefined) return;
    const wanted = `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
    const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
    if (timingSafeEqual(hash(wanted), hash(request.headers.authorization ?? ''))) return;
    throw new Refusal(401, 'UNAUTHORIZED', 'authentication required');
  }

  #tags(repository: string, response: ServerResponse): void {
    const tags = this.#options.store.tags(repository);
    if (tags === undefined) throw new Refusal(404, 'NAME_UNKNOWN', 'repository name not known to registry');
    json(response, 200, { name: repository, tags });
  }

  async #manifest(
    repository: string,
    reference: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { store, content } = this.#options;
    if (request.method === 'PUT') {
      const bytes = await readBody(request, DOCUMENT_BYTES_MAX);
      const digest = await store
        .put(repository, reference, bytes, request.headers['content-type'])
        .catch((e: unknown) => {
          throw new Refusal(400, 'MANIFEST_INVALID', e instanceof Error ? e.message : String(e));
        });
      response.writeHead(201, {
        location: `/v2/${repository}/manifests/${digest}`,
        'docker-content-digest': digest,
      });
      response.end();
      return;
    }
    const found =
      store.find(repository, reference) ?? (await this.#options.findLocal?.(repository, reference));
    if (found === undefined) throw new Refusal(404, 'MANIFEST_UNKNOWN', 'manifest unknown');
    if (request.method === 'DELETE') {
      await store.removeManifest(repository, found.digest);
      response.writeHead(202).end();
      return;
    }
    requireReading(request);
    response.writeHead(200, {
      'content-type': found.mediaType,
      'content-length': found.size,
      'docker-content-digest': found.digest,
      etag: `"${found.digest}"`,
    });
    response.end(request.method === 'HEAD' ? undefined : await content.readDocument(found.digest));
  }

  async #blob(digest: Digest, request: IncomingMessage, response: ServerResponse): Promise<void> {
    requireReading(request);
    const { content } = this.#options;
    const size = await content.sizeOf(digest);
    if (size === undefined) throw new Refusal(404, 'BLOB_UNKNOWN', 'blob unknown to registry');
    const range = parseRange(request.headers.range, size);
    const common = {
      'content-type': 'application/octet-stream',
      'docker-content-digest': digest,
      'accept-ranges': 'bytes',
      etag: `"${digest}"`,
    };
    if (range === undefined) response.writeHead(200, { ...common, 'content-length': size });
    else {
      const { start, end } = range;
      response.writeHead(206, {
        ...common,
        'content-length': end - start + 1,
        'content-range': `bytes ${start}-${end}/${size}`,
      });
    }
    if (request.method === 'HEAD') response.end();
    else await pipeline(content.read(digest, range), response);
  }

  async #upload(
    repository: string,
    id: string,
    url: URL,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    if (request.method === 'POST' && id === '') return this.#startUpload(repository, url, request, response);
    const upload = this.#uploads.get(id);
    if (upload === undefined)
      throw new Refusal(404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry');
    if (request.method === 'PATCH') {
      await pipeline(request, createWriteStream(upload.path, { flags: 'a' }));
      this.#accepted(repository, id, await sizeOf(upload.path), response);
      return;
    }
    if (request.method === 'PUT') return this.#finishUpload(repository, id, upload, url, request, response);
    if (request.method === 'GET')
      return this.#accepted(repository, id, await sizeOf(upload.path), response, 204);
    throw new Refusal(405, 'UNSUPPORTED', 'the operation is unsupported');
  }

  async #startUpload(
    repository: string,
    url: URL,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { content, clock, random } = this.#options;
    const mounted = url.searchParams.get('mount') ?? '';
    if (isDigest(mounted) && (await content.sizeOf(mounted)) !== undefined) {
      request.resume();
      return this.#created(repository, mounted, response);
    }
    if (this.#uploads.size >= UPLOADS_MAX) throw new Refusal(429, 'TOOMANYREQUESTS', 'too many uploads');
    const id = random.uuid();
    const path = content.temporaryPath();
    const expiry = clock.setTimer(LOOSE_BLOB_KEPT_MS, () => {
      this.#uploads.delete(id);
      void rm(path, { force: true });
    });
    const upload: Upload = { path, expiry };
    this.#uploads.set(id, upload);
    if (url.searchParams.has('digest'))
      return this.#finishUpload(repository, id, upload, url, request, response);
    request.resume();
    return this.#accepted(repository, id, 0, response);
  }

  async #finishUpload(
    repository: string,
    id: string,
    { path, expiry }: Upload,
    url: URL,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { content, clock } = this.#options;
    const digest = url.searchParams.get('digest') ?? '';
    if (!isDigest(digest)) throw new Refusal(400, 'DIGEST_INVALID', 'provided digest is no sha256 digest');
    try {
      await pipeline(request, createWriteStream(path, { flags: 'a' }));
      await content.write(createReadStream(path), { digest });
    } catch (e) {
      throw new Refusal(400, 'DIGEST_INVALID', e instanceof Error ? e.message : String(e));
    } finally {
      this.#uploads.delete(id);
      expiry.cancel();
      await rm(path, { force: true });
    }
    const release = content.lease(digest);
    clock.setTimer(LOOSE_BLOB_KEPT_MS, release);
    this.#created(repository, digest, response);
  }

  #created(repository: string, digest: Digest, response: ServerResponse): void {
    response.writeHead(201, {
      location: `/v2/${repository}/blobs/${digest}`,
      'docker-content-digest': digest,
    });
    response.end();
  }

  #accepted(repository: string, id: string, received: number, response: ServerResponse, status = 202): void {
    response.writeHead(status, {
      location: `/v2/${repository}/blobs/uploads/${id}`,
      range: `0-${Math.max(0, received - 1)}`,
      'docker-upload-uuid': id,
      'content-length': 0,
    });
    response.end();
  }
}

/** Listens at `at`. Port 0: any free one. */
export async function serveRegistry(
  options: RegistryServerOptions,
  at: { readonly host: string; readonly port: number },
): Promise<RegistryServer> {
  const registry = new Registry(options);
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    registry.handle(request, response).catch((e: unknown) => {
      if (!(e instanceof Refusal))
        options.logger.warn({ url: request.url, error: String(e) }, 'registry request failed');
      refuse(response, e instanceof Refusal ? e : new Refusal(500, 'UNKNOWN', 'unknown error'));
    });
  };
  const server = options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at.port, at.host, () => resolve());
  });
  const { address, port } = server.address() as AddressInfo;
  return {
    address: { host: address, port },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function refuse(response: ServerResponse, { status, code, message }: Refusal): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const challenge: Record<string, string> =
    status === 401 ? { 'www-authenticate': 'Basic realm="k8ts registry"' } : {};
  json(response, status, { errors: [{ code, message }] }, challenge);
}

function json(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Record<string, string> = {},
): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': bytes.length,
    'docker-distribution-api-version': 'registry/2.0',
    ...headers,
  });
  response.end(bytes);
}

function requireReading(request: IncomingMessage): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    throw new Refusal(405, 'UNSUPPORTED', 'the operation is unsupported');
  }
}

/** `bytes=<first>-[<last>]`; undefined: the whole. @throws Refusal 416. */
function parseRange(
  header: string | undefined,
  size: number,
): { readonly start: number; readonly end: number } | undefined {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header ?? '');
  if (match === null) return undefined;
  const start = Number(match[1]);
  const end = match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (start > end) throw new Refusal(416, 'SIZE_INVALID', 'the range is outside of the blob');
  return { start, end };
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0;
  }
}
