import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  canonicalTree,
  difference,
  type FieldTree,
  FieldTreeBuilder,
  forEachMember,
  intersection,
  recursiveDifference,
  sameTree,
  union,
} from './field-tree.ts';

type Paths = readonly (readonly string[])[];

const treeOf = (paths: Paths): FieldTree => {
  const builder = new FieldTreeBuilder();
  for (const path of paths) builder.insert(path);
  return builder.build();
};
const membersOf = (tree: FieldTree): readonly string[] => {
  const members: string[] = [];
  forEachMember(tree, (path) => members.push(path.join('/')));
  return members.sort();
};
const step = fc.constantFrom('f:a', 'f:b', 'f:c', 'v:1', 'k:{"n":1}');
const paths = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { maxLength: 12 });
const keys = (some: Paths): ReadonlySet<string> => new Set(some.map((path) => path.join('/')));

test('Set operations on trees are those of sets of paths', () => {
  fc.assert(
    fc.property(paths, paths, (a, b) => {
      const [left, right] = [treeOf(a), treeOf(b)];
      const [leftKeys, rightKeys] = [keys(a), keys(b)];
      assert.deepEqual(membersOf(left), [...leftKeys].sort());
      assert.deepEqual(membersOf(union(left, right)), [...leftKeys.union(rightKeys)].sort());
      assert.deepEqual(membersOf(intersection(left, right)), [...leftKeys.intersection(rightKeys)].sort());
      assert.deepEqual(membersOf(difference(left, right)), [...leftKeys.difference(rightKeys)].sort());
      const outside = [...leftKeys].filter(
        (key) => ![...rightKeys].some((member) => key === member || key.startsWith(`${member}/`)),
      );
      assert.deepEqual(membersOf(recursiveDifference(left, right)), outside.sort());
    }),
  );
});

test('An operation that changes nothing returns its argument', () => {
  fc.assert(
    fc.property(paths, (a) => {
      const tree = treeOf(a);
      assert.equal(union(tree, treeOf(a)), tree);
      assert.equal(difference(tree, treeOf([['f:none']])), tree);
      assert.equal(canonicalTree(tree), tree);
      assert.ok(sameTree(tree, treeOf(a)));
    }),
  );
});

test('A tree from outside is brought into canonical form', () => {
  const tree = canonicalTree({
    'v:"b"': {},
    'k:{ "port": 80, "name": "<x>" }': { 'f:b': {}, '.': {}, 'f:a': {} },
    'z:unknown': {},
    'f:a': {},
  });
  assert.equal(
    JSON.stringify(tree),
    '{"f:a":{},"k:{\\"name\\":\\"\\\\u003cx\\\\u003e\\",\\"port\\":80}":{".":{},"f:a":{},"f:b":{}},"v:\\"b\\"":{}}',
  );
  assert.throws(() => canonicalTree({ spec: {} }), /missing colon: spec/);
});
