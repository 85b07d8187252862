/** How a `ResourceRequest` looks in HTTP: the API conventions' paths, query parameters and bodies. */
import type {
  DeleteOptions,
  ListOptions,
  PatchOptions,
  ResourceRequest,
  ResourceTarget,
  WatchOptions,
  WatchRequest,
} from '#machinery';

export interface RequestLine {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query. */
  readonly path: string;
  readonly contentType?: string;
  readonly body?: unknown;
}

const JSON_TYPE = 'application/json';

export function requestLine(request: ResourceRequest | WatchRequest): RequestLine {
  const path = targetPath(request);
  switch (request.verb) {
    case 'get':
      return { method: 'GET', path: path + query({ resourceVersion: request.options?.resourceVersion }) };
    case 'list':
      return { method: 'GET', path: path + query(listQuery(request.options)) };
    case 'watch':
      return { method: 'GET', path: path + query({ ...watchQuery(request.options), watch: 'true' }) };
    case 'create':
      return {
        method: 'POST',
        path: path + query(writeQuery(request.options)),
        contentType: JSON_TYPE,
        body: request.body,
      };
    case 'update':
      return {
        method: 'PUT',
        path: path + query(writeQuery(request.options)),
        contentType: JSON_TYPE,
        body: request.body,
      };
    case 'patch':
      return {
        method: 'PATCH',
        path: path + query(writeQuery(request.options)),
        contentType: request.patchType,
        body: request.body,
      };
    case 'delete':
      return { method: 'DELETE', path, contentType: JSON_TYPE, body: deleteBody(request.options) };
    case 'deletecollection':
      return {
        method: 'DELETE',
        path: path + query(listQuery(request.list)),
        contentType: JSON_TYPE,
        body: deleteBody(request.options),
      };
    default:
      throw new Error(`unknown verb ${JSON.stringify(request satisfies never)}`);
  }
}

/** Creating names the object in the body, except where a subresource of an existing one is created. */
function targetPath(target: ResourceTarget): string {
  const { group, version, namespace, resource, name, subresource } = target;
  const parts = group === '' ? ['api', version] : ['apis', group, version];
  if (namespace !== undefined) parts.push('namespaces', namespace);
  parts.push(resource);
  if (name !== undefined) parts.push(name);
  if (subresource !== undefined) parts.push(...subresource.split('/'));
  return `/${parts.map(encodeURIComponent).join('/')}`;
}

type Query = Readonly<Record<string, string | undefined>>;

function query(parameters: Query): string {
  const set = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return set.length === 0 ? '' : `?${set.join('&')}`;
}

function listQuery(options: ListOptions = {}): Query {
  return {
    labelSelector: options.labelSelector,
    fieldSelector: options.fieldSelector,
    limit: options.limit?.toString(),
    continue: options.continue,
    resourceVersion: options.resourceVersion,
    resourceVersionMatch: options.resourceVersionMatch,
    timeoutSeconds: options.timeoutSeconds?.toString(),
  };
}

function watchQuery(options: WatchOptions = {}): Query {
  return {
    ...listQuery(options),
    allowWatchBookmarks: options.allowWatchBookmarks?.toString(),
    sendInitialEvents: options.sendInitialEvents?.toString(),
  };
}

function writeQuery(options: PatchOptions = {}): Query {
  return {
    dryRun: options.dryRun === true ? 'All' : undefined,
    fieldManager: options.fieldManager,
    fieldValidation: options.fieldValidation,
    force: options.force === true ? 'true' : undefined,
  };
}

function deleteBody(options: DeleteOptions = {}): unknown {
  const { dryRun, ...rest } = options;
  return {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    ...rest,
    ...(dryRun === true ? { dryRun: ['All'] } : {}),
  };
}
