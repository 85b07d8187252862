import { type FieldPath, invalid, regexMessage, validateDns1123Subdomain } from '#machinery';
import { addInvalid, checkPresent, type Errors } from './field-rules.ts';

const HTTP_PATH = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";

/** `acme.io/foo`. */
export function checkDomainPrefixedPath(text: string, at: FieldPath, errors: Errors): void {
  if (!checkPresent(text, at, errors)) return;
  const slash = text.indexOf('/');
  const host = text.slice(0, Math.max(slash, 0));
  const path = text.slice(slash + 1);
  if (slash < 0 || host === '' || path === '') {
    errors.push(invalid(at, text, 'must be a domain-prefixed path (such as "acme.io/foo")'));
    return;
  }
  addInvalid(validateDns1123Subdomain(host), at, host, errors);
  if (!/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(path)) {
    errors.push(invalid(at, path, regexMessage('Invalid path', HTTP_PATH)));
  }
}
