/** Discovery over HTTP: `/api`, `/apis` and below. Documents are made once per change of what is served. */
import { createHash } from 'node:crypto';
import { notServed } from '../endpoints/generic-error.ts';
import type { ResourceTable } from '../registry/resource-table.ts';
import { acceptedMediaTypes, CONTENT_TYPES, negotiate } from '../serving/media-type.ts';
import { PathNotFoundError, type PathRoute } from '../serving/path-handler.ts';
import type { RequestContext } from '../serving/request-context.ts';
import { encodeText } from '../serving/response-encoder.ts';
import {
  aggregatedDiscovery,
  type AggregatedVersion,
  apiGroupDocument,
  apiGroupList,
  apiResourceList,
  apiVersions,
  groupsOf,
} from './discovery.ts';

export class DiscoveryPaths {
  readonly #table: ResourceTable;
  readonly #serverAddress: string;
  #generation = -1;
  #groups: ReturnType<typeof groupsOf> = [];
  readonly #aggregated = new Map<string, { readonly body: Buffer; readonly etag: string }>();

  constructor(options: { readonly table: ResourceTable; readonly serverAddress: string }) {
    this.#table = options.table;
    this.#serverAddress = options.serverAddress;
  }

  get routes(): readonly PathRoute[] {
    return [
      { path: '/api', handle: (context) => this.#root(context, true) },
      { path: '/apis', handle: (context) => this.#root(context, false) },
      { path: '/api/v1', handle: (context) => this.#groupVersion(context, '', 'v1') },
      { path: '/apis/', isPrefix: true, handle: (context) => this.#below(context) },
    ];
  }

  /** Group versions and groups, as the list of paths at `/` has them. */
  get paths(): readonly string[] {
    const below = this.#current()
      .filter(({ group }) => group !== '')
      .flatMap(({ group, versions }) => [
        `/apis/${group}`,
        ...versions.map((version) => `/apis/${group}/${version}`),
      ]);
    return ['/api', '/api/v1', '/apis', '/apis/', ...below];
  }

  #current(): ReturnType<typeof groupsOf> {
    if (this.#generation !== this.#table.generation) {
      this.#generation = this.#table.generation;
      this.#groups = groupsOf(this.#table.infos());
      this.#aggregated.clear();
    }
    return this.#groups;
  }

  #root(context: RequestContext, isCore: boolean): void {
    const aggregated = acceptedMediaTypes(context.exchange.headers.accept as string | undefined).find(
      (type) => type.as === undefined || (type.format === 'json' && type.as === 'APIGroupDiscoveryList'),
    );
    const version = aggregated?.version;
    if (aggregated?.as !== undefined && (version === 'v2' || version === 'v2beta1')) {
      return this.#answerAggregated(context, isCore, version);
    }
    answer(context, isCore ? apiVersions(this.#serverAddress) : apiGroupList(this.#current()));
  }

  #answerAggregated(context: RequestContext, isCore: boolean, version: AggregatedVersion): void {
    const groups = this.#current();
    const key = `${isCore ? 'core' : 'groups'}/${version}`;
    let document = this.#aggregated.get(key);
    if (document === undefined) {
      const body = Buffer.from(JSON.stringify(aggregatedDiscovery(groups, isCore, version)));
      document = { body, etag: `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"` };
      this.#aggregated.set(key, document);
    }
    const headers = {
      ...context.headers,
      'content-type': `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
      etag: document.etag,
      vary: 'Accept',
      'cache-control': 'public',
    };
    const isKnown = context.exchange.headers['if-none-match'] === document.etag;
    context.exchange.respond(isKnown ? 304 : 200, headers, isKnown ? undefined : document.body);
  }

  #below(context: RequestContext): void {
    const [group = '', version, ...rest] = context.path.slice('/apis/'.length).split('/');
    if (group === '' && version === undefined) return this.#root(context, false);
    if (rest.some((part) => part !== '')) throw notServed();
    if (version !== undefined && version !== '') return this.#groupVersion(context, group, version);
    const document = apiGroupDocument(this.#current(), group);
    if (document === undefined) throw new PathNotFoundError();
    answer(context, document);
  }

  #groupVersion(context: RequestContext, group: string, version: string): void {
    const document = apiResourceList(this.#current(), { group, version });
    if (document === undefined) {
      const isKnown = this.#current().some((known) => known.group === group);
      throw isKnown ? notServed() : new PathNotFoundError();
    }
    answer(context, document);
  }
}

function answer(context: RequestContext, document: object): void {
  const { exchange, headers } = context;
  const media = negotiate(
    exchange.headers.accept as string | undefined,
    (type) => type.as === undefined && type.format !== 'protobuf',
  );
  const body = encodeText(document, { media, pretty: context.query.has('pretty') });
  exchange.respond(200, { ...headers, 'content-type': CONTENT_TYPES[media.format] }, body);
}
