import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatFieldSelector, parseFieldSelector } from './field-selector.ts';

test('terms are read in order of their text', () => {
  assert.deepEqual(parseFieldSelector('status.phase!=Running,metadata.name==web'), [
    { field: 'metadata.name', op: '=', value: 'web' },
    { field: 'status.phase', op: '!=', value: 'Running' },
  ]);
  assert.deepEqual(parseFieldSelector(''), []);
  assert.deepEqual(parseFieldSelector('a=,='), [{ field: 'a', op: '=', value: '' }]);
});

test('values escape what separates terms', () => {
  const [requirement] = parseFieldSelector('a=b\\,c\\=d\\\\');
  assert.deepEqual(requirement, { field: 'a', op: '=', value: 'b,c=d\\' });
  assert.equal(formatFieldSelector([{ field: 'a', op: '=', value: 'b,c=d\\' }]), 'a=b\\,c\\=d\\\\');
});

test('what cannot be parsed is refused in upstream words', () => {
  assert.throws(() => parseFieldSelector('a'), { message: "invalid selector: 'a'; can't understand 'a'" });
  assert.throws(() => parseFieldSelector('a=\\x'), {
    message: 'invalid field selector: invalid escape sequence: \\x',
  });
  assert.throws(() => parseFieldSelector('a=b=c'), {
    message: 'invalid field selector: unescaped character in value: 61',
  });
});
