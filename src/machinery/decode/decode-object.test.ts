import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listOf, mapOf, scalar, struct, text, withField } from '../schema-notation.ts';
import type { StructSchema } from '../schema.ts';
import { isStatusError } from '../status-error.ts';
import { type DecodeOptions, decodeObject, problemWarnings, strictDecodingError } from './decode-object.ts';

const port = struct('io.k8s.api.test.v1.Port', {
  name: text,
  port: withField(scalar('int32'), { required: true, omitEmpty: false }),
});
const spec = struct('io.k8s.api.test.v1.ThingSpec', {
  replicas: withField(scalar('int32'), { pointer: true }),
  paused: scalar('boolean'),
  policy: withField(text, { goType: 'v1.Policy' }),
  ports: listOf(port),
  names: withField(listOf(text), { required: true, omitEmpty: false }),
  data: mapOf(scalar('bytes')),
  limits: mapOf(scalar('quantity')),
  target: withField(scalar('int-or-string'), { pointer: true }),
  timeout: withField(scalar('duration'), { pointer: true }),
  raw: withField({ kind: 'any' }, { pointer: true }),
});
const status = struct('io.k8s.api.test.v1.ThingStatus', {
  phase: text,
  since: scalar('time'),
  seen: withField(scalar('time'), { pointer: true }),
});
const metadata = struct('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta', {
  name: text,
  creationTimestamp: withField(scalar('time'), { omitEmpty: false, omitZero: true }),
  labels: mapOf(text),
});
const thing = struct('io.k8s.api.test.v1.Thing', { kind: text, apiVersion: text, metadata, spec, status });

const body = (fields: object): object => ({ kind: 'Thing', apiVersion: 'test/v1', ...fields });
const decode = (fields: object, options: Partial<DecodeOptions> = {}, schema: StructSchema = thing) =>
  decodeObject(schema, body(fields), { fieldValidation: 'Strict', ...options });
const specOf = (fields: object): string => JSON.stringify(decode({ spec: fields }).object['spec']);
const errorOf = (fields: object): string => {
  try {
    decode(fields);
  } catch (error) {
    assert.ok(isStatusError(error) && error.code === 400);
    return error.message;
  }
  return 'no error';
};

test('fields stand in schema order and plain structs are printed even when empty', () => {
  assert.equal(
    JSON.stringify(decode({ spec: { ports: [{ port: 80, name: 'web' }], replicas: 0 } }).object),
    '{"kind":"Thing","apiVersion":"test/v1","metadata":{},' +
      '"spec":{"replicas":0,"ports":[{"name":"web","port":80}],"names":null},"status":{"since":null}}',
  );
});

test('empty values are left out unless a pointer or the schema keeps them', () => {
  assert.equal(
    specOf({ replicas: 0, paused: false, policy: '', ports: [], data: {}, names: [] }),
    '{"replicas":0,"names":null}',
  );
  assert.equal(specOf({ ports: [{}], names: ['', null] }), '{"ports":[{"port":0}],"names":["",""]}');
});

test('null is as good as absent', () => {
  assert.equal(specOf({ replicas: null, ports: null, target: null, raw: null }), '{"names":null}');
  assert.equal(
    specOf({ ports: [null], data: { a: null } }),
    '{"ports":[{"port":0}],"names":null,"data":{"a":null}}',
  );
});

test('values come out in the form Go prints', () => {
  assert.equal(
    specOf({
      limits: { memory: '1024Mi', cpu: 0.1 },
      timeout: '90m',
      target: '10%',
      data: { b: 'Zg==', a: 'YW==' },
    }),
    '{"names":null,"data":{"a":"YQ==","b":"Zg=="},"limits":{"cpu":"100m","memory":"1Gi"},' +
      '"target":"10%","timeout":"1h30m0s"}',
  );
  const { object } = decode({
    metadata: { creationTimestamp: '0001-01-01T00:00:00Z' },
    status: { since: '2026-01-01T01:00:00.5+01:00', seen: '0001-01-01T00:00:00Z' },
  });
  assert.deepEqual([object.metadata, object['status']], [{}, { since: '2026-01-01T00:00:00Z', seen: null }]);
});

test('what is decoded shares nothing with the body', () => {
  const raw = { deep: [{ x: 1 }] };
  const { object } = decode({ spec: { raw } });
  raw.deep[0] = { x: 2 };
  assert.deepEqual((object['spec'] as { raw: unknown }).raw, { deep: [{ x: 1 }] });
});

test('a key named __proto__ is a key', () => {
  const labels = JSON.parse('{"__proto__":"a"}') as object;
  const { object } = decode({ metadata: { labels } });
  assert.equal(JSON.stringify(object.metadata), '{"labels":{"__proto__":"a"}}');
});

test('unknown fields are dropped and reported with duplicates, in the order of the body', () => {
  const input = {
    metadata: { oops: 1, labels: { a: 'c' } },
    spec: { ports: [{ port: 1, x: {} }], Replicas: 3 },
  };
  const { object, problems } = decode(input, { duplicates: ['metadata.labels.a', 'spec.ports[0].x.y'] });
  assert.deepEqual(problems, [
    'unknown field "metadata.oops"',
    'duplicate field "metadata.labels.a"',
    'unknown field "spec.ports[0].x"',
    'unknown field "spec.Replicas"',
  ]);
  assert.deepEqual(object['spec'], { ports: [{ port: 1 }], names: null });
  assert.deepEqual(decode(input, { fieldValidation: 'Ignore' }).problems, []);
});

test('the problems of a YAML body come first, and warn line by line', () => {
  const yaml =
    'yaml: unmarshal errors:\n  line 2: key "a" already set in map\n  line 3: key "b" already set in map';
  const { problems } = decode({ x: 1 }, { duplicates: [yaml] });
  assert.deepEqual(problems, [yaml, 'unknown field "x"']);
  assert.deepEqual(problemWarnings(problems), [
    'line 2: key "a" already set in map',
    'line 3: key "b" already set in map',
    'unknown field "x"',
  ]);
});

test('strict decoding errors read as upstream words them', () => {
  const problems = ['unknown field "spec.a"', 'duplicate field "spec.b"'];
  assert.equal(
    strictDecodingError(problems).message,
    'strict decoding error: unknown field "spec.a", duplicate field "spec.b"',
  );
  assert.equal(
    strictDecodingError(problems, { apiVersion: 'apps/v1', kind: 'Deployment' }).message,
    'Deployment in version "v1" cannot be handled as a Deployment: ' +
      'strict decoding error: unknown field "spec.a", duplicate field "spec.b"',
  );
});

test('at most a hundred problems are collected', () => {
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x${i}`, 1]));
  assert.equal(decode(many).problems.length, 100);
});

test('a value of the wrong type is refused as Go words it', () => {
  const cases: readonly (readonly [object, string])[] = [
    [
      { spec: { replicas: '3' } },
      'json: cannot unmarshal string into Go struct field ThingSpec.spec.replicas of type int32',
    ],
    [
      { spec: { replicas: 1.5 } },
      'json: cannot unmarshal number 1.5 into Go struct field ThingSpec.spec.replicas of type int32',
    ],
    [
      { spec: { replicas: 2 ** 31 } },
      'json: cannot unmarshal number 2147483648 into Go struct field ThingSpec.spec.replicas of type int32',
    ],
    [
      { spec: { policy: true } },
      'json: cannot unmarshal bool into Go struct field ThingSpec.spec.policy of type v1.Policy',
    ],
    [
      { spec: { ports: {} } },
      'json: cannot unmarshal object into Go struct field ThingSpec.spec.ports of type []v1.Port',
    ],
    [
      { spec: { ports: ['a'] } },
      'json: cannot unmarshal string into Go struct field ThingSpec.spec.ports of type v1.Port',
    ],
    [
      { spec: { ports: [{ name: 5 }] } },
      'json: cannot unmarshal number into Go struct field Port.spec.ports.name of type string',
    ],
    [
      { metadata: { labels: { a: 1 } } },
      'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
    ],
    [{ spec: [] }, 'json: cannot unmarshal array into Go struct field Thing.spec of type v1.ThingSpec'],
    [{ spec: { data: { a: 'abc' } } }, 'illegal base64 data at input byte 0'],
    [{ spec: { data: { a: 'YQ=x' } } }, 'illegal base64 data at input byte 2'],
    [
      { spec: { limits: { cpu: 'abc' } } },
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ],
    [{ spec: { timeout: '5' } }, 'time: missing unit in duration "5"'],
  ];
  for (const [fields, message] of cases) {
    assert.equal(errorOf(fields), `Thing in version "v1" cannot be handled as a Thing: ${message}`);
  }
});

test('hostile nesting is refused', () => {
  let deep: unknown = 1;
  for (let i = 0; i < 5000; i++) deep = [deep];
  assert.match(errorOf({ spec: { raw: deep } }), /exceeded max depth$/);
});

const custom = struct('', {
  spec: struct('', {
    size: scalar('int32'),
    tags: listOf(struct('', { key: text })),
    free: struct('', { known: text }, { preserveUnknownFields: true }),
    template: struct('', { spec: struct('', { x: text }) }, { embeddedResource: true }),
  }),
  metadata,
  kind: text,
  apiVersion: text,
});

test('a custom resource is pruned, sorted, and otherwise left to validation', () => {
  const input = {
    spec: {
      tags: [{ key: 'a', gone: 1 }],
      size: 'not a number',
      free: { z: { b: 1, a: 2 }, known: null },
      template: { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'x' }, spec: { x: 'y', z: 1 } },
      extra: true,
    },
    metadata: { name: 'a', oops: 1 },
  };
  const { object, problems } = decode(input, {}, custom);
  assert.equal(
    JSON.stringify(object),
    '{"apiVersion":"test/v1","kind":"Thing","metadata":{"name":"a"},"spec":{"free":{"known":null,"z":{"a":2,"b":1}},' +
      '"size":"not a number","tags":[{"key":"a"}],' +
      '"template":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"},"spec":{"x":"y"}}}}',
  );
  assert.deepEqual(problems.toSorted(), [
    'unknown field "metadata.oops"',
    'unknown field "spec.extra"',
    'unknown field "spec.tags[0].gone"',
    'unknown field "spec.template.spec.z"',
  ]);
});
