/** Results of endpoints as bytes: JSON, YAML or protobuf; whole, as a Table, or as metadata only. */
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import {
  decodeProtobuf,
  encodeProtobuf,
  encodeProtobufList,
  type KubeObject,
  parseApiVersion,
  printYaml,
  type Status,
  StatusError,
  type StructSchema,
} from '#machinery';
import { schemaOf } from '#api';
import type { Clock } from '#platform';
import { type EndpointResult, listMetadata, listOf } from '../endpoints/endpoint-request.ts';
import { type Body, JoinedParts, wholeBody } from './body-parts.ts';
import type { BodyKind } from '../registry/served-resource.ts';
import { includeObjectOf, partialMetadata, tableOf } from '../table/table.ts';
import type { ListPage } from '../watch-cache/list-page.ts';
import type { ServedResource } from '../registry/served-resource.ts';
import { CONTENT_TYPES, type MediaType, negotiate } from './media-type.ts';

const compress = promisify(gzip);
/** Answers from this size on are compressed for clients that ask; below it costs more than it saves. */
const COMPRESS_FROM_BYTES = 128 * 1024;
const NOTHING = Buffer.alloc(0);
const COMMA = Buffer.from(',');
const OPEN = Buffer.from('{');
const END_OF_LIST = Buffer.from(']}');

export interface EncodedResponse<B extends Body = Body> {
  readonly code: number;
  readonly contentType: string;
  readonly body: B;
}

/** Settled before anything is done, so that a client that takes none of the forms changes nothing. */
export interface ResponseForm {
  readonly media: MediaType;
  readonly query: URLSearchParams;
  readonly pretty: boolean;
}

/** What the answer to a request on a resource may look like. */
export interface OfferedForms {
  readonly hasProtobuf: boolean;
  /** As the Table and metadata forms need: the answer is objects with metadata. */
  readonly isObjects: boolean;
}

const TRANSFORMS = new Set(['Table', 'PartialObjectMetadata', 'PartialObjectMetadataList']);

export function negotiateForm(
  accept: string | undefined,
  query: URLSearchParams,
  offered: OfferedForms,
): ResponseForm {
  const media = negotiate(accept, (type) => {
    if (type.as === undefined) return type.format !== 'protobuf' || offered.hasProtobuf;
    const isKnown = TRANSFORMS.has(type.as) && type.group === 'meta.k8s.io';
    const isVersion = type.version === 'v1' || type.version === 'v1beta1';
    if (!isKnown || !isVersion || !offered.isObjects) return false;
    return type.format !== 'protobuf' || type.as !== 'Table';
  });
  const asked = query.get('pretty');
  const pretty = asked === null ? media.pretty : asked !== 'false' && asked !== '0';
  return { media, query, pretty };
}

export class ResponseEncoder {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  encode(result: EndpointResult, form: ResponseForm): EncodedResponse {
    const { code } = result;
    const contentType = CONTENT_TYPES[form.media.format];
    const body = form.media.as === undefined ? this.#plain(result, form) : this.#transformed(result, form);
    return { code, contentType, body };
  }

  #plain(result: EndpointResult, form: ResponseForm): Body {
    const { format } = form.media;
    if (result.type === 'value') return encodeValue(result.object, result.kind, form);
    const { served } = result;
    if (format === 'json' && !form.pretty) {
      return result.type === 'entry' ? result.entry.json(served) : joinedList(served, result.page);
    }
    if (format === 'protobuf') {
      return result.type === 'entry'
        ? (result.entry.protobuf(served) ?? Buffer.alloc(0))
        : protobufList(served, result.page);
    }
    const object = result.type === 'entry' ? result.entry.in(served) : listOf(served, result.page);
    return encodeText(object, form);
  }

  #transformed(result: EndpointResult, form: ResponseForm): Buffer {
    const { as, version = 'v1' } = form.media;
    if (result.type === 'value')
      return encodeValue(result.object, result.kind, { ...form, media: { ...form.media, format: 'json' } });
    const { served } = result;
    const objects =
      result.type === 'entry' ? [result.entry.object] : result.page.entries.map((entry) => entry.object);
    if (as === 'Table') {
      const metadata =
        result.type === 'entry'
          ? { resourceVersion: result.entry.object.metadata.resourceVersion }
          : listMetadata(result.page);
      const request = { includeObject: includeObjectOf(form.query), version };
      return encodeText(tableOf(served, objects, metadata, request, this.#clock.now()), form);
    }
    const isList = as === 'PartialObjectMetadataList';
    if (isList !== (result.type === 'list')) throw wrongForm(served, isList);
    const items = objects.map((object) => partialMetadata(object, version));
    if (result.type === 'entry')
      return encodeMetadata(items[0] ?? {}, 'PartialObjectMetadata', version, form);
    const list = {
      kind: 'PartialObjectMetadataList',
      apiVersion: `meta.k8s.io/${version}`,
      metadata: listMetadata(result.page),
      items,
    };
    return encodeMetadata(list, 'PartialObjectMetadataList', version, form);
  }
}

function wrongForm(served: ServedResource, isList: boolean): StatusError {
  const type = `*${served.info.group === '' ? 'core' : served.info.group.split('.')[0]}.${served.info.listKind}`;
  const message = isList
    ? `you requested PartialObjectMetadataList, but the requested object is not a list (${type.replace(/List$/, '')})`
    : `you requested PartialObjectMetadata, but the requested object is a list (${type})`;
  return new StatusError(406, 'NotAcceptable', message);
}

function notAcceptable(): StatusError {
  const offered = Object.values(CONTENT_TYPES).join(', ');
  return new StatusError(406, 'NotAcceptable', `only the following media types are accepted: ${offered}`);
}

function encodeMetadata(object: object, kind: string, version: string, form: ResponseForm): Buffer {
  if (form.media.format !== 'protobuf') return encodeText(object, form);
  const gvk = { group: 'meta.k8s.io', version, kind };
  const schema = schemaOf({ ...gvk, version: 'v1' });
  if (schema === undefined) throw notAcceptable();
  return encodeProtobuf(gvk, schema, object);
}

function encodeValue(object: KubeObject | Status, kind: BodyKind | undefined, form: ResponseForm): Buffer {
  if (form.media.format !== 'protobuf') return encodeText(object, form);
  const schema = kind?.schema ?? statusSchema();
  const gvk = { ...parseApiVersion(object.apiVersion), kind: object.kind };
  return encodeProtobuf(gvk, schema, object);
}

function statusSchema(): StructSchema {
  const schema = schemaOf({ group: '', version: 'v1', kind: 'Status' });
  if (schema === undefined) throw new Error('the schema facts have no Status');
  return schema;
}

export function encodeStatus(
  status: Status,
  form: Pick<ResponseForm, 'media' | 'pretty'> | undefined,
  code = status.code ?? 200,
): EncodedResponse<Buffer> {
  if (form?.media.format === 'protobuf') {
    const body = encodeProtobuf({ group: '', version: 'v1', kind: 'Status' }, statusSchema(), status);
    return { code, contentType: CONTENT_TYPES.protobuf, body };
  }
  const format = form?.media.format ?? 'json';
  return {
    code,
    contentType: CONTENT_TYPES[format],
    body: encodeText(status, { media: { format }, pretty: form?.pretty ?? false }),
  };
}

export function encodeText(
  object: unknown,
  form: { readonly media: Pick<MediaType, 'format'>; readonly pretty: boolean },
): Buffer {
  if (form.media.format === 'yaml') return Buffer.from(printYaml(object));
  return Buffer.from(form.pretty ? `${JSON.stringify(object, null, 2)}\n` : JSON.stringify(object));
}

/** The bytes of the entries one behind the other: nothing else is made for each of them. */
function joinedList(served: ServedResource, page: ListPage): Body {
  const info = { kind: served.info.listKind, apiVersion: served.apiVersion, metadata: listMetadata(page) };
  const head = Buffer.from(`${JSON.stringify(info).slice(0, -1)},"items":[`);
  // Items of built-in kinds do not repeat what the list says of them.
  const prefix = served.stored.isCustom ? NOTHING : typePrefix(served);
  const items: Buffer[] = [];
  let length = head.length + END_OF_LIST.length + Math.max(0, page.entries.length - 1);
  for (const entry of page.entries) {
    const json = entry.json(served);
    items.push(json);
    length += json.length;
    if (startsWith(json, prefix)) length -= prefix.length - OPEN.length;
  }
  return new JoinedParts(length, listPieces(head, items, prefix));
}

function* listPieces(head: Buffer, items: readonly Buffer[], prefix: Buffer): Generator<Buffer, void, void> {
  yield head;
  for (const [i, json] of items.entries()) {
    if (i > 0) yield COMMA;
    if (startsWith(json, prefix)) {
      yield OPEN;
      yield json.subarray(prefix.length);
    } else yield json;
  }
  yield END_OF_LIST;
}

const startsWith = (bytes: Buffer, prefix: Buffer): boolean =>
  prefix.length > 0 && bytes.compare(prefix, 0, prefix.length, 0, prefix.length) === 0;

const typePrefix = (served: ServedResource): Buffer =>
  Buffer.from(`{"kind":${JSON.stringify(served.kind)},"apiVersion":${JSON.stringify(served.apiVersion)},`);

function protobufList(served: ServedResource, page: ListPage): Buffer {
  const gvk = { group: served.info.group, version: served.info.version, kind: served.info.listKind };
  const items = page.entries.map((entry) => decodeProtobuf(entry.protobuf(served) ?? NOTHING).raw);
  return encodeProtobufList(gvk, listMetadata(page), items);
}

/** Compresses a large answer when the client takes gzip. */
export async function compressed(
  body: Body,
  acceptEncoding: string | undefined,
): Promise<{ readonly body: Body; readonly isCompressed: boolean }> {
  const wanted =
    body.length >= COMPRESS_FROM_BYTES && acceptEncoding !== undefined && /\bgzip\b/.test(acceptEncoding);
  if (!wanted) return { body, isCompressed: false };
  return { body: await compress(wholeBody(body), { level: constants.Z_BEST_SPEED }), isCompressed: true };
}
