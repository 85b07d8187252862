import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExpansionError, expand, expandHeredoc, keyValues, splitWords } from './variable-expansion.ts';

const variables = new Map([
  ['name', 'world'],
  ['empty', ''],
  ['dir', '/a b'],
]);

for (const [text, expanded] of [
  ['hello $name', 'hello world'],
  ['${name}s', 'worlds'],
  ['$missing|$empty|', '||'],
  ['${missing:-default} ${empty:-default} ${empty-default} ${name:-x}', 'default default  world'],
  ['${name:+set} ${empty:+set}|${empty+set}|${missing+set}', 'set |set|'],
  ['${missing:-${name}}', 'world'],
  ['\\$name "$name" \'$name\'', '$name world $name'],
  ['"a\\n\\"b\\$"', 'a\\n"b$'],
  ['cost: 5$ and $', 'cost: 5$ and $'],
  ['${dir}/x', '/a b/x'],
] as const) {
  test(`${text} expands to ${expanded}`, () => assert.equal(expand(text, variables), expanded));
}

test('a variable that must be set fails with its message', () => {
  assert.throws(
    () => expand('${missing:?give me one}', variables),
    new ExpansionError('missing: give me one'),
  );
  assert.throws(() => expand('${name', variables), ExpansionError);
});

test('words are split at blanks outside of quotes and before expansion', () => {
  assert.deepEqual(splitWords(`a  "b c" 'd e'f g\\ h $dir ""`, variables), [
    'a',
    'b c',
    'd ef',
    'g h',
    '/a b',
    '',
  ]);
});

test('pairs are key=value words, or one key and the rest of the line', () => {
  assert.deepEqual(keyValues('A=1 B="two words" C=$name D=', variables), [
    ['A', '1'],
    ['B', 'two words'],
    ['C', 'world'],
    ['D', ''],
  ]);
  assert.deepEqual(keyValues('KEY the rest $name', variables), [['KEY', 'the rest world']]);
  assert.equal(keyValues('A=1 B', variables), undefined);
  assert.equal(keyValues('ALONE', variables), undefined);
});

test('in a heredoc quotes are text', () => {
  assert.equal(expandHeredoc('say "$name" \\$x it\'s\n', variables), 'say "world" $x it\'s\n');
});
