/**
 * Acting as somebody else: `Impersonate-User`, `-Uid`, `-Group` and `-Extra-*`, each of which has to be allowed.
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
 */
import { badRequest, type UserInfo } from '#machinery';
import type { AuthorizationAttributes } from '../authorization/authorizer.ts';
import type { Headers } from './exchange.ts';

const SERVICE_ACCOUNT = 'system:serviceaccount:';
const EXTRA_PREFIX = 'impersonate-extra-';

/** The user the request is made as. `authorize` throws when `user` may not. */
export function impersonated(
  headers: Headers,
  user: UserInfo,
  authorize: (attributes: AuthorizationAttributes) => void,
): UserInfo {
  const name = first(headers['impersonate-user']);
  const uid = first(headers['impersonate-uid']);
  const groups = all(headers['impersonate-group']);
  const extra = extras(headers);
  if (name === undefined) {
    if (uid === undefined && groups.length === 0 && extra.size === 0) return user;
    throw badRequest('requested impersonation without impersonating a user');
  }
  const ask = (attributes: Omit<AuthorizationAttributes, 'user' | 'verb'>): void =>
    authorize({ user, verb: 'impersonate', ...attributes });
  const account = serviceAccountOf(name);
  if (account === undefined) ask({ group: '', version: 'v1', resource: 'users', name });
  else ask({ group: '', version: 'v1', resource: 'serviceaccounts', ...account });
  for (const group of groups) ask({ group: '', version: 'v1', resource: 'groups', name: group });
  for (const [key, values] of extra) {
    for (const value of values) {
      ask({
        group: 'authentication.k8s.io',
        version: 'v1',
        resource: 'userextras',
        subresource: key,
        name: value,
      });
    }
  }
  if (uid !== undefined) ask({ group: 'authentication.k8s.io', version: 'v1', resource: 'uids', name: uid });
  return {
    name,
    ...(uid === undefined ? {} : { uid }),
    groups: groupsOf(name, groups, account),
    ...(extra.size === 0 ? {} : { extra: Object.fromEntries(extra) }),
  };
}

/** A service account brings its own groups; everyone but the anonymous user is authenticated. */
function groupsOf(
  name: string,
  asked: readonly string[],
  account: { readonly namespace: string } | undefined,
): readonly string[] {
  const groups = [...asked];
  if (account !== undefined && asked.length === 0) {
    groups.push('system:serviceaccounts', `system:serviceaccounts:${account.namespace}`);
  }
  const belongs = name === 'system:anonymous' ? 'system:unauthenticated' : 'system:authenticated';
  if (!groups.includes('system:authenticated') && !groups.includes(belongs)) groups.push(belongs);
  return groups;
}

function serviceAccountOf(name: string): { readonly namespace: string; readonly name: string } | undefined {
  if (!name.startsWith(SERVICE_ACCOUNT)) return undefined;
  const [namespace, account, ...rest] = name.slice(SERVICE_ACCOUNT.length).split(':');
  if (namespace === undefined || account === undefined || rest.length > 0) return undefined;
  return { namespace, name: account };
}

function extras(headers: Headers): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const header of Object.keys(headers)) {
    if (header.startsWith(EXTRA_PREFIX)) {
      found.set(decodeURIComponent(header.slice(EXTRA_PREFIX.length)), all(headers[header]));
    }
  }
  return found;
}

const first = (value: string | readonly string[] | undefined): string | undefined => {
  const text = typeof value === 'string' ? value : value?.[0];
  return text === '' ? undefined : text;
};

/** Node joins repeated headers with a comma and a space. */
const all = (value: string | readonly string[] | undefined): readonly string[] => {
  if (value === undefined) return [];
  return typeof value === 'string' ? value.split(', ').filter((part) => part !== '') : value;
};
