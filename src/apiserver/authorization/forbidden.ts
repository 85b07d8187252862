/** How a refused request is worded; clients and conformance compare these texts. */
import { forbidden, StatusError } from '#machinery';
import type { AuthorizationAttributes } from './authorizer.ts';

const quote = (text: string): string => JSON.stringify(text);

/** Keeps an error from looking like HTML to a browser; quotes stay. */
const sanitize = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** `User "jane" cannot list resource "pods" in API group "" in the namespace "default"`. */
export function forbiddenMessage(attributes: AuthorizationAttributes): string {
  const { user, verb, group = '', resource = '', subresource, namespace, path } = attributes;
  const who = `User ${quote(user.name)} cannot ${verb}`;
  if (path !== undefined) return sanitize(`${who} path ${quote(path)}`);
  const what = subresource === undefined || subresource === '' ? resource : `${resource}/${subresource}`;
  const where =
    namespace === undefined || namespace === ''
      ? 'at the cluster scope'
      : `in the namespace ${quote(namespace)}`;
  return sanitize(`${who} resource ${quote(what)} in API group ${quote(group)} ${where}`);
}

/** The 403 for a request that no authorizer allowed; `reason` is the last decision's. */
export function forbiddenError(attributes: AuthorizationAttributes, reason: string): StatusError {
  const message = forbiddenMessage(attributes);
  const why = reason === '' ? message : `${message}: ${reason}`;
  const { path, group = '', resource = '', name = '' } = attributes;
  if (path !== undefined) return new StatusError(403, 'Forbidden', `forbidden: ${why}`, {});
  return forbidden({ group, resource }, name, why);
}
