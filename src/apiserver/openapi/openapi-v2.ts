/** OpenAPI v2, one document for the whole API: for clients that validate or explain without v3. */
import type { ResourceInfo } from '#api';
import { componentSchemas, sortedByName } from './components.ts';
import { V2_PREFIX, type JsonSchema } from './json-schema.ts';
import {
  groupVersionOperation,
  isCustom,
  type Method,
  type Operation,
  resourceOperations,
} from './operations.ts';
import { byName, CODE_TEXTS, sharedParameters } from './openapi-v3.ts';
import type { Parameter } from './parameters.ts';

export interface V2Parameter {
  readonly name: string;
  readonly in: 'query' | 'path' | 'body';
  readonly description?: string;
  readonly required?: boolean;
  readonly type?: string;
  readonly uniqueItems?: boolean;
  readonly schema?: JsonSchema;
}

export interface V2Operation {
  readonly description: string;
  readonly consumes: readonly string[];
  readonly produces: readonly string[];
  readonly schemes: readonly string[];
  readonly tags: readonly string[];
  readonly operationId: string;
  readonly parameters?: readonly V2Parameter[];
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly schema?: JsonSchema }>
  >;
  readonly [extension: `x-${string}`]: unknown;
}

export type V2PathItem = Readonly<Partial<Record<Method, V2Operation>>> & {
  readonly parameters?: readonly V2Parameter[];
};

export interface V2Document {
  readonly swagger: '2.0';
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, V2PathItem>>;
  readonly definitions: Readonly<Record<string, JsonSchema>>;
  readonly securityDefinitions: Readonly<
    Record<
      string,
      { readonly description: string; readonly type: string; readonly name: string; readonly in: string }
    >
  >;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
}

/** @param resources every served resource, custom ones included. */
export function openApiV2Document(resources: readonly ResourceInfo[], serverVersion = '1.36'): V2Document {
  const groupVersions = new Map(
    resources
      .filter((info) => !isCustom(info))
      .map(({ group, version }) => [`${group}/${version}`, { group, version }]),
  );
  const operations = [
    ...Array.from(groupVersions.values(), ({ group, version }) => groupVersionOperation(group, version)),
    ...resources.flatMap(resourceOperations),
  ];
  const paths: Record<string, Operation[]> = {};
  for (const operation of operations) (paths[operation.path] ??= []).push(operation);
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version: serverVersion },
    paths: Object.fromEntries(
      Object.entries(sortedByName(paths)).map(([path, those]) => [path, pathItem(those)]),
    ),
    definitions: componentSchemas(resources, operations, 'v2'),
    securityDefinitions: {
      BearerToken: {
        description: 'Bearer Token authentication',
        type: 'apiKey',
        name: 'authorization',
        in: 'header',
      },
    },
    security: [{ BearerToken: [] }],
  };
}

function pathItem(operations: readonly Operation[]): V2PathItem {
  const shared = sharedParameters(operations);
  const names = new Set(shared.map(({ name }) => name));
  return {
    ...Object.fromEntries(operations.map((operation) => [operation.method, operationItem(operation, names)])),
    ...(shared.length === 0 ? {} : { parameters: shared.map(parameterItem) }),
  };
}

const parameterItems = new WeakMap<Parameter, V2Parameter>();

/** The same object for the same parameter, so that it is encoded once. */
function parameterItem(parameter: Parameter): V2Parameter {
  let item = parameterItems.get(parameter);
  if (item === undefined) {
    const { name, in: place, type, description } = parameter;
    const required = place === 'path' ? { required: true } : {};
    item = { uniqueItems: true, type, description, name, in: place, ...required };
    parameterItems.set(parameter, item);
  }
  return item;
}

function operationItem(operation: Operation, shared: ReadonlySet<string>): V2Operation {
  const query = byName(operation.parameters.filter(({ name }) => !shared.has(name))).map(parameterItem);
  const body: readonly V2Parameter[] =
    operation.body === undefined
      ? []
      : [
          {
            name: 'body',
            in: 'body',
            ...(operation.bodyRequired === true ? { required: true } : {}),
            schema: { $ref: V2_PREFIX + operation.body },
          },
        ];
  const parameters = [...body, ...query];
  const schema: JsonSchema =
    operation.answer === undefined ? { type: 'string' } : { $ref: V2_PREFIX + operation.answer };
  return {
    description: operation.description,
    consumes: operation.bodyTypes ?? ['*/*'],
    produces: operation.answerTypes,
    schemes: ['https'],
    tags: [operation.tag],
    operationId: operation.operationId,
    ...(parameters.length === 0 ? {} : { parameters }),
    responses: {
      ...Object.fromEntries(
        operation.codes.map((code) => [String(code), { description: CODE_TEXTS[code] ?? '', schema }]),
      ),
      401: { description: 'Unauthorized' },
    },
    ...(operation.action === undefined ? {} : { 'x-kubernetes-action': operation.action }),
    ...(operation.gvk === undefined ? {} : { 'x-kubernetes-group-version-kind': operation.gvk }),
  };
}
