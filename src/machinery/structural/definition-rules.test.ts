/** Answers recorded from kube-apiserver 1.36 for the same definitions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FieldPath } from '../field-error.ts';
import type { SchemaDefinition } from './definition.ts';
import { validateStructuralSchemaDefinition } from './definition-rules.ts';

const CASES: readonly (readonly [SchemaDefinition, readonly string[]])[] = [
  [
    { type: 'object', properties: { spec: {} } },
    ['properties[spec].type: Required value: must not be empty for specified object fields'],
  ],
  [
    { type: 'array' },
    ['items: Required value: must be specified', 'type: Invalid value: "array": must be object at the root'],
  ],
  [{}, ['type: Required value: must not be empty at the root']],
  [
    { type: 'object', properties: { a: { type: 'array' } } },
    ['properties[a].items: Required value: must be specified'],
  ],
  [
    { type: 'object', additionalProperties: { type: 'string' } },
    ['additionalProperties: Forbidden: must not be used at the root'],
  ],
  [
    { type: 'object', properties: { a: { type: 'string', anyOf: [{ type: 'string' }] } } },
    ['properties[a].anyOf[0].type: Forbidden: must be empty to be structural'],
  ],
  [
    {
      type: 'object',
      properties: { a: { type: 'object', allOf: [{ properties: { b: { minLength: 1 } } }] } },
    },
    [],
  ],
  [
    {
      type: 'object',
      properties: {
        a: { type: 'object', allOf: [{ default: {}, title: 't', description: 'd', nullable: true }] },
      },
    },
    [
      'properties[a].allOf[0].default: Forbidden: must be undefined to be structural',
      'properties[a].allOf[0].description: Forbidden: must be empty to be structural',
      'properties[a].allOf[0].nullable: Forbidden: must be false to be structural',
      'properties[a].allOf[0].title: Forbidden: must be empty to be structural',
    ],
  ],
  [
    {
      type: 'object',
      properties: { metadata: { type: 'object', properties: { labels: { type: 'object' } } } },
    },
    [
      'properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified',
    ],
  ],
  [
    {
      type: 'object',
      properties: { kind: { type: 'integer' }, apiVersion: { type: 'string', default: 'x' } },
    },
    [
      'properties[apiVersion].default: Forbidden: must not be set in top-level apiVersion',
      'properties[kind].type: Invalid value: "integer": must be string',
    ],
  ],
  [
    { type: 'object', properties: { a: { type: 'string', pattern: '(' } } },
    [
      `properties[a].pattern: Invalid value: "(": must be a valid regular expression, but isn't: error parsing regexp: missing closing ): \`(\``,
    ],
  ],
  [
    { type: 'object', properties: { a: { type: 'foo' } } },
    [
      'properties[a].type: Unsupported value: "foo": supported values: "array", "boolean", "integer", "number", "object", "string"',
    ],
  ],
  [
    { type: 'object', properties: { a: { type: 'array', uniqueItems: true, items: { type: 'string' } } } },
    [
      'properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
    ],
  ],
  [
    {
      type: 'object',
      properties: { a: { type: 'array', items: { type: 'object' }, 'x-kubernetes-list-type': 'set' } },
    },
    [
      'properties[a].items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set',
    ],
  ],
  [
    {
      type: 'object',
      properties: { a: { type: 'array', items: { type: 'object' }, 'x-kubernetes-list-type': 'map' } },
    },
    [
      'properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map',
    ],
  ],
  [
    {
      type: 'object',
      properties: {
        a: {
          type: 'array',
          items: { type: 'object', properties: { k: { type: 'string' } } },
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['k', 'z'],
        },
      },
    },
    [
      'properties[a].items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
      'properties[a].x-kubernetes-list-map-keys: Invalid value: ["k","z"]: entries must all be names of item properties',
    ],
  ],
  [
    {
      type: 'object',
      properties: { a: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'foo' } },
    },
    [
      'properties[a].x-kubernetes-list-type: Unsupported value: "foo": supported values: "atomic", "set", "map"',
    ],
  ],
  [
    { type: 'object', properties: { a: { type: 'string', 'x-kubernetes-map-type': 'atomic' } } },
    ['properties[a].type: Invalid value: "string": must be object if x-kubernetes-map-type is specified'],
  ],
  [
    {
      type: 'object',
      properties: { a: { 'x-kubernetes-int-or-string': true, 'x-kubernetes-preserve-unknown-fields': true } },
    },
    [
      'properties[a].x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false if x-kubernetes-int-or-string is true',
    ],
  ],
  [
    { type: 'object', properties: { a: { type: 'integer', default: 'x' } } },
    ['properties[a].default: Invalid value: "string":  in body must be of type integer: "string"'],
  ],
  [
    {
      type: 'object',
      properties: { a: { type: 'object', properties: { b: { type: 'string' } }, default: { c: 1 } } },
    },
    ['properties[a].default: Invalid value: {"c":1}: must not have unknown fields'],
  ],
  [
    {
      type: 'object',
      properties: {
        a: {
          type: 'object',
          properties: { b: { type: 'string' } },
          additionalProperties: { type: 'string' },
        },
      },
    },
    [
      'properties[a].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive',
    ],
  ],
  [
    { type: 'object', properties: { a: { 'x-kubernetes-embedded-resource': true } } },
    [
      'properties[a].properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      'properties[a].type: Required value: must be object if x-kubernetes-embedded-resource is true',
    ],
  ],
  [
    { type: 'object', properties: { a: { 'x-kubernetes-preserve-unknown-fields': false, type: 'object' } } },
    ['properties[a].x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined'],
  ],
  [
    { type: 'object', properties: { a: { type: 'object', patternProperties: { x: { type: 'string' } } } } },
    ['properties[a].patternProperties: Forbidden: patternProperties is not supported'],
  ],
  [
    { type: 'object', properties: { a: { type: 'object', $ref: 'x' } } },
    ['properties[a].$ref: Forbidden: $ref is not supported'],
  ],
  [{ type: 'object', nullable: true }, ['nullable: Forbidden: nullable cannot be true at the root']],
];

test('Definitions are judged as kube-apiserver judges them', () => {
  for (const [definition, expected] of CASES) {
    const errors = validateStructuralSchemaDefinition(definition, new FieldPath('schema'));
    const lines = errors.map((error) => `${error.field.replace(/^schema\.?/, '')}: ${error.body}`).sort();
    assert.deepEqual(lines, expected, JSON.stringify(definition));
  }
});

test('A definition with everything structural is accepted', () => {
  const definition: SchemaDefinition = {
    type: 'object',
    properties: {
      metadata: { type: 'object', properties: { name: { type: 'string', maxLength: 5 } } },
      spec: {
        type: 'object',
        properties: {
          port: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
          template: {
            type: 'object',
            'x-kubernetes-embedded-resource': true,
            'x-kubernetes-preserve-unknown-fields': true,
          },
          name: { type: 'string', default: 'x', allOf: [{ minLength: 1 }] },
        },
        'x-kubernetes-validations': [{ rule: 'self.name != "y"', message: 'not y' }],
      },
    },
  };
  assert.deepEqual(validateStructuralSchemaDefinition(definition, new FieldPath('schema')), []);
});
