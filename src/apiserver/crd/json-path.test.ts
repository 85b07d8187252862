import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileJsonPath } from './json-path.ts';

const object = {
  spec: { replicas: 3, items: [{ name: 'a' }, { name: 'b' }], 'odd.name': 1 },
  metadata: { labels: { 'app.kubernetes.io/name': 'x' } },
  status: {
    conditions: [
      { type: 'Ready', status: 'True', count: 5 },
      { type: 'Old', status: 'False', count: 1 },
    ],
  },
};

test('the JSONPath of printer columns finds what kubectl finds', () => {
  const cases: readonly (readonly [string, readonly unknown[]])[] = [
    ['.spec.replicas', [3]],
    ['{.spec.replicas}', [3]],
    ['.spec.items[*].name', ['a', 'b']],
    ['.spec.items[0].name', ['a']],
    ['.spec.items[-1].name', ['b']],
    ['.spec.odd\\.name', [1]],
    ["['spec']['odd.name']", [1]],
    [".metadata.labels['app.kubernetes.io/name']", ['x']],
    ['.metadata.labels.app\\.kubernetes\\.io/name', ['x']],
    ['.status.conditions[?(@.type=="Ready")].status', ['True']],
    [".status.conditions[?(@.type!='Ready')].status", ['False']],
    ['.status.conditions[?(@.count>2)].type', ['Ready']],
    ['.spec.missing.deeper', []],
  ];
  for (const [path, expected] of cases) assert.deepEqual(compileJsonPath(path)(object), expected, path);
});

test('a path it cannot read is refused when it is compiled', () => {
  assert.throws(() => compileJsonPath('.spec[?(@'), SyntaxError);
});
