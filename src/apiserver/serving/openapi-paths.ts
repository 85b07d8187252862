/**
 * `/openapi/v2` and `/openapi/v3`. The code that builds the documents is loaded with the first request for one: most
 * starts of a server never need it.
 */
import type { OpenApiDocuments, ServedDocument } from '../openapi/index.ts';
import type { ResourceTable } from '../registry/resource-table.ts';
import { PathNotFoundError, type PathRoute, respondText } from './path-handler.ts';
import type { RequestContext } from './request-context.ts';
import { compressed } from './response-encoder.ts';

const V2_PROTOBUF = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
const JSON_TYPE = 'application/json';
const V3_PREFIX = '/openapi/v3/';

export class OpenApiPaths {
  readonly #table: ResourceTable;
  readonly #serverVersion: string;
  #documents: Promise<OpenApiDocuments> | undefined;

  constructor(options: { readonly table: ResourceTable; readonly serverVersion: string }) {
    this.#table = options.table;
    this.#serverVersion = options.serverVersion;
  }

  get routes(): readonly PathRoute[] {
    return [
      { path: '/openapi/v2', handle: (context) => this.#v2(context) },
      { path: '/openapi/v3', handle: (context) => this.#v3Index(context) },
      { path: V3_PREFIX, isPrefix: true, handle: (context) => this.#v3(context) },
    ];
  }

  #load(): Promise<OpenApiDocuments> {
    this.#documents ??= import('../openapi/index.ts').then(
      ({ OpenApiDocuments: Documents }) =>
        new Documents({ serverVersion: this.#serverVersion, resources: () => this.#table.infos() }),
    );
    return this.#documents;
  }

  async #v2(context: RequestContext): Promise<void> {
    const documents = await this.#load();
    switch (formOf(context.exchange.headers.accept)) {
      case 'protobuf':
        return answer(context, documents.v2('protobuf'), V2_PROTOBUF);
      case 'json':
        return answer(context, documents.v2('json'), JSON_TYPE);
      default:
        return notAcceptable(context);
    }
  }

  async #v3Index(context: RequestContext): Promise<void> {
    const documents = await this.#load();
    respondText(context, 200, JSON.stringify(documents.v3Index()), JSON_TYPE);
  }

  async #v3(context: RequestContext): Promise<void> {
    const path = context.path.slice(V3_PREFIX.length);
    const document = (await this.#load()).v3(path);
    if (document === undefined) throw new PathNotFoundError();
    const asked = context.query.get('hash');
    if (asked !== null && asked !== document.etag) {
      const location = `${V3_PREFIX}${path}?hash=${document.etag}`;
      context.exchange.respond(301, { ...context.headers, location, etag: `"${document.etag}"` });
      return;
    }
    if (formOf(context.exchange.headers.accept) !== 'json') return notAcceptable(context);
    // A document under its hash never changes.
    if (asked !== null) context.headers['cache-control'] = 'public, immutable';
    await answer(context, document, JSON_TYPE);
  }
}

/** The first form of the Accept header that there is. */
function formOf(accept: string | readonly string[] | undefined): 'json' | 'protobuf' | undefined {
  if (typeof accept !== 'string' || accept === '') return 'json';
  for (const clause of accept.split(',')) {
    const type = (clause.split(';')[0] ?? '').trim();
    if (type === JSON_TYPE || type === '*/*' || type === 'application/*') return 'json';
    if (/^application\/com\.github\.proto-openapi\.spec\.v[23][.@]v1\.0\+protobuf$/.test(type))
      return 'protobuf';
  }
  return undefined;
}

function notAcceptable(context: RequestContext): void {
  context.exchange.respond(406, { ...context.headers, vary: 'Accept' });
}

async function answer(context: RequestContext, document: ServedDocument, contentType: string): Promise<void> {
  const { exchange } = context;
  const etag = `"${document.etag}"`;
  const headers = { ...context.headers, etag, vary: 'Accept, Accept-Encoding', 'content-type': contentType };
  if (exchange.headers['if-none-match'] === etag) return exchange.respond(304, headers);
  const encoding = exchange.headers['accept-encoding'];
  const { body, isCompressed } = await compressed(
    document.bytes,
    typeof encoding === 'string' ? encoding : undefined,
  );
  exchange.respond(200, isCompressed ? { ...headers, 'content-encoding': 'gzip' } : headers, body);
}
