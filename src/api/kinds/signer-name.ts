/** Names of certificate signers: `domain.with.dots/path`. */
import {
  DNS1123_LABEL_MAX_LENGTH,
  DNS1123_SUBDOMAIN_MAX_LENGTH,
  type FieldPath,
  invalid,
  tooLong,
  validateDns1123Label,
  validateDns1123Subdomain,
} from '#machinery';
import { checkPresent, type Errors } from './field-rules.ts';

const MAX_PATH_LENGTH = DNS1123_SUBDOMAIN_MAX_LENGTH + DNS1123_LABEL_MAX_LENGTH + 1;
const MAX_LENGTH = DNS1123_SUBDOMAIN_MAX_LENGTH + MAX_PATH_LENGTH + 1;

export function checkSignerName(name: string, at: FieldPath, errors: Errors): void {
  if (!checkPresent(name, at, errors)) return;
  const [domain = '', path, ...more] = name.split('/');
  if (path === undefined || more.length > 0) {
    const form = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
    errors.push(invalid(at, name, form));
    return;
  }
  if (Buffer.byteLength(domain) > DNS1123_SUBDOMAIN_MAX_LENGTH) {
    errors.push(tooLong(at, DNS1123_SUBDOMAIN_MAX_LENGTH));
  }
  checkParts(domain, validateDns1123Label, at, errors);
  if (!domain.includes('.')) {
    errors.push(invalid(at, domain, 'should be a domain with at least two segments separated by dots'));
  }
  checkParts(path, validateDns1123Subdomain, at, errors);
  if (Buffer.byteLength(name) > MAX_LENGTH) errors.push(tooLong(at, MAX_LENGTH));
}

/** The first bad part speaks for all. */
function checkParts(
  text: string,
  rule: (part: string) => readonly string[],
  at: FieldPath,
  errors: Errors,
): void {
  for (const part of text.split('.')) {
    const messages = rule(part);
    if (messages.length === 0) continue;
    for (const message of messages) {
      errors.push(invalid(at, text, `validating label ${JSON.stringify(part)}: ${message}`));
    }
    return;
  }
}
