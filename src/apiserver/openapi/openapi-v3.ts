/** OpenAPI v3, one document for each group version (KEP-2896). */
import type { ResourceInfo } from '#api';
import { componentSchemas, sortedByName } from './components.ts';
import { V3_PREFIX } from './json-schema.ts';
import { groupVersionOperation, isCustom, type Operation, resourceOperations } from './operations.ts';
import type { Parameter } from './parameters.ts';

export interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

/** `api/v1`, `apis/apps/v1`: how the index names a document. */
export const documentPath = ({ group, version }: GroupVersion): string =>
  group === '' ? `api/${version}` : `apis/${group}/${version}`;

export const resourcesOf = (
  { group, version }: GroupVersion,
  resources: readonly ResourceInfo[],
): readonly ResourceInfo[] => resources.filter((info) => info.group === group && info.version === version);

/**
 * The document of one group version: paths of its resources with their operations, and the schemas of all types
 * they use. The deprecated `/watch/` paths are left out.
 * @param resources may hold those of other group versions.
 */
export function openApiV3Document(
  groupVersion: GroupVersion,
  resources: readonly ResourceInfo[],
  serverVersion = '1.36',
): object {
  const own = resourcesOf(groupVersion, resources);
  const operations = [
    ...(own.some(isCustom) ? [] : [groupVersionOperation(groupVersion.group, groupVersion.version)]),
    ...own.flatMap(resourceOperations),
  ];
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: serverVersion },
    paths: pathItems(operations),
    components: {
      schemas: componentSchemas(resources, operations, 'v3'),
      securitySchemes: {
        BearerToken: {
          type: 'apiKey',
          description: 'Bearer Token authentication',
          name: 'authorization',
          in: 'header',
        },
      },
    },
  };
}

function pathItems(operations: readonly Operation[]): object {
  const paths: Record<string, Operation[]> = {};
  for (const operation of operations) (paths[operation.path] ??= []).push(operation);
  return Object.fromEntries(
    Object.entries(sortedByName(paths)).map(([path, those]) => [path, pathItem(those)]),
  );
}

/** Parameters that all operations of a path share stand at the path. */
export function sharedParameters(operations: readonly Operation[]): readonly Parameter[] {
  const [first, ...others] = operations;
  if (first === undefined) return [];
  return byName(
    first.parameters.filter(({ name }) =>
      others.every((other) => other.parameters.some((parameter) => parameter.name === name)),
    ),
  );
}

export const byName = (parameters: readonly Parameter[]): readonly Parameter[] =>
  [...parameters].sort((a, b) => (a.name < b.name ? -1 : 1));

function pathItem(operations: readonly Operation[]): object {
  const shared = sharedParameters(operations);
  const names = new Set(shared.map(({ name }) => name));
  return {
    ...Object.fromEntries(operations.map((operation) => [operation.method, operationItem(operation, names)])),
    ...(shared.length === 0 ? {} : { parameters: shared.map(parameterItem) }),
  };
}

const parameterItem = ({ name, in: place, type, description }: Parameter): object => ({
  name,
  in: place,
  description,
  ...(place === 'path' ? { required: true } : {}),
  schema: { type, uniqueItems: true },
});

function operationItem(operation: Operation, shared: ReadonlySet<string>): object {
  const parameters = byName(operation.parameters.filter(({ name }) => !shared.has(name)));
  return {
    tags: [operation.tag],
    description: operation.description,
    operationId: operation.operationId,
    ...(parameters.length === 0 ? {} : { parameters: parameters.map(parameterItem) }),
    ...requestBody(operation),
    responses: responses(operation),
    ...(operation.action === undefined ? {} : { 'x-kubernetes-action': operation.action }),
    ...(operation.gvk === undefined ? {} : { 'x-kubernetes-group-version-kind': operation.gvk }),
  };
}

function requestBody({ body, bodyTypes = ['*/*'], bodyRequired }: Operation): object {
  if (body === undefined) return {};
  const schema = { $ref: V3_PREFIX + body };
  return {
    requestBody: {
      content: Object.fromEntries(bodyTypes.map((type) => [type, { schema }])),
      ...(bodyRequired === true ? { required: true } : {}),
    },
  };
}

export const CODE_TEXTS: Readonly<Record<number, string>> = { 200: 'OK', 201: 'Created', 202: 'Accepted' };

function responses({ answer, answerTypes, codes }: Operation): object {
  const schema = answer === undefined ? { type: 'string' } : { $ref: V3_PREFIX + answer };
  const content = Object.fromEntries(answerTypes.map((type) => [type, { schema }]));
  return {
    ...Object.fromEntries(codes.map((code) => [code, { description: CODE_TEXTS[code] ?? '', content }])),
    401: { description: 'Unauthorized' },
  };
}
