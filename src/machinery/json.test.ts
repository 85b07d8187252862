import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJson } from './json.ts';

test('bytes and text are read alike', () => {
  assert.deepEqual(parseJson('{"a":[1,"é"]}'), { value: { a: [1, 'é'] }, duplicates: [] });
  assert.deepEqual(parseJson(Buffer.from('{"a":[1,"é"]}')).value, { a: [1, 'é'] });
});

test('keys that stand twice are found when asked for, by their path', () => {
  const text = '{"a":{"b":[{"c":":","c":2}],"b:":"\\":"},"a":1,"x":{"y":1},"z":{"y":2}}';
  assert.deepEqual(parseJson(text).duplicates, []);
  assert.deepEqual(parseJson(text, { findDuplicates: true }).duplicates, ['a.b[0].c', 'a']);
  assert.deepEqual(parseJson('{"a":":","b":{"c":[]}}', { findDuplicates: true }).duplicates, []);
  const escapes = String.raw`{"a":"\\","b":"\":","c":"\\\":\\"`;
  assert.deepEqual(parseJson(`${escapes}}`, { findDuplicates: true }).duplicates, []);
  assert.deepEqual(parseJson(`${escapes},"b":1}`, { findDuplicates: true }).duplicates, ['b']);
});

test('syntax errors are worded as Go words them', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['', 'unexpected end of JSON input'],
    ['{', 'unexpected end of JSON input'],
    ['{a', "invalid character 'a' looking for beginning of object key string"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b"}', `invalid character '"' after object key:value pair`],
    ['[1 2]', "invalid character '2' after array element"],
    ['[1,]', "invalid character ']' looking for beginning of value"],
    ['nul', "invalid character ' ' in literal null (expecting 'l')"],
    ['nulx', "invalid character 'x' in literal null (expecting 'l')"],
    ['01', "invalid character '1' after top-level value"],
    ['1.', "invalid character ' ' after decimal point in numeric literal"],
    ['"a\\x"', "invalid character 'x' in string escape code"],
    ['"\u0001"', "invalid character '\\x01' in string literal"],
    ["'", "invalid character '\\'' looking for beginning of value"],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => parseJson(text), { name: 'JsonSyntaxError', message }, text);
  }
});

test('deep nesting does not break the search for duplicates', () => {
  const deep = `${'['.repeat(5000)}{"a":1,"a":2}${']'.repeat(5000)}`;
  assert.equal(parseJson(deep, { findDuplicates: true }).duplicates.length, 1);
});
