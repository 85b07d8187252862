/**
 * What a method and path ask for: a resource and verb, or a plain path.
 * The grammar is upstream's RequestInfo (apiserver `pkg/endpoints/request`):
 * `/api/v1/namespaces/default/pods/web/log`, `/apis/apps/v1/deployments`, `/api/v1/watch/pods`, `/healthz`.
 */
import type { ResourceTarget } from '#machinery';

export type ApiVerb =
  | 'get'
  | 'list'
  | 'watch'
  | 'create'
  | 'update'
  | 'patch'
  | 'delete'
  | 'deletecollection';

export type RequestPath =
  | {
      readonly isResource: true;
      /** '' for OPTIONS, which only what is connected to knows: no role but one for every verb allows it. */
      readonly verb: ApiVerb | '';
      readonly target: ResourceTarget;
      /** Behind the subresource, with its slash: what a proxy forwards. */
      readonly trailingPath: string;
    }
  | { readonly isResource: false; readonly verb: string; readonly path: string };

/** Subresources of a namespace itself; anything else behind its name is a resource in it. */
const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize']);

const METHOD_VERBS: Readonly<Record<string, ApiVerb | ''>> = {
  OPTIONS: '',
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** Paths remembered: clients come back to few. When full, all are forgotten. */
const MAX_REMEMBERED_PATHS = 2048;
/** Longer ones are names of single objects, or nonsense. */
const MAX_REMEMBERED_LENGTH = 256;
const remembered = new Map<string, RequestPath>();

export function parseRequestPath(method: string, path: string, isWatch: boolean): RequestPath {
  if (path.length > MAX_REMEMBERED_LENGTH) return parse(method, path, isWatch);
  // No method has a question mark or a space in it.
  const key = `${method}${isWatch ? '?' : ' '}${path}`;
  let parsed = remembered.get(key);
  if (parsed === undefined) {
    parsed = parse(method, path, isWatch);
    if (remembered.size >= MAX_REMEMBERED_PATHS) remembered.clear();
    remembered.set(key, parsed);
  }
  return parsed;
}

function parse(method: string, path: string, isWatch: boolean): RequestPath {
  const verb = METHOD_VERBS[method];
  const plain: RequestPath = { isResource: false, verb: method.toLowerCase(), path };
  if (!path.startsWith('/api/') && !path.startsWith('/apis/')) return plain;
  const parts = path.slice(1).split('/');
  const isCore = parts[0] === 'api';
  const head = isCore ? 2 : 3;
  if (parts.length <= head || parts[head] === '') return plain;
  const group = isCore ? '' : (parts[1] ?? '');
  const version = parts[head - 1] ?? '';
  let rest = parts.slice(head);
  const isWatchPath = rest[0] === 'watch' && rest.length > 1;
  if (isWatchPath) rest = rest.slice(1);
  const { target, trailingPath } = locate(group, version, rest.map(decodeSegment));
  return {
    isResource: true,
    // A method nobody knows is allowed nowhere, as OPTIONS is not.
    verb: precise(verb ?? '', target, isWatch, isWatchPath),
    target,
    trailingPath,
  };
}

function locate(
  group: string,
  version: string,
  parts: readonly string[],
): { readonly target: ResourceTarget; readonly trailingPath: string } {
  const [first = '', second, third, fourth, ...others] = parts;
  const isInNamespace =
    first === 'namespaces' &&
    second !== undefined &&
    third !== undefined &&
    third !== '' &&
    !isNamespaceOwn(parts);
  if (isInNamespace) {
    const [subresource, ...trailing] = others;
    const target = { group, version, namespace: second, resource: third, ...optional(fourth, subresource) };
    return { target, trailingPath: trailingOf(trailing, others.length > 1) };
  }
  const namespace =
    first === 'namespaces' && second !== undefined && second !== '' ? { namespace: second } : {};
  const trailing = fourth === undefined ? [] : [fourth, ...others];
  const target = { group, version, resource: first, ...namespace, ...optional(second, third) };
  return { target, trailingPath: trailingOf(trailing, fourth !== undefined) };
}

const isNamespaceOwn = (parts: readonly string[]): boolean =>
  parts.length === 3 && NAMESPACE_SUBRESOURCES.has(parts[2] ?? '');

function optional(name: string | undefined, subresource: string | undefined): Partial<ResourceTarget> {
  return {
    ...(name === undefined || name === '' ? {} : { name }),
    ...(subresource === undefined || subresource === '' ? {} : { subresource }),
  };
}

const trailingOf = (parts: readonly string[], isPresent: boolean): string =>
  isPresent ? `/${parts.join('/')}` : '';

/** `?watch=1` only makes a list a watch; `/watch/` in the path also does so with a name. */
function precise<Verb extends ApiVerb | ''>(
  verb: Verb,
  target: ResourceTarget,
  isWatch: boolean,
  isWatchPath: boolean,
): Verb | ApiVerb {
  if (verb === 'get' && (isWatchPath || (isWatch && target.name === undefined))) return 'watch';
  if (target.name !== undefined) return verb;
  if (verb === 'get') return 'list';
  return verb === 'delete' ? 'deletecollection' : verb;
}

function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
