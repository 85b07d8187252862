/** Content negotiation: which form of an answer a client takes, and which form its body is in. */
import { StatusError } from '#machinery';

export type Format = 'json' | 'yaml' | 'protobuf';

/** `Accept: application/json;as=Table;v=v1;g=meta.k8s.io` and the like. */
export interface MediaType {
  readonly format: Format;
  readonly as?: string;
  readonly group?: string;
  readonly version?: string;
  readonly pretty: boolean;
}

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf',
};

const FORMATS: Readonly<Record<string, Format>> = {
  'application/json': 'json',
  'application/yaml': 'yaml',
  'application/vnd.kubernetes.protobuf': 'protobuf',
};

/** Accept headers remembered; clients send few different ones. When full, all are forgotten. */
const MAX_REMEMBERED = 256;
const remembered = new Map<string, readonly MediaType[]>();
const ANYTHING: readonly MediaType[] = [{ format: 'json', pretty: false }];

/** What the client takes, best first. Entries this server does not know are left out. */
export function acceptedMediaTypes(accept: string | undefined): readonly MediaType[] {
  if (accept === undefined || accept === '' || accept === '*/*') return ANYTHING;
  const known = remembered.get(accept);
  if (known !== undefined) return known;
  const parsed = parseAccept(accept);
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  remembered.set(accept, parsed);
  return parsed;
}

function parseAccept(accept: string): readonly MediaType[] {
  const clauses = accept.split(',').map((text, position) => {
    const [type = '', ...parameters] = text.split(';').map((part) => part.trim());
    const values = new Map(parameters.map((parameter) => splitParameter(parameter)));
    return { type: type.toLowerCase(), values, quality: Number(values.get('q') ?? '1'), position };
  });
  clauses.sort((a, b) => b.quality - a.quality || a.position - b.position);
  return clauses.flatMap(({ type, values }) => {
    const format = type === '*/*' || type === 'application/*' ? 'json' : FORMATS[type];
    if (format === undefined) return [];
    const pretty = values.get('pretty') === '1';
    const as = values.get('as');
    if (as === undefined) return [{ format, pretty }];
    return [{ format, pretty, as, group: values.get('g') ?? '', version: values.get('v') ?? '' }];
  });
}

function splitParameter(parameter: string): [string, string] {
  const at = parameter.indexOf('=');
  return at < 0 ? [parameter, ''] : [parameter.slice(0, at), parameter.slice(at + 1)];
}

/** @throws StatusError 406 when `suits` takes none of what the client accepts. */
export function negotiate(
  accept: string | undefined,
  suits: (type: MediaType) => boolean,
  offered: readonly string[] = Object.values(CONTENT_TYPES),
): MediaType {
  const found = acceptedMediaTypes(accept).find(suits);
  if (found !== undefined) return found;
  if (acceptedMediaTypes(accept).length === 0) {
    const streams = [CONTENT_TYPES.json, CONTENT_TYPES.protobuf].map((type) => `${type};stream=watch`);
    const available = [...offered, ...streams].join(', ');
    throw new StatusError(
      406,
      'NotAcceptable',
      `406: Not Acceptable\n\nAvailable representations: ${available}`,
      {},
    );
  }
  throw new StatusError(
    406,
    'NotAcceptable',
    `only the following media types are accepted: ${offered.join(', ')}`,
  );
}

/** The format of a request's body. Absent means JSON. @throws StatusError 415. */
export function bodyFormat(contentType: string | undefined, takesProtobuf: boolean): Format {
  if (contentType === undefined || contentType === '') return 'json';
  const type = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  const format = FORMATS[type];
  if (format !== undefined && (format !== 'protobuf' || takesProtobuf)) return format;
  const types = Object.entries(CONTENT_TYPES).filter(([name]) => takesProtobuf || name !== 'protobuf');
  throw unsupportedMediaType(types.map(([, text]) => text));
}

export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  return new StatusError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );
}
