import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isDns1035Label,
  isDns1123Label,
  isDns1123Subdomain,
  isLabelValue,
  isQualifiedName,
  validateConfigMapKey,
  validateDns1123Label,
  validateDns1123Subdomain,
  validatePathSegmentName,
  validatePortName,
  validateQualifiedName,
} from './names.ts';

test('good names have no errors', () => {
  for (const name of ['a', '0', 'a-b', 'a'.repeat(63)]) assert.equal(isDns1123Label(name), true, name);
  for (const name of ['a.b', 'a-1.b', 'a'.repeat(253)]) assert.equal(isDns1123Subdomain(name), true, name);
  for (const name of ['a', 'a-1']) assert.equal(isDns1035Label(name), true, name);
  for (const name of ['A_b.c', 'example.com/A', '1']) assert.equal(isQualifiedName(name), true, name);
  for (const value of ['', 'A_b.c', '1']) assert.equal(isLabelValue(value), true, value);
});

test('bad names say why, in upstream words', () => {
  assert.deepEqual(validateDns1123Subdomain('A'), [
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must " +
      "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is " +
      "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
  ]);
  assert.deepEqual(validateDns1123Label('a.b'), ['must not contain dots']);
  assert.deepEqual(validateDns1123Label('a'.repeat(64)), ['must be no more than 63 characters']);
  assert.deepEqual(validateQualifiedName('/a'), ['prefix part must be non-empty']);
  const [empty, pattern = ''] = validateQualifiedName('a.b/');
  assert.equal(empty, 'name part must be non-empty');
  assert.match(
    pattern,
    /^name part must consist of .* \(e\.g\. 'MyName', {2}or 'my\.name', {2}or '123-abc', regex/,
  );
  assert.deepEqual(validatePathSegmentName('a/b%'), ["may not contain '/'", "may not contain '%'"]);
  assert.deepEqual(validatePathSegmentName('..'), ["may not be '..'"]);
  assert.deepEqual(validateConfigMapKey('..x'), ["must not start with '..'"]);
  assert.deepEqual(validatePortName('--'), [
    'must contain at least one letter (a-z)',
    'must not contain consecutive hyphens',
    'must not begin or end with a hyphen',
  ]);
});

test('a hostile name is answered at once', () => {
  assert.equal(isDns1123Subdomain(`${'a'.repeat(100_000)}!`), false);
  assert.equal(isQualifiedName(`${'a-'.repeat(100_000)}!`), false);
});
