/**
 * The OpenAPI v2 document as protobuf (gnostic's `openapi.v2.Document`), the form in which kubectl and client-go ask
 * for it. Only what our documents contain is written.
 */
import type { JsonSchema } from './json-schema.ts';
import type { Method } from './operations.ts';
import type { V2Document, V2Operation, V2Parameter, V2PathItem } from './openapi-v2.ts';
import { Message } from './protobuf-message.ts';

/** What clients name in `Accept`, and what the answer is called: `@` is no character of a media type. */
export const OPENAPI_V2_ACCEPTED_TYPE = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
export const OPENAPI_V2_CONTENT_TYPE = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

export function openApiV2Protobuf(document: V2Document): Buffer {
  const { swagger, info, paths, definitions, security, securityDefinitions } = document;
  return new Message()
    .text(1, swagger)
    .message(2, new Message().text(1, info.title).text(2, info.version))
    .message(8, named(2, paths, pathItem))
    .message(9, named(1, definitions, schema))
    .messages(
      12,
      security.map((requirement) => named(1, requirement, (scopes) => new Message().texts(1, scopes))),
    )
    .message(
      13,
      named(1, securityDefinitions, (item) =>
        new Message().message(
          2,
          new Message().text(1, item.type).text(2, item.name).text(3, item.in).text(4, item.description),
        ),
      ),
    )
    .toBuffer();
}

/** A message that holds a map as a list of name and value. */
function named<T>(
  field: number,
  entries: Readonly<Record<string, T>>,
  encode: (value: T) => Message,
): Message {
  return new Message().messages(
    field,
    Object.entries(entries).map(([name, value]) => new Message().text(1, name).message(2, encode(value))),
  );
}

const METHOD_FIELDS: readonly (readonly [Method, number])[] = [
  ['get', 2],
  ['put', 3],
  ['post', 4],
  ['delete', 5],
  ['options', 6],
  ['head', 7],
  ['patch', 8],
];

function pathItem(item: V2PathItem): Message {
  const message = new Message();
  for (const [method, field] of METHOD_FIELDS) {
    const operation = item[method];
    if (operation !== undefined) message.message(field, operationMessage(operation));
  }
  return message.messages(9, (item.parameters ?? []).map(parameter));
}

function operationMessage(operation: V2Operation): Message {
  const responses = new Message().messages(
    1,
    Object.entries(operation.responses).map(([code, response]) => {
      const value = new Message().text(1, response.description);
      if (response.schema !== undefined) value.message(2, new Message().message(1, schema(response.schema)));
      return new Message().text(1, code).message(2, new Message().message(1, value));
    }),
  );
  return new Message()
    .texts(1, operation.tags)
    .text(3, operation.description)
    .text(5, operation.operationId)
    .texts(6, operation.produces)
    .texts(7, operation.consumes)
    .messages(8, (operation.parameters ?? []).map(parameter))
    .message(9, responses)
    .texts(10, operation.schemes)
    .messages(13, extensions(operation));
}

const parameterMessages = new WeakMap<V2Parameter, Message>();

/** `ParametersItem` of one parameter; most are shared by many operations. */
function parameter(item: V2Parameter): Message {
  let message = parameterMessages.get(item);
  if (message === undefined) {
    message = makeParameter(item);
    parameterMessages.set(item, message);
  }
  return message;
}

function makeParameter(item: V2Parameter): Message {
  const wrap = (message: Message): Message => new Message().message(1, message);
  if (item.in === 'body') {
    const body = new Message()
      .text(1, item.description)
      .text(2, item.name)
      .text(3, item.in)
      .flag(4, item.required)
      .message(5, schema(item.schema ?? {}));
    return wrap(new Message().message(1, body));
  }
  const plain = new Message()
    .flag(1, item.required)
    .text(2, item.in)
    .text(3, item.description)
    .text(4, item.name);
  // A query parameter has `allow_empty_value` between name and type; a path parameter has not.
  const isQuery = item.in === 'query';
  plain.text(isQuery ? 6 : 5, item.type).flag(isQuery ? 20 : 19, item.uniqueItems);
  return wrap(new Message().message(2, new Message().message(isQuery ? 3 : 4, plain)));
}

function schema(value: JsonSchema): Message {
  const message = new Message()
    .text(1, value.$ref)
    .text(2, value.format)
    .text(3, textOf(value.title))
    .text(4, value.description);
  if (value.default !== undefined) message.message(5, any(value.default));
  message
    .double(6, value.multipleOf)
    .double(7, value.maximum)
    .flag(8, value.exclusiveMaximum)
    .double(9, value.minimum)
    .flag(10, value.exclusiveMinimum)
    .integer(11, value.maxLength)
    .integer(12, value.minLength)
    .text(13, textOf(value.pattern))
    .integer(14, value.maxItems)
    .integer(15, value.minItems)
    .flag(16, value.uniqueItems)
    .integer(17, value.maxProperties)
    .integer(18, value.minProperties)
    .texts(19, value.required ?? [])
    .messages(20, (value.enum ?? []).map(any));
  const { additionalProperties, items, properties, type } = value;
  if (typeof additionalProperties === 'boolean') {
    message.message(21, new Message().presentFlag(2, additionalProperties));
  } else if (additionalProperties !== undefined) {
    message.message(21, new Message().message(1, schema(additionalProperties)));
  }
  if (type !== undefined) message.message(22, new Message().texts(1, [type]));
  if (items !== undefined) message.message(23, new Message().message(1, schema(items)));
  if (properties !== undefined) message.message(25, named(1, properties, schema));
  return message.messages(31, extensions(value));
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** A value of any type, as YAML; JSON is YAML. */
const any = (value: unknown): Message => new Message().text(2, JSON.stringify(value));

function extensions(value: object): readonly Message[] {
  return Object.entries(value)
    .filter(([name]) => name.startsWith('x-'))
    .map(([name, extension]) => new Message().text(1, name).message(2, any(extension)));
}
