/** Answers recorded from kube-apiserver 1.36 for the same definition and the same objects. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { struct, text } from '../schema-notation.ts';
import { compileStructuralSchema } from './compile.ts';
import { pruneForbiddenNulls } from './prune-nulls.ts';
import { validateCustomValue } from './value-validation.ts';

const schema = compileStructuralSchema(
  {
    type: 'object',
    required: ['spec'],
    properties: {
      metadata: { type: 'object', properties: { name: { type: 'string', maxLength: 5 } } },
      spec: {
        type: 'object',
        required: ['a', 'b'],
        minProperties: 1,
        maxProperties: 60,
        properties: {
          a: { type: 'string' },
          b: { type: 'integer' },
          i32: { type: 'integer', format: 'int32' },
          i64: { type: 'integer', format: 'int64' },
          num: { type: 'number' },
          bool: { type: 'boolean' },
          enum: { type: 'string', enum: ['x', 'y'] },
          ienum: { type: 'integer', enum: [1, 2] },
          min: { type: 'integer', minimum: 3, maximum: 5 },
          xmin: { type: 'integer', minimum: 3, exclusiveMinimum: true, maximum: 5, exclusiveMaximum: true },
          fmin: { type: 'number', minimum: 0.5, maximum: 1.5 },
          mult: { type: 'integer', multipleOf: 5 },
          len: { type: 'string', minLength: 2, maxLength: 4 },
          pat: { type: 'string', pattern: '^a+$' },
          list: { type: 'array', minItems: 1, maxItems: 2, items: { type: 'string' } },
          obj: { type: 'object', properties: { x: { type: 'string' } }, required: ['x'] },
          map: { type: 'object', maxProperties: 1, additionalProperties: { type: 'integer' } },
          nul: { type: 'string', nullable: true },
          nenum: { type: 'string', nullable: true, enum: ['q'] },
          ios: { 'x-kubernetes-int-or-string': true },
          date: { type: 'string', format: 'date-time' },
          ip: { type: 'string', format: 'ipv4' },
          uuid: { type: 'string', format: 'uuid' },
          byte: { type: 'string', format: 'byte' },
          any: {
            type: 'object',
            properties: { p: { type: 'string' }, q: { type: 'string' } },
            anyOf: [{ required: ['p'] }, { required: ['q'] }],
          },
          one: {
            type: 'object',
            properties: { p: { type: 'string' }, q: { type: 'string' } },
            oneOf: [{ required: ['p'] }, { required: ['q'] }],
          },
          all: { type: 'string', allOf: [{ minLength: 3 }, { pattern: '^z' }] },
          not: { type: 'string', not: { enum: ['bad'] } },
          set: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
          lm: {
            type: 'array',
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['k'],
            items: {
              type: 'object',
              required: ['k'],
              properties: { k: { type: 'string' }, v: { type: 'integer' } },
            },
          },
          emb: {
            type: 'object',
            'x-kubernetes-embedded-resource': true,
            'x-kubernetes-preserve-unknown-fields': true,
          },
        },
      },
    },
  },
  { metadataSchema: struct('ObjectMeta', { name: text }) },
);

/** What is said of an object with this spec, one line for each error, sorted. */
function complaints(spec: unknown, name = 'g'): readonly string[] {
  const object = { apiVersion: 'check.example.com/v1', kind: 'Gadget', metadata: { name }, spec };
  return validateCustomValue(schema, pruneForbiddenNulls(schema, object))
    .map((error) => `${error.field}: ${error.body}`)
    .sort();
}

/** Beside the required `a` and `b`: what is set, and what is said. */
const CASES: readonly (readonly [object, readonly string[]])[] = [
  [{ a: 1 }, ['spec.a: Invalid value: "integer": spec.a in body must be of type string: "integer"']],
  [{ b: 'x' }, ['spec.b: Invalid value: "string": spec.b in body must be of type integer: "string"']],
  [
    { b: 1.5 },
    [
      '<nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.b',
      'spec.b: Invalid value: "number": spec.b in body must be of type integer: "number"',
    ],
  ],
  [{ b: true }, ['spec.b: Invalid value: "boolean": spec.b in body must be of type integer: "boolean"']],
  [
    { i32: 4000000000 },
    ['<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.i32'],
  ],
  [{ i32: true }, ['spec.i32: Invalid value: "": spec.i32 in body must be of type int32: ""']],
  [{ i64: 'x' }, ['spec.i64: Invalid value: "string": spec.i64 in body must be of type integer: "string"']],
  [{ num: 'x' }, ['spec.num: Invalid value: "string": spec.num in body must be of type number: "string"']],
  [
    { bool: 't' },
    ['spec.bool: Invalid value: "string": spec.bool in body must be of type boolean: "string"'],
  ],
  [{ enum: 'z' }, ['spec.enum: Unsupported value: "z": supported values: "x", "y"']],
  [
    { enum: 1 },
    [
      'spec.enum: Invalid value: "integer": spec.enum in body must be of type string: "integer"',
      'spec.enum: Unsupported value: 1: supported values: "x", "y"',
    ],
  ],
  [{ ienum: 3 }, ['spec.ienum: Unsupported value: 3: supported values: "1", "2"']],
  [{ min: 2 }, ['spec.min: Invalid value: 2: spec.min in body should be greater than or equal to 3']],
  [{ min: 6 }, ['spec.min: Invalid value: 6: spec.min in body should be less than or equal to 5']],
  [{ xmin: 3 }, ['spec.xmin: Invalid value: 3: spec.xmin in body should be greater than 3']],
  [{ xmin: 5 }, ['spec.xmin: Invalid value: 5: spec.xmin in body should be less than 5']],
  [
    { fmin: 0.25 },
    ['spec.fmin: Invalid value: 0.25: spec.fmin in body should be greater than or equal to 0.5'],
  ],
  [{ fmin: 2 }, ['spec.fmin: Invalid value: 2: spec.fmin in body should be less than or equal to 1']],
  [{ mult: 7 }, ['spec.mult: Invalid value: 7: spec.mult in body should be a multiple of 5']],
  [{ len: 'a' }, ['spec.len: Invalid value: "a": spec.len in body should be at least 2 chars long']],
  [{ len: 'abcde' }, ['spec.len: Too long: may not be more than 4 bytes']],
  [{ pat: 'b' }, [`spec.pat: Invalid value: "b": spec.pat in body should match '^a+$'`]],
  [{ list: [] }, ['spec.list: Invalid value: 0: spec.list in body should have at least 1 items']],
  [{ list: ['a', 'b', 'c'] }, ['spec.list: Too many: 3: must have at most 2 items']],
  [
    { list: [1] },
    ['spec.list[0]: Invalid value: "integer": spec.list[0] in body must be of type string: "integer"'],
  ],
  [{ list: 'x' }, ['spec.list: Invalid value: "string": spec.list in body must be of type array: "string"']],
  [{ obj: {} }, ['spec.obj.x: Required value']],
  [{ obj: [] }, ['spec.obj: Invalid value: "array": spec.obj in body must be of type object: "array"']],
  [
    { obj: { x: 1 } },
    ['spec.obj.x: Invalid value: "integer": spec.obj.x in body must be of type string: "integer"'],
  ],
  [{ map: { a: 1, b: 2 } }, ['spec.map: Too many: 2: must have at most 1 item']],
  [
    { map: { a: 'x' } },
    ['spec.map.a: Invalid value: "string": spec.map.a in body must be of type integer: "string"'],
  ],
  [{ nul: null }, []],
  [{ nenum: null }, ['spec.nenum: Unsupported value: null: supported values: "q"']],
  [{ a: null }, ['spec.a: Required value']],
  [
    { ios: true },
    ['spec.ios: Invalid value: "boolean": spec.ios in body must be of type integer,string: "boolean"'],
  ],
  [
    { ios: 1.5 },
    ['spec.ios: Invalid value: "number": spec.ios in body must be of type integer,string: "number"'],
  ],
  [{ date: 'x' }, ['spec.date: Invalid value: "x": spec.date in body must be of type date-time: "x"']],
  [{ date: 5 }, ['spec.date: Invalid value: "int64": spec.date in body must be of type date-time: "int64"']],
  [{ ip: '1.2.3' }, ['spec.ip: Invalid value: "1.2.3": spec.ip in body must be of type ipv4: "1.2.3"']],
  [{ uuid: 'x' }, ['spec.uuid: Invalid value: "x": spec.uuid in body must be of type uuid: "x"']],
  [{ byte: '*' }, ['spec.byte: Invalid value: "*": spec.byte in body must be of type byte: "*"']],
  [
    { any: {} },
    [
      '<nil>: Invalid value: "": "spec.any" must validate at least one schema (anyOf)',
      'spec.any.p: Required value',
    ],
  ],
  [
    { one: {} },
    [
      '<nil>: Invalid value: "": "spec.one" must validate one and only one schema (oneOf). Found none valid',
      'spec.one.p: Required value',
    ],
  ],
  [
    { one: { p: '1', q: '2' } },
    [
      '<nil>: Invalid value: "": "spec.one" must validate one and only one schema (oneOf). Found 2 valid alternatives',
    ],
  ],
  [
    { all: 'a' },
    [
      '<nil>: Invalid value: "": "spec.all" must validate all the schemas (allOf). None validated',
      'spec.all: Invalid value: "a": spec.all in body should be at least 3 chars long',
      `spec.all: Invalid value: "a": spec.all in body should match '^z'`,
    ],
  ],
  [
    { all: 'ab' },
    [
      '<nil>: Invalid value: "": "spec.all" must validate all the schemas (allOf). None validated',
      'spec.all: Invalid value: "ab": spec.all in body should be at least 3 chars long',
      `spec.all: Invalid value: "ab": spec.all in body should match '^z'`,
    ],
  ],
  [
    { all: 'za' },
    [
      '<nil>: Invalid value: "": "spec.all" must validate all the schemas (allOf)',
      'spec.all: Invalid value: "za": spec.all in body should be at least 3 chars long',
    ],
  ],
  [{ not: 'bad' }, ['<nil>: Invalid value: "": "spec.not" must not validate the schema (not)']],
  [{ set: ['a', 'a', 'a'] }, ['spec.set[1]: Duplicate value: "a"']],
  [{ lm: [{ k: 'a' }, { k: 'a' }] }, ['spec.lm[1]: Duplicate value: {"k":"a"}']],
  [{ lm: [{ v: 1 }] }, ['spec.lm[0].k: Required value']],
  [{ emb: {} }, ['spec.emb.apiVersion: Required value', 'spec.emb.kind: Required value']],
  [
    { emb: { apiVersion: '', kind: '9' } },
    [
      'spec.emb.apiVersion: Invalid value: "": must not be empty',
      `spec.emb.kind: Invalid value: "9": may have mixed case, but should otherwise match: a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')`,
    ],
  ],
  [
    { enum: 'z', min: 9, list: [] },
    [
      'spec.enum: Unsupported value: "z": supported values: "x", "y"',
      'spec.list: Invalid value: 0: spec.list in body should have at least 1 items',
      'spec.min: Invalid value: 9: spec.min in body should be less than or equal to 5',
    ],
  ],
];

test('Values are judged as kube-apiserver judges them', () => {
  for (const [set, expected] of CASES) {
    assert.deepEqual(complaints({ a: '1', b: 1, ...set }), expected, JSON.stringify(set));
  }
});

test('Required fields are missed at every level', () => {
  assert.deepEqual(complaints(undefined), [
    'spec: Invalid value: "null": spec in body must be of type object: "null"',
  ]);
  assert.deepEqual(complaints({}), [
    'spec.a: Required value',
    'spec.b: Required value',
    'spec: Invalid value: 0: spec in body should have at least 1 properties',
  ]);
});

test('The name in the metadata can be restricted', () => {
  assert.deepEqual(complaints({ a: '1', b: 1 }, 'toolong'), [
    'metadata.name: Too long: may not be more than 5 bytes',
  ]);
});

test('On update, what did not change is forgiven and what did is not', () => {
  const object = (spec: object) => ({ metadata: { name: 'g' }, spec: { a: '1', b: 1, ...spec } });
  const judge = (next: object, old: object): readonly string[] =>
    validateCustomValue(schema, object(next), undefined, { old: object(old) }).map((error) => error.field);
  assert.deepEqual(judge({ min: 9, len: 'abcde' }, { min: 9 }), ['spec.len']);
  assert.deepEqual(judge({ lm: [{ k: 'b' }, { k: 'a', v: 'x' }] }, { lm: [{ k: 'a', v: 'x' }] }), []);
  assert.deepEqual(judge({ list: [1, 'a'] }, { list: [1] }), ['spec.list[0]']);
});
