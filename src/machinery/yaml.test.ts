import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseYaml } from './yaml.ts';

const valueOf = (text: string): unknown => parseYaml(text).value;

test('scalars follow YAML 1.1 as far as Go does', () => {
  assert.deepEqual(valueOf('a: yes\nb: off\nc: 0777\nd: 1_000\ne: 0x1F\nf: ~\n1: one'), {
    a: true,
    b: false,
    c: 511,
    d: 1000,
    e: 31,
    f: null,
    1: 'one',
  });
});

test('times and ports stay text', () => {
  assert.deepEqual(valueOf('a: 22:22\nb: 2026-01-01\nc: "yes"'), { a: '22:22', b: '2026-01-01', c: 'yes' });
});

test('anchors and merges are followed, bombs are not', () => {
  assert.deepEqual(valueOf('a: &x {q: 1}\nb: *x\nc: {<<: *x, r: 2}'), {
    a: { q: 1 },
    b: { q: 1 },
    c: { q: 1, r: 2 },
  });
  const level = (n: number): string =>
    `l${n}: &l${n} [${Array.from({ length: 9 }, () => `*l${n - 1}`).join(',')}]\n`;
  const bomb = `l0: &l0 x\n${Array.from({ length: 9 }, (_, i) => level(i + 1)).join('')}`;
  assert.throws(() => parseYaml(bomb), { name: 'YamlSyntaxError' });
});

test('only the first document counts', () => {
  assert.deepEqual(valueOf('---\na: 1\n---\nb: 2\n'), { a: 1 });
  assert.equal(valueOf(''), null);
});

test('a key that stands twice is reported with its line, and the last value counts', () => {
  const text = 'a:\n  foo: 1\n  bar: 2\n  foo: 3\n  bar: 4\n';
  assert.deepEqual(parseYaml(text, { findDuplicates: true }), {
    value: { a: { foo: 3, bar: 4 } },
    duplicates: [
      'yaml: unmarshal errors:\n  line 4: key "foo" already set in map\n  line 5: key "bar" already set in map',
    ],
  });
});

test('JSON under a YAML type is JSON', () => {
  assert.deepEqual(parseYaml('{"a":"yes"}', { findDuplicates: true }), {
    value: { a: 'yes' },
    duplicates: [],
  });
  assert.deepEqual(parseYaml('{"a":1,\n"a":2}', { findDuplicates: true }).duplicates, [
    'yaml: unmarshal errors:\n  line 2: key "a" already set in map',
  ]);
});

test('broken text is refused with its line', () => {
  assert.throws(() => parseYaml('a: 1\nb: c: d\n'), {
    name: 'YamlSyntaxError',
    message: 'yaml: line 2: mapping values are not allowed in this context',
  });
});
