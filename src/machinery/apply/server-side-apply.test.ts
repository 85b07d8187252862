/** Sequences of writes whose answers were recorded from kube-apiserver 1.36. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listOf, mapList, mapOf, scalar, setOf, struct, text, withField } from '../schema-notation.ts';
import { StatusError } from '../status-error.ts';
import { MAX_UPDATE_MANAGERS } from './managers.ts';
import { applyServerSide } from './server-side-apply.ts';
import { StoredObject } from './stored-object.fixture.ts';

const metadata = struct('ObjectMeta', {
  name: text,
  namespace: text,
  uid: text,
  labels: mapOf(text),
  annotations: mapOf(text),
  finalizers: setOf(text),
});
const configMap = struct('ConfigMap', { apiVersion: text, kind: text, metadata, data: mapOf(text) });
const port = struct('Port', {
  port: withField(scalar('int32'), { omitEmpty: false }),
  protocol: withField(text, { default: 'TCP' }),
  name: text,
});
const always = { omitEmpty: true, pointer: false };
const service = struct('Service', {
  apiVersion: text,
  kind: text,
  metadata,
  spec: withField(
    struct('Spec', {
      replicas: scalar('int32'),
      ports: mapList(port, ['port', 'protocol']),
      args: listOf(text),
      selector: mapOf(text, 'atomic'),
      strategy: withField(
        struct('Strategy', { type: text, rolling: withField(struct('R', { n: text }), { pointer: true }) }),
        always,
      ),
    }),
    always,
  ),
  status: withField(struct('Status', { replicas: scalar('int32') }), always),
});

const stored = (): StoredObject => new StoredObject(configMap, 'v1', 'ConfigMap', 'cm');
const storedService = (): StoredObject => new StoredObject(service, 'v1', 'Service', 'svc');

test('Applying to a missing object creates it and owns what it names', () => {
  const cm = stored();
  cm.apply('one', { data: { a: '1', b: '2' }, metadata: { labels: { x: '1' } } });
  assert.deepEqual(cm.owners, [
    'one Apply {"f:data":{"f:a":{},"f:b":{}},"f:metadata":{"f:labels":{"f:x":{}}}}',
  ]);
  assert.equal(cm.object.metadata.managedFields?.[0]?.time, '2026-01-01T00:00:00Z');
});

test('Applying the same again changes nothing, not even the time', () => {
  const cm = stored();
  cm.apply('one', { data: { a: '1' } });
  const before = cm.object;
  cm.apply('one', { data: { a: '1' } });
  assert.deepEqual(cm.object, before);
});

test('Two appliers of the same value share it; another value is a conflict', () => {
  const cm = stored();
  cm.apply('one', { data: { a: '1', b: '2' } });
  cm.apply('two', { data: { a: '1' } });
  assert.deepEqual(cm.owners, [
    'two Apply {"f:data":{"f:a":{}}}',
    'one Apply {"f:data":{"f:a":{},"f:b":{}}}',
  ]);
  assert.equal(
    cm.refusal('two', { data: { a: '9', c: '3' } }),
    '409 Apply failed with 1 conflict: conflict with "one": .data.a',
  );
  assert.equal(
    cm.refusal('two', { data: { a: '9', b: '8', c: '3' } }),
    '409 Apply failed with 2 conflicts: conflicts with "one":\n- .data.a\n- .data.b',
  );
});

test('A conflict names each field as a cause', () => {
  const cm = stored();
  cm.create('edit', { data: { a: '1' } });
  assert.throws(
    () => cm.apply('two', { data: { a: '2' } }),
    (e) => {
      assert.ok(e instanceof StatusError);
      assert.equal(e.reason, 'Conflict');
      assert.deepEqual(e.details, {
        causes: [
          { reason: 'FieldManagerConflict', message: 'conflict with "edit" using v1', field: '.data.a' },
        ],
      });
      return true;
    },
  );
});

test('Force takes the fields over, and a field no longer applied goes when nobody else owns it', () => {
  const cm = stored();
  cm.apply('one', { data: { a: '1', b: '2' } });
  cm.apply('two', { data: { a: '9', c: '3' } }, { force: true });
  assert.deepEqual(cm.object.data, { a: '9', b: '2', c: '3' });
  assert.deepEqual(cm.owners, [
    'one Apply {"f:data":{"f:b":{}}}',
    'two Apply {"f:data":{"f:a":{},"f:c":{}}}',
  ]);
  cm.apply('two', { data: { c: '3' } });
  assert.deepEqual(cm.object.data, { b: '2', c: '3' });
});

test('A plain write takes what it changes from appliers without asking', () => {
  const cm = stored();
  cm.apply('one', { data: { b: '2' } });
  cm.patch('edit', { data: { b: '7', d: '4' } });
  assert.deepEqual(cm.owners, ['edit Update {"f:data":{"f:b":{},"f:d":{}}}']);
  assert.equal(
    cm.refusal('one', { data: { b: '2' } }),
    '409 Apply failed with 1 conflict: conflict with "edit" using v1: .data.b',
  );
  cm.patch('edit', { data: { d: null } });
  assert.deepEqual(cm.owners, ['edit Update {"f:data":{"f:b":{}}}']);
});

test('An object whose managed fields were reset belongs to before-first-apply', () => {
  const cm = stored();
  cm.apply('one', { data: { b: '7' } });
  cm.patch('edit', { metadata: { managedFields: [{}] } });
  assert.equal('managedFields' in cm.object.metadata, false);
  assert.equal(
    cm.refusal('three', { data: { b: '5' } }),
    '409 Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.b',
  );
  cm.apply('three', { data: { b: '5' } }, { force: true });
  assert.deepEqual(cm.owners, [
    'three Apply {"f:data":{"f:b":{}}}',
    'before-first-apply Update {"f:data":{}}',
  ]);
});

test('An update without managed fields keeps those of the stored object', () => {
  const cm = stored();
  cm.apply('one', { data: { a: '1' } });
  cm.patch('edit', { metadata: { managedFields: null }, data: { b: '2' } });
  assert.deepEqual(cm.owners, ['one Apply {"f:data":{"f:a":{}}}', 'edit Update {"f:data":{"f:b":{}}}']);
});

test('What does not fit the schema is refused in upstream words', () => {
  const cm = stored();
  const misfit = '500 failed to create typed patch object (/cm; /v1, Kind=ConfigMap): ';
  assert.equal(cm.refusal('a', { foo: 1 }), `${misfit}.foo: field not declared in schema`);
  assert.equal(
    cm.refusal('a', { data: { b: 5 } }),
    `${misfit}.data.b: expected string, got &value.valueUnstructured{Value:5}`,
  );
  assert.equal(cm.refusal('a', { data: ['x'] }), `${misfit}.data: expected map, got &{[x]}`);
  assert.equal(cm.refusal('a', { kind: 'Secret' }), '400 invalid object type: /v1, Kind=Secret');
  assert.equal(
    cm.refusal('a', { metadata: { managedFields: [{}] } }),
    '400 metadata.managedFields must be nil',
  );
  assert.equal(
    cm.refusal('a', []),
    '400 error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}',
  );
  const svc = storedService();
  const wrong = '500 failed to create typed patch object (/svc; /v1, Kind=Service): ';
  assert.equal(
    svc.refusal('a', { spec: { ports: [{ port: 80 }, { port: 80 }] } }),
    `${wrong}.spec.ports: duplicate entries for key [port=80,protocol="TCP"]`,
  );
  assert.equal(
    svc.refusal('a', { spec: { replicas: 'x', args: [3] } }),
    `${wrong}errors:\n  .spec.replicas: expected numeric (int or float), got string\n  .spec.args[0]: expected string, got &value.valueUnstructured{Value:3}`,
  );
});

test('List items are identified by their keys, absent ones by their default', () => {
  const svc = storedService();
  svc.apply('one', {
    spec: {
      ports: [
        { port: 53, name: 'tcp' },
        { port: 53, protocol: 'UDP', name: 'udp' },
      ],
    },
  });
  assert.deepEqual(svc.owners, [
    'one Apply {"f:spec":{"f:ports":{"k:{\\"port\\":53,\\"protocol\\":\\"TCP\\"}":{".":{},"f:name":{},"f:port":{}},"k:{\\"port\\":53,\\"protocol\\":\\"UDP\\"}":{".":{},"f:name":{},"f:port":{},"f:protocol":{}}}}}',
  ]);
  assert.equal(
    svc.refusal('two', { spec: { ports: [{ port: 53, name: 'other' }] } }),
    '409 Apply failed with 1 conflict: conflict with "one": .spec.ports[port=53,protocol="TCP"].name',
  );
  svc.apply('one', { spec: { ports: [{ port: 53, name: 'tcp', protocol: 'TCP' }] } });
  assert.deepEqual(svc.object.spec, {
    strategy: {},
    ports: [{ port: 53, name: 'tcp', protocol: 'TCP' }],
  });
});

test('Structs that are always there are not owned by who creates the object', () => {
  const svc = storedService();
  svc.create('creator', { spec: { strategy: { rolling: { n: '1' } }, selector: { a: 'b' } }, status: {} });
  assert.deepEqual(svc.owners, [
    'creator Update {"f:spec":{"f:selector":{},"f:strategy":{"f:rolling":{".":{},"f:n":{}}}}}',
  ]);
});

test('A write owns nothing of what its endpoint resets', () => {
  const svc = storedService();
  svc.create('creator', { spec: { replicas: 1 }, status: { replicas: 3 } });
  svc.patch('ctl', { spec: { replicas: 2 }, status: { replicas: 4 } }, { subresource: 'status' });
  assert.deepEqual(svc.owners, [
    'creator Update {"f:spec":{"f:replicas":{}}}',
    'ctl Update/status {"f:status":{"f:replicas":{}}}',
  ]);
});

test('The oldest update managers beyond the limit are merged', () => {
  const cm = stored();
  cm.create('creator', { data: { a: '1' } });
  for (let i = 0; i <= MAX_UPDATE_MANAGERS; i++) cm.patch(`m${i}`, { data: { [`k${i}`]: 'v' } });
  assert.equal(cm.owners.length, MAX_UPDATE_MANAGERS);
  assert.equal(cm.owners[0], 'ancient-changes Update {"f:data":{".":{},"f:a":{},"f:k0":{},"f:k1":{}}}');
});

test('kubectl takes over from its own client-side apply without conflict and keeps the annotation in step', () => {
  const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
  const lastApplied = JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'cm', annotations: {} },
    data: { a: '1', b: '2' },
  });
  const cm = stored();
  cm.create('kubectl-client-side-apply', {
    metadata: { annotations: { [annotation]: lastApplied } },
    data: { a: '1', b: '2' },
  });
  cm.apply('kubectl', { data: { a: '5', b: '2' } });
  assert.deepEqual(cm.object.data, { a: '5', b: '2' });
  assert.equal(
    cm.object.metadata.annotations?.[annotation],
    '{"apiVersion":"v1","data":{"a":"5","b":"2"},"kind":"ConfigMap","metadata":{"name":"cm"}}\n',
  );
  cm.patch('edit', { data: { a: '8' } });
  assert.equal(
    cm.refusal('kubectl', { data: { a: '9' } }),
    '409 Apply failed with 1 conflict: conflict with "edit" using v1: .data.a',
  );
});

test('A manager of another version is judged by the converted objects and forgotten with its version', () => {
  const applied = { apiVersion: 'v2', kind: 'ConfigMap', metadata: { name: 'cm' }, data: { a: '2' } };
  const entry = (apiVersion: string, manager: string) => ({
    manager,
    operation: 'Update' as const,
    apiVersion,
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:old': { 'f:a': {} } },
  });
  const live = {
    apiVersion: 'v2',
    kind: 'ConfigMap',
    metadata: { name: 'cm', managedFields: [entry('v0', 'gone'), entry('v1', 'old')] },
    data: { a: '1' },
  };
  const v1 = struct('ConfigMap', { apiVersion: text, kind: text, metadata, old: mapOf(text) });
  const apply = (force: boolean) =>
    applyServerSide({
      schema: configMap,
      apiVersion: 'v2',
      manager: 'new',
      now: '2026-01-01T00:00:00Z',
      live,
      applied,
      force,
      convert: (object, apiVersion) => {
        if (apiVersion === 'v0') return undefined;
        const { data, ...rest } = object;
        return { object: { ...rest, apiVersion, old: data }, schema: v1 };
      },
    }).object;
  assert.throws(() => apply(false), /conflict with "old" using v1: \.old\.a/);
  assert.deepEqual(
    apply(true).metadata.managedFields?.map((e) => e.manager),
    ['new'],
  );
});
