import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listOf, mapList, mapOf, scalar, setOf, struct, text, withField } from '../schema-notation.ts';
import { StatusError } from '../status-error.ts';
import { applyStrategicMergePatch } from './strategic-merge.ts';

const port = struct('Port', { containerPort: scalar('int32'), name: text, protocol: text });
const container = struct('Container', {
  name: text,
  image: text,
  args: listOf(text),
  ports: mapList(port, ['containerPort', 'protocol']),
});
const schema = struct('io.k8s.test.Thing', {
  finalizers: setOf(text),
  labels: mapOf(text),
  containers: mapList(container, ['name']),
  strategy: withField(
    struct('Strategy', { type: text, rollingUpdate: struct('R', { n: scalar('int32') }) }),
    {
      patchStrategy: ['retainKeys'],
    },
  ),
  extra: mapOf(listOf(text)),
});
const live = {
  finalizers: ['a', 'b'],
  labels: { x: '1', y: '2' },
  containers: [
    { name: 'web', image: 'web:1', args: ['-v'], ports: [{ containerPort: 80, name: 'http' }] },
    { name: 'side', image: 'side:1' },
  ],
};
const patched = (patch: unknown, doc: unknown = live): unknown => {
  const before = structuredClone({ doc, patch });
  const result = applyStrategicMergePatch(schema, doc, patch);
  assert.deepEqual({ doc, patch }, before, 'nothing given is mutated');
  return result;
};
const refusal = (patch: unknown, doc: unknown = live): readonly [number, string] => {
  try {
    applyStrategicMergePatch(schema, doc, patch);
  } catch (e) {
    assert.ok(e instanceof StatusError);
    return [e.code, e.message];
  }
  return assert.fail('the patch was taken');
};

test('List items merge by their key, the new ones first, the others in live order', () => {
  assert.deepEqual(
    patched({
      containers: [
        { name: 'new', image: 'new:1' },
        { name: 'side', image: 'side:2' },
      ],
    }),
    {
      ...live,
      containers: [{ name: 'new', image: 'new:1' }, live.containers[0], { name: 'side', image: 'side:2' }],
    },
  );
});

test('Lists inside items merge too and atomic lists are replaced', () => {
  const result = patched({
    containers: [
      { name: 'web', args: ['-q'], ports: [{ containerPort: 81 }, { containerPort: 80, name: 'h' }] },
    ],
  });
  assert.deepEqual((result as typeof live).containers[0], {
    name: 'web',
    image: 'web:1',
    args: ['-q'],
    ports: [{ containerPort: 81 }, { containerPort: 80, name: 'h' }],
  });
});

test('$patch: delete takes a list item out, $patch: replace replaces the list or the map', () => {
  const containers = (patch: unknown): unknown => (patched({ containers: patch }) as typeof live).containers;
  assert.deepEqual(containers([{ name: 'web', $patch: 'delete' }]), [live.containers[1]]);
  assert.deepEqual(containers([{ name: 'only' }, { $patch: 'replace' }]), [{ name: 'only' }]);
  assert.deepEqual((patched({ labels: { z: '3', $patch: 'replace' } }) as typeof live).labels, { z: '3' });
  assert.deepEqual((patched({ labels: { $patch: 'delete' } }) as typeof live).labels, {});
});

test('A value that is new to the object loses its nulls and directives', () => {
  assert.deepEqual(
    patched(
      {
        containers: [
          { name: 'a', image: null },
          { name: 'b', $patch: 'delete' },
        ],
      },
      {},
    ),
    { containers: [{ name: 'a' }] },
  );
});

test('Primitive lists merge as sets and lose what $deleteFromPrimitiveList names', () => {
  const finalizers = (patch: object): unknown => (patched(patch) as typeof live).finalizers;
  assert.deepEqual(finalizers({ finalizers: ['c', 'a'] }), ['c', 'a', 'b']);
  assert.deepEqual(finalizers({ '$deleteFromPrimitiveList/finalizers': ['a'] }), ['b']);
  assert.deepEqual(
    finalizers({
      '$deleteFromPrimitiveList/finalizers': ['a'],
      '$setElementOrder/finalizers': ['c', 'b'],
      finalizers: ['c'],
    }),
    ['c', 'b'],
  );
});

test('$setElementOrder orders what it names and leaves the rest where the live list has it', () => {
  const result = patched({
    '$setElementOrder/containers': [{ name: 'side' }, { name: 'web' }],
    containers: [{ name: 'web', image: 'web:2' }],
  });
  assert.deepEqual(
    (result as typeof live).containers.map((c) => [c.name, c.image]),
    [
      ['side', 'side:1'],
      ['web', 'web:2'],
    ],
  );
});

test('An item added beside a deleted one takes its place in the order', () => {
  const doc = { containers: [{ name: 'a' }, { name: 'b' }, { name: 'c' }] };
  const names = (patch: object): readonly unknown[] =>
    (
      patched({ containers: [{ name: 'n' }, { name: 'a', $patch: 'delete' }], ...patch }, doc) as typeof doc
    ).containers.map((item) => item.name);
  assert.deepEqual(names({ '$setElementOrder/containers': [{ name: 'b' }, { name: 'n' }] }), ['b', 'c', 'n']);
  assert.deepEqual(names({}), ['n', 'b', 'c']);
});

test('$retainKeys clears every member it does not name', () => {
  const doc = { strategy: { type: 'RollingUpdate', rollingUpdate: { n: 1 } } };
  assert.deepEqual(patched({ strategy: { $retainKeys: ['type'], type: 'Recreate' } }, doc), {
    strategy: { type: 'Recreate' },
  });
});

test('Malformed directives are refused with 400', () => {
  assert.deepEqual(refusal({ $retainKeys: 'labels' }), [400, 'invalid patch format of retainKeys']);
  assert.deepEqual(refusal({ $retainKeys: [], labels: {} }), [400, 'invalid patch format of retainKeys']);
  assert.deepEqual(refusal({ $deleteFromPrimitiveList: [] }), [
    400,
    'invalid patch format of primitive list',
  ]);
  assert.deepEqual(refusal({ $setElementOrder: [] }), [400, 'invalid patch format of setElementOrder list']);
  assert.deepEqual(refusal([]), [
    400,
    'json: cannot unmarshal array into Go value of type map[string]interface {}',
  ]);
});

test('What upstream never classified is answered with its message, as a mistake of the client', () => {
  assert.deepEqual(refusal({ containers: [{ image: 'x', n: 1 }] }), [
    400,
    'map: map[image:x n:1] does not contain declared merge key: name',
  ]);
  assert.deepEqual(refusal({ labels: { $patch: 'merge' } }), [
    400,
    'unknown patch type: merge in map: map[$patch:merge]',
  ]);
  assert.deepEqual(refusal({ containers: [{ name: 'a' }, 'b'] }), [
    400,
    'list element types are not identical: [[map[args:[-v] image:web:1 name:web ports:[map[containerPort:80 name:http]]] map[image:side:1 name:side]] [map[name:a] b]]',
  ]);
  assert.deepEqual(refusal({ '$setElementOrder/containers': [{ x: 'c' }] }), [
    400,
    'map: map[x:c] does not contain declared merge key: name',
  ]);
  assert.deepEqual(refusal({ '$setElementOrder/none': [] }), [
    400,
    'unable to find api field in struct Thing for the json field "none"',
  ]);
  assert.deepEqual(refusal({ extra: { a: ['c'] } }, { extra: { a: ['b'] } }), [
    400,
    'merging an object in json but data type is not struct, instead is: map',
  ]);
});
