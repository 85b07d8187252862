import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IgnoreRules, pathPattern } from './path-pattern.ts';

for (const [pattern, path, matches] of [
  ['*.txt', 'a.txt', true],
  ['*.txt', 'd/a.txt', false],
  ['**/*.txt', 'a.txt', true],
  ['**/*.txt', 'd/e/a.txt', true],
  ['d/**', 'd/e/a', true],
  ['d/**', 'd', false],
  ['a?c', 'abc', true],
  ['a?c', 'a/c', false],
  ['[a-c]x', 'bx', true],
  ['[^a-c]x', 'bx', false],
  ['/lead/./x', 'lead/x', true],
  ['a.b', 'axb', false],
  ['\\*', '*', true],
] as const) {
  test(`${pattern} ${matches ? 'matches' : 'does not match'} ${path}`, () =>
    assert.equal(pathPattern(pattern).test(path), matches));
}

test('the last rule that speaks of a path wins, and folders take what is in them along', () => {
  const rules = new IgnoreRules('# comment\nnode_modules\n*.log\n!keep.log\nsecret/*\n!secret/public\n');
  assert.deepEqual(
    [
      'node_modules/a/b',
      'x.log',
      'keep.log',
      'd/x.log',
      'secret/key',
      'secret/public',
      'secret/public/x',
      'src/a',
    ].map((path) => rules.ignores(path)),
    [true, true, false, false, true, false, false, false],
  );
});
