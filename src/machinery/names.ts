/**
 * What names, label keys and label values may be. A `validate…` function gives upstream's messages, none when the
 * value is fine (they end up in field errors as they are); an `is…` function is its yes or no.
 *
 * Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and
 * https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
 */

export const DNS1123_LABEL_MAX_LENGTH = 63;
export const DNS1123_SUBDOMAIN_MAX_LENGTH = 253;
export const LABEL_VALUE_MAX_LENGTH = 63;

const DNS1123_LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const DNS1123_SUBDOMAIN = `${DNS1123_LABEL}(\\.${DNS1123_LABEL})*`;
const DNS1035_LABEL = '[a-z]([-a-z0-9]*[a-z0-9])?';
const LABEL_KEY = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const LABEL_VALUE = `(${LABEL_KEY})?`;
const CONFIG_MAP_KEY = '[-._a-zA-Z0-9]+';
const C_IDENTIFIER = '[A-Za-z_][A-Za-z0-9_]*';
const WILDCARD_SUBDOMAIN = `\\*\\.${DNS1123_SUBDOMAIN}`;
const PERCENT = '[0-9]+%';
const HTTP_HEADER_NAME = '[-A-Za-z0-9]+';

// The patterns in messages are upstream's; these say the same without nested repetition, which could be made slow.
const dns1123Label = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
const dns1035Label = /^[a-z](?:[-a-z0-9]*[a-z0-9])?$/;
const labelKey = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const isSubdomainText = (value: string): boolean =>
  value.split('.').every((label) => dns1123Label.test(label));

/** Upstream counts bytes and says so only of labels. */
const tooLong = (max: number): string => `must be no more than ${max} characters`;
const tooLongLabel = (max: number): string => `must be no more than ${max} bytes`;
const EMPTY = 'must be non-empty';
const byteLength = (value: string): number => Buffer.byteLength(value);

/** `message (e.g. 'a',  or 'b', regex used for validation is '…')`, the double space included. */
export function regexMessage(message: string, pattern: string, ...examples: readonly string[]): string {
  if (examples.length === 0) return `${message} (regex used for validation is '${pattern}')`;
  const shown = examples.map((example) => `'${example}', `).join(' or ');
  return `${message} (e.g. ${shown}regex used for validation is '${pattern}')`;
}

const SUBDOMAIN_MESSAGE = regexMessage(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  DNS1123_SUBDOMAIN,
  'example.com',
);
const LABEL_MESSAGE = regexMessage(
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  DNS1123_LABEL,
  'my-name',
  '123-abc',
);
const DNS1035_MESSAGE = regexMessage(
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  DNS1035_LABEL,
  'my-name',
  'abc-123',
);
const LABEL_KEY_MESSAGE = regexMessage(
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  LABEL_KEY,
  'MyName',
  'my.name',
  '123-abc',
);
const LABEL_VALUE_MESSAGE = regexMessage(
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  LABEL_VALUE,
  'MyValue',
  'my_value',
  '12345',
);

export function validateDns1123Label(value: string): string[] {
  const errors: string[] = [];
  if (byteLength(value) > DNS1123_LABEL_MAX_LENGTH) errors.push(tooLong(DNS1123_LABEL_MAX_LENGTH));
  if (!dns1123Label.test(value))
    errors.push(isSubdomainText(value) ? 'must not contain dots' : LABEL_MESSAGE);
  return errors;
}

export function validateDns1123Subdomain(value: string): string[] {
  const errors: string[] = [];
  if (byteLength(value) > DNS1123_SUBDOMAIN_MAX_LENGTH) errors.push(tooLong(DNS1123_SUBDOMAIN_MAX_LENGTH));
  if (!isSubdomainText(value)) errors.push(SUBDOMAIN_MESSAGE);
  return errors;
}

export function validateWildcardDns1123Subdomain(value: string): string[] {
  const errors: string[] = [];
  if (byteLength(value) > DNS1123_SUBDOMAIN_MAX_LENGTH) errors.push(tooLong(DNS1123_SUBDOMAIN_MAX_LENGTH));
  if (!value.startsWith('*.') || !isSubdomainText(value.slice(2))) {
    errors.push(
      regexMessage(
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
        WILDCARD_SUBDOMAIN,
        '*.example.com',
      ),
    );
  }
  return errors;
}

export function validateDns1035Label(value: string): string[] {
  const errors: string[] = [];
  if (byteLength(value) > DNS1123_LABEL_MAX_LENGTH) errors.push(tooLong(DNS1123_LABEL_MAX_LENGTH));
  if (!dns1035Label.test(value)) errors.push(DNS1035_MESSAGE);
  return errors;
}

/** A label or annotation key, a finalizer: `name` or `prefix/name`. */
export function validateQualifiedName(value: string): string[] {
  const parts = value.split('/');
  if (parts.length > 2) {
    return [
      `a valid label key ${LABEL_KEY_MESSAGE} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const errors: string[] = [];
  const name = parts.at(-1) ?? '';
  const [prefix = ''] = parts;
  if (parts.length === 2) {
    const prefixErrors = prefix === '' ? [EMPTY] : validateDns1123Subdomain(prefix);
    errors.push(...prefixErrors.map((text) => `prefix part ${text}`));
  }
  if (name === '') errors.push(`name part ${EMPTY}`);
  else if (byteLength(name) > LABEL_VALUE_MAX_LENGTH)
    errors.push(`name part ${tooLongLabel(LABEL_VALUE_MAX_LENGTH)}`);
  if (!labelKey.test(name)) errors.push(`name part ${LABEL_KEY_MESSAGE}`);
  return errors;
}

export function validateLabelValue(value: string): string[] {
  const errors: string[] = [];
  if (byteLength(value) > LABEL_VALUE_MAX_LENGTH) errors.push(tooLongLabel(LABEL_VALUE_MAX_LENGTH));
  if (value !== '' && !labelKey.test(value)) errors.push(LABEL_VALUE_MESSAGE);
  return errors;
}

/** A name that is only ever one segment of a URL path (RBAC roles, for example). */
export function validatePathSegmentName(value: string): string[] {
  if (value === '.' || value === '..') return [`may not be '${value}'`];
  return ['/', '%'].filter((text) => value.includes(text)).map((text) => `may not contain '${text}'`);
}

const noParentPath = (value: string): string[] => {
  if (value === '.') return ["must not be '.'"];
  if (value === '..') return ["must not be '..'"];
  return value.startsWith('..') ? ["must not start with '..'"] : [];
};

/** A key of a ConfigMap or Secret. */
export function validateConfigMapKey(value: string): string[] {
  const errors: string[] = [];
  if (byteLength(value) > DNS1123_SUBDOMAIN_MAX_LENGTH) errors.push(tooLong(DNS1123_SUBDOMAIN_MAX_LENGTH));
  if (!/^[-._a-zA-Z0-9]+$/.test(value)) {
    errors.push(
      regexMessage(
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
        CONFIG_MAP_KEY,
        'key.name',
        'KEY_NAME',
        'key-name',
      ),
    );
  }
  return [...errors, ...noParentPath(value)];
}

/** The name of an environment variable: any printable ASCII but `=`. */
export function validateEnvVarName(value: string): string[] {
  const errors: string[] = [];
  if (value === '') errors.push(`environment variable name ${EMPTY}`);
  if (!/^[\x20-\x3c\x3e-\x7e]*$/.test(value)) {
    errors.push(
      "a valid environment variable name must consist only of printable ASCII characters other than '='",
    );
  }
  return errors;
}

/** The name of a container or service port. */
export function validatePortName(value: string): string[] {
  const errors: string[] = [];
  if (byteLength(value) > 15) errors.push(tooLong(15));
  if (!/^[-a-z0-9]+$/.test(value)) {
    errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  }
  if (!/[a-z]/.test(value)) errors.push('must contain at least one letter (a-z)');
  if (value.includes('--')) errors.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) errors.push('must not begin or end with a hyphen');
  return errors;
}

export function validateInRange(value: number, min: number, max: number): string[] {
  return value >= min && value <= max ? [] : [`must be between ${min} and ${max}, inclusive`];
}

export const validatePortNumber = (port: number): string[] => validateInRange(port, 1, 65535);

export function validatePercent(value: string): string[] {
  return /^[0-9]+%$/.test(value)
    ? []
    : [
        regexMessage(
          "a valid percent string must be a numeric string followed by an ending '%'",
          PERCENT,
          '1%',
          '93%',
        ),
      ];
}

export function validateHttpHeaderName(value: string): string[] {
  return /^[-A-Za-z0-9]+$/.test(value)
    ? []
    : [
        regexMessage(
          "a valid HTTP header must consist of alphanumeric characters or '-'",
          HTTP_HEADER_NAME,
          'X-Header-Name',
        ),
      ];
}

export function validateCIdentifier(value: string): string[] {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(value)
    ? []
    : [
        regexMessage(
          "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
          C_IDENTIFIER,
          'my_name',
          'MY_NAME',
          'MyName',
        ),
      ];
}

export const isDns1123Label = (value: string): boolean => validateDns1123Label(value).length === 0;
export const isDns1123Subdomain = (value: string): boolean => validateDns1123Subdomain(value).length === 0;
export const isDns1035Label = (value: string): boolean => validateDns1035Label(value).length === 0;
export const isQualifiedName = (value: string): boolean => validateQualifiedName(value).length === 0;
export const isLabelValue = (value: string): boolean => validateLabelValue(value).length === 0;
