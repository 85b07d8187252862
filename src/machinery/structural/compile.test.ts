import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoredObject } from '../apply/stored-object.fixture.ts';
import { fieldFilterOf } from '../apply/reset-fields.ts';
import { decodeObject } from '../decode/decode-object.ts';
import { applyDefaults } from '../defaults.ts';
import type { StructSchema } from '../schema.ts';
import { struct, text } from '../schema-notation.ts';
import { compileStructuralSchema, definitionOf } from './compile.ts';
import type { SchemaDefinition } from './definition.ts';
import { pruneForbiddenNulls } from './prune-nulls.ts';

const ports: SchemaDefinition = {
  type: 'array',
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['port', 'protocol'],
  items: {
    type: 'object',
    required: ['port'],
    properties: {
      port: { type: 'integer' },
      protocol: { type: 'string', default: 'TCP' },
      note: { type: 'string' },
    },
  },
};
const definition: SchemaDefinition = {
  type: 'object',
  properties: {
    metadata: { type: 'object', properties: { name: { type: 'string' } } },
    spec: {
      type: 'object',
      properties: {
        replicas: { type: 'integer', default: 1 },
        name: { type: 'string' },
        maybe: { type: 'string', nullable: true },
        set: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
        list: { type: 'array', items: { type: 'string' } },
        ports,
        whole: {
          type: 'object',
          'x-kubernetes-map-type': 'atomic',
          additionalProperties: { type: 'string' },
        },
        map: { type: 'object', additionalProperties: { type: 'string' } },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      },
    },
    status: { type: 'object', properties: { phase: { type: 'string' } } },
  },
};
const schema: StructSchema = compileStructuralSchema(definition, {
  metadataSchema: struct('io.k8s.ObjectMeta', { name: text, labels: { kind: 'map', values: text } }),
});
const widget = (spec: object) => ({
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: { name: 'w' },
  spec,
});

test('What a schema was compiled from can be had back', () => {
  assert.equal(definitionOf(schema), definition);
});

test('A custom resource is pruned, freed of forbidden nulls and defaulted', () => {
  const input = widget({ name: '', unknown: 1, list: null, maybe: null, replicas: null, free: { any: [1] } });
  const { object, problems } = decodeObject(schema, input, { fieldValidation: 'Strict' });
  assert.deepEqual(problems, ['unknown field "spec.unknown"']);
  const whole = applyDefaults(schema, pruneForbiddenNulls(schema, object));
  assert.deepEqual(whole.spec, { name: '', maybe: null, replicas: 1, free: { any: [1] } });
});

test('Ownership in a custom resource follows its list and map types', () => {
  const w = new StoredObject(schema, 'example.com/v1', 'Widget', 'w');
  const filter = fieldFilterOf({ group: 'example.com', resource: 'widgets', schema, hasStatus: true });
  w.apply(
    'one',
    widget({
      set: ['b', 'a'],
      list: ['x'],
      ports: [{ port: 1 }],
      whole: { a: '1' },
      map: { a: '1', b: '2' },
      free: { x: { y: 1, z: [1] } },
    }),
    { filter },
  );
  assert.deepEqual(w.owners, [
    'one Apply {"f:spec":{"f:free":{"f:x":{".":{},"f:y":{},"f:z":{}}},"f:list":{},"f:map":{"f:a":{},"f:b":{}},"f:ports":{"k:{\\"port\\":1,\\"protocol\\":\\"TCP\\"}":{".":{},"f:port":{}}},"f:set":{"v:\\"a\\"":{},"v:\\"b\\"":{}},"f:whole":{}}}',
  ]);
  assert.equal(
    w.refusal(
      'two',
      widget({ list: ['x', 'y'], free: { x: { y: 2 } }, set: ['c', 'a'], map: { b: '2', c: '3' } }),
    ),
    '409 Apply failed with 2 conflicts: conflicts with "one":\n- .spec.list\n- .spec.free.x.y',
  );
  w.apply('two', widget({ set: ['c', 'a'], ports: [{ port: 1, note: 't' }], map: { c: '3' } }), { filter });
  assert.deepEqual(w.object.spec, {
    set: ['b', 'c', 'a'],
    list: ['x'],
    ports: [{ port: 1, note: 't' }],
    whole: { a: '1' },
    map: { a: '1', b: '2', c: '3' },
    free: { x: { y: 1, z: [1] } },
  });
  w.apply('one', widget({ set: ['b'] }), { filter });
  assert.deepEqual(w.object.spec, {
    set: ['b', 'c', 'a'],
    ports: [{ port: 1, note: 't' }],
    map: { c: '3' },
  });
});

test('The status endpoint of a custom resource owns neither spec nor metadata', () => {
  const w = new StoredObject(schema, 'example.com/v1', 'Widget', 'w');
  const at = (subresource?: string) =>
    fieldFilterOf({
      group: 'example.com',
      resource: 'widgets',
      schema,
      hasStatus: true,
      ...(subresource === undefined ? {} : { subresource }),
    });
  w.apply('one', widget({ name: 'n' }), { filter: at() });
  const status = { metadata: { labels: { no: '1' } }, spec: { name: 'm' }, status: { phase: 'Ready' } };
  w.patch('ctl', status, { subresource: 'status', filter: at('status') });
  assert.deepEqual(w.owners, [
    'one Apply {"f:spec":{"f:name":{}}}',
    'ctl Update/status {"f:status":{".":{},"f:phase":{}}}',
  ]);
});
