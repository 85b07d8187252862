/** Requests on resources: from HTTP to the endpoints and back. */
import {
  type DeleteOptions,
  decodeObject,
  decodeProtobufObject,
  type KubeObject,
  type PatchType,
  ProtobufError,
  parseJson,
  type ResourceTarget,
  type Status,
  StatusError,
  type StructSchema,
} from '#machinery';
import { schemaOf } from '#api';
import { badRequest } from '#machinery';
import type { Clock } from '#platform';
import type { Endpoints } from '../endpoints/endpoints.ts';
import type { Caller, EndpointRequest } from '../endpoints/endpoint-request.ts';
import { notAllowed } from '../endpoints/generic-error.ts';
import type { RequestBody, ServedResource } from '../registry/served-resource.ts';
import { includeObjectOf } from '../table/table.ts';
import type { ApiVerb } from './request-path.ts';
import type { Exchange } from './exchange.ts';
import { bodyFormat, CONTENT_TYPES, unsupportedMediaType } from './media-type.ts';
import {
  deleteOptions,
  deleteOptionsOf,
  getOptions,
  listOptions,
  watchOptions,
  writeOptions,
} from './query-options.ts';
import { managerOfUserAgent, type RequestContext, warningHeaders } from './request-context.ts';
import {
  compressed,
  encodeStatus,
  negotiateForm,
  type OfferedForms,
  ResponseEncoder,
  type ResponseForm,
} from './response-encoder.ts';
import type { WatchServer } from './watch-server.ts';

/** Largest body of a write; etcd's default request limit doubled, as upstream. */
export const MAX_BODY_BYTES = 3 * 1024 * 1024;

const PATCH_TYPES: readonly PatchType[] = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];

/** Kinds that are on their way out; every answer says so. */
const DEPRECATED: Readonly<Record<string, string>> = {
  '/v1/endpoints': 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
  '/v1/componentstatuses': 'v1 ComponentStatus is deprecated in v1.19+',
};

const NEVER_ABORTED = new AbortController().signal;

export class ResourceHandler {
  readonly #endpoints: Endpoints;
  readonly #encoder: ResponseEncoder;
  readonly #watches: WatchServer;

  constructor(options: {
    readonly endpoints: Endpoints;
    readonly clock: Clock;
    readonly watches: WatchServer;
  }) {
    this.#endpoints = options.endpoints;
    this.#encoder = new ResponseEncoder(options.clock);
    this.#watches = options.watches;
  }

  /** @throws StatusError for everything that fails before the answer has begun. */
  async handle(context: RequestContext, verb: ApiVerb, target: ResourceTarget): Promise<void> {
    const { exchange, query, headers } = context;
    const warnings: string[] = [];
    const isRead = verb === 'get' || verb === 'list' || verb === 'watch';
    const caller: Caller = {
      user: context.user,
      defaultManager: isRead ? '' : managerOfUserAgent(exchange.headers['user-agent']),
      warn: (text) => warnings.push(text),
      signal: isRead && verb !== 'watch' ? NEVER_ABORTED : signalOf(exchange),
    };
    const served = this.#endpoints.table.find(target.group, target.version, target.resource);
    const deprecation =
      served && DEPRECATED[`${served.info.group}/${served.info.version}/${served.info.resource}`];
    if (deprecation !== undefined) warnings.push(deprecation);
    const form = this.#form(context, served, target, verb);
    if (verb === 'watch') {
      const request = { verb, ...target, options: watchOptions(query) } as const;
      await this.#watches.serve(context, request, caller, form.media, includeObjectOf(query));
      return;
    }
    const request = await this.#request(context, verb, target, served);
    const result = await this.#endpoints.execute(request, caller);
    const { code, contentType, body } =
      result.type === 'value' && result.kind === undefined
        ? encodeStatus(result.object as Status, form, result.code)
        : this.#encoder.encode(result, form);
    headers['content-type'] = contentType;
    if (warnings.length > 0) headers.warning = warningHeaders(warnings);
    const small =
      body.length < 1024
        ? { body, isCompressed: false }
        : await compressed(body, exchange.headers['accept-encoding'] as string | undefined);
    if (small.isCompressed) headers['content-encoding'] = 'gzip';
    exchange.respond(code, headers, small.body);
  }

  #form(
    context: RequestContext,
    served: ServedResource | undefined,
    target: ResourceTarget,
    verb: ApiVerb,
  ): ResponseForm {
    const isStored =
      served?.info.verbs.includes('get') === true || served?.info.verbs.includes('list') === true;
    const offered: OfferedForms = {
      hasProtobuf: served === undefined || !served.stored.isCustom,
      isObjects: isStored && (verb !== 'create' || target.subresource === undefined),
    };
    return negotiateForm(context.exchange.headers.accept as string | undefined, context.query, offered);
  }

  async #request(
    context: RequestContext,
    verb: Exclude<ApiVerb, 'watch'>,
    target: ResourceTarget,
    served: ServedResource | undefined,
  ): Promise<EndpointRequest> {
    const { exchange, query } = context;
    if ((verb === 'patch' || verb === 'update') && target.name === undefined) throw notAllowed();
    switch (verb) {
      case 'get':
        return { verb, ...target, options: getOptions(query) };
      case 'list':
        return { verb, ...target, options: listOptions(query) };
      case 'create':
        return {
          verb,
          ...target,
          options: writeOptions(query, 'CreateOptions'),
          body: await writeBody(exchange, served),
        };
      case 'update':
        return {
          verb,
          ...target,
          options: writeOptions(query, 'UpdateOptions'),
          body: await writeBody(exchange, served),
        };
      case 'patch': {
        const patchType = patchTypeOf(exchange.headers['content-type'] as string | undefined, served);
        const bytes = await exchange.readBody(MAX_BODY_BYTES);
        const format = patchType === 'application/apply-patch+yaml' ? 'yaml' : 'json';
        return {
          verb,
          ...target,
          options: writeOptions(query, 'PatchOptions'),
          patchType,
          body: { format, bytes },
        };
      }
      case 'delete':
        return { verb, ...target, options: await deleteBody(exchange, query) };
      case 'deletecollection':
        return { verb, ...target, list: listOptions(query), options: await deleteBody(exchange, query) };
      default:
        return verb satisfies never;
    }
  }
}

function signalOf(exchange: Exchange): AbortSignal {
  const controller = new AbortController();
  // Every exchange closes; only one that was not answered is given up.
  exchange.onClose(() => {
    if (!exchange.hasResponded) controller.abort();
  });
  return controller.signal;
}

async function writeBody(exchange: Exchange, served: ServedResource | undefined): Promise<RequestBody> {
  const takesProtobuf = served === undefined || !served.stored.isCustom;
  const format = bodyFormat(exchange.headers['content-type'] as string | undefined, takesProtobuf);
  return { format, bytes: await exchange.readBody(MAX_BODY_BYTES) };
}

function patchTypeOf(contentType: string | undefined, served: ServedResource | undefined): PatchType {
  const type = ((contentType ?? '').split(';')[0] ?? '').trim().toLowerCase();
  const offered = PATCH_TYPES.filter(
    (known) => served?.stored.isCustom !== true || known !== 'application/strategic-merge-patch+json',
  );
  const found = offered.find((known) => known === type);
  if (found === undefined && PATCH_TYPES.some((known) => known === type)) throw unsupportedMediaType(offered);
  if (found === undefined)
    throw new StatusError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {});
  return found;
}

async function deleteBody(exchange: Exchange, query: URLSearchParams): Promise<DeleteOptions> {
  const bytes = await exchange.readBody(MAX_BODY_BYTES);
  if (bytes.length === 0) return deleteOptions(query);
  const format = bodyFormat(exchange.headers['content-type'] as string | undefined, true);
  const options = format === 'protobuf' ? protobufDeleteOptions(bytes) : jsonDeleteOptions(bytes);
  return deleteOptionsOf({ ...options });
}

function deleteOptionsSchema(): StructSchema {
  const schema = schemaOf({ group: '', version: 'v1', kind: 'DeleteOptions' });
  if (schema === undefined) throw new StatusError(415, 'UnsupportedMediaType', CONTENT_TYPES.protobuf);
  return schema;
}

/** Of every group's version the same: only the kind says what the body is. */
function jsonDeleteOptions(bytes: Buffer): KubeObject {
  try {
    const { value } = parseJson(bytes);
    const { kind = '', apiVersion = 'v1' } = (value ?? {}) as Partial<KubeObject>;
    if (kind !== '' && kind !== 'DeleteOptions') {
      throw badRequest(
        `no kind "${kind}" is registered for version "${apiVersion}" in scheme "pkg/runtime/scheme.go:111"`,
      );
    }
    const options = { ...(value as object), kind: 'DeleteOptions', apiVersion: 'v1' };
    return decodeObject(deleteOptionsSchema(), options, { fieldValidation: 'Ignore' }).object;
  } catch (error) {
    throw badRequest(error instanceof Error ? error.message : String(error));
  }
}

function protobufDeleteOptions(bytes: Buffer): KubeObject {
  try {
    return decodeProtobufObject(deleteOptionsSchema(), bytes);
  } catch (error) {
    throw error instanceof ProtobufError ? badRequest(error.message) : error;
  }
}
