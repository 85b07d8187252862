/** Where a webhook is reached: a URL or a service. Admission and conversion share it. */
import { type FieldPath, invalid, required, validateDns1123Subdomain, validatePortNumber } from '#machinery';
import { addInvalid, checkPresent, type Errors } from '../field-rules.ts';

interface ServiceAddress {
  readonly namespace: string;
  readonly name: string;
  readonly path?: string;
  readonly port?: number;
}

export interface WebhookAddress {
  readonly url?: string;
  readonly service?: ServiceAddress;
}

export function checkWebhookAddress({ url, service }: WebhookAddress, at: FieldPath, errors: Errors): void {
  if ((url === undefined) === (service === undefined)) {
    errors.push(required(at, 'exactly one of url or service is required'));
  } else if (url !== undefined) checkUrl(url, at.child('url'), errors);
  else if (service !== undefined) checkService(service, at.child('service'), errors);
}

const FORM = '; desired format: https://host[/path]';
/** RFC 3986, appendix B: scheme, authority, query, fragment. */
const PARTS = /^(?:([^:/?#]+):)?(?:\/\/([^/?#]*))?[^?#]*(?:\?([^#]*))?(?:#(.*))?$/s;

function checkUrl(url: string, at: FieldPath, errors: Errors): void {
  const [, scheme = '', authority = '', query = '', fragment = ''] = PARTS.exec(url) ?? [];
  const userEnd = authority.lastIndexOf('@');
  const host = authority.slice(userEnd + 1);
  if (scheme.toLowerCase() !== 'https') {
    errors.push(invalid(at, scheme, `'https' is the only allowed URL scheme${FORM}`));
  }
  if (host === '') errors.push(invalid(at, host, `host must be specified${FORM}`));
  if (userEnd >= 0) {
    errors.push(invalid(at, authority.slice(0, userEnd), 'user information is not permitted in the URL'));
  }
  if (fragment !== '') errors.push(invalid(at, fragment, 'fragments are not permitted in the URL'));
  if (query !== '') errors.push(invalid(at, query, 'query parameters are not permitted in the URL'));
}

function checkService(
  { namespace, name, path = '', port }: ServiceAddress,
  at: FieldPath,
  errors: Errors,
): void {
  // Namespace before name: upstream hands them over in the other order.
  checkPresent(namespace, at.child('name'), errors);
  checkPresent(name, at.child('namespace'), errors);
  for (const message of validatePortNumber(port ?? 0)) {
    errors.push(invalid(at.child('port'), port ?? 0, `port is not valid: ${message}`));
  }
  checkPath(path, at.child('path'), errors);
}

function checkPath(path: string, at: FieldPath, errors: Errors): void {
  if (path === '' || path === '/') return;
  if (path === '//') {
    errors.push(invalid(at, path, 'segment[0] may not be empty'));
    return;
  }
  if (!path.startsWith('/')) errors.push(invalid(at, path, "must start with a '/'"));
  const segments = path.slice(1).replace(/\/$/, '').split('/');
  for (const [i, segment] of segments.entries()) {
    const messages = segment === '' ? [] : validateDns1123Subdomain(segment);
    if (segment === '') errors.push(invalid(at, path, `segment[${i}] may not be empty`));
    addInvalid(
      messages.map((message) => `segment[${i}]: ${message}`),
      at,
      path,
      errors,
    );
  }
}

/** One or more certificates in PEM. */
export function checkCaBundle(bundle: string, at: FieldPath, errors: Errors): void {
  if (bundle === '') return;
  const text = Buffer.from(bundle, 'base64').toString('latin1');
  if (/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.test(text)) return;
  const why = text.includes('-----BEGIN ')
    ? 'no valid certificate authority data seen'
    : 'unable to parse bytes as PEM block';
  errors.push(invalid(at, bundle, `unable to load root certificates: ${why}`));
}
