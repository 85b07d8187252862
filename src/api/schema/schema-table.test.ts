import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  applyDefaults,
  decodeObject,
  decodeProtobufObject,
  encodeProtobuf,
  type GroupVersionKind,
  type KubeObject,
  type StructSchema,
} from '#machinery';
import { builtinResources } from './builtin-resources.ts';
import { objectOf } from './object-arbitrary.ts';
import { builtinTypeNames, schemaByName, schemaOf } from './schema-table.ts';

const pod: GroupVersionKind = { group: '', version: 'v1', kind: 'Pod' };

function known(schema: StructSchema | undefined): StructSchema {
  assert.ok(schema);
  return schema;
}
const decode = (schema: StructSchema, value: unknown): KubeObject =>
  decodeObject(schema, value, { fieldValidation: 'Strict' }).object;

test('a type is the same object under all its names', () => {
  const schema = known(schemaOf(pod));
  assert.equal(schemaByName('core/v1.Pod'), schema);
  assert.equal(schemaByName('io.k8s.api.core.v1.Pod'), schema);
  assert.equal(schema.name, 'io.k8s.api.core.v1.Pod');
  assert.deepEqual(
    schema.fields.map(({ name }) => name),
    ['kind', 'apiVersion', 'metadata', 'spec', 'status'],
  );
});

test('kinds that are not built in have no schema', () => {
  for (const group of ['example.com', 'core', 'core.k8s.io', 'policy.networking.k8s.io', 'constructor']) {
    assert.equal(schemaOf({ group, version: 'v1', kind: 'Pod' }), undefined, group);
  }
  assert.equal(schemaOf({ group: 'apps', version: 'v1', kind: 'Pod' }), undefined);
});

test('the kinds behind subresources and answers have schemas', () => {
  const kinds: readonly (readonly [group: string, version: string, kind: string])[] = [
    ['autoscaling', 'v1', 'Scale'],
    ['policy', 'v1', 'Eviction'],
    ['', 'v1', 'Binding'],
    ['authentication.k8s.io', 'v1', 'TokenRequest'],
    ['', 'v1', 'Status'],
    ['', 'v1', 'List'],
    ['apps', 'v1', 'DeleteOptions'],
    ['meta.k8s.io', 'v1', 'PartialObjectMetadata'],
    ['meta.k8s.io', 'v1', 'Table'],
    ['apps', 'v1', 'DeploymentList'],
    ['internal.apiserver.k8s.io', 'v1alpha1', 'StorageVersion'],
  ];
  for (const [group, version, kind] of kinds) known(schemaOf({ group, version, kind }));
});

test('every type of the facts can be built', () => {
  for (const name of builtinTypeNames()) {
    for (const field of known(schemaByName(name)).fields) assert.ok(field.schema, `${name}.${field.name}`);
  }
});

test('merge rules of lists are those of the Go types', () => {
  const ports = known(schemaByName('core/v1.Container')).byName.get('ports')?.schema;
  assert.ok(ports?.kind === 'list');
  assert.deepEqual(
    [ports.listType, ports.listMapKeys, ports.patchMergeKey, ports.patchStrategy],
    ['map', ['containerPort', 'protocol'], 'containerPort', ['merge']],
  );
});

test('embedded Go structs are flattened, and remembered for the wire', () => {
  const rule = known(schemaByName('admissionregistration/v1.NamedRuleWithOperations'));
  assert.deepEqual(
    rule.byName.get('apiGroups')?.protoInline?.map(({ number }) => number),
    [2, 2],
  );
});

test('an object of any kind decodes to itself and survives protobuf', () => {
  for (const { group, version, kind, schema } of builtinResources) {
    const gvk = { group, version, kind };
    fc.assert(
      fc.property(objectOf(schema), (fields) => {
        const object = decode(schema, {
          kind,
          apiVersion: group === '' ? version : `${group}/${version}`,
          ...fields,
        });
        const text = JSON.stringify(object);
        assert.equal(JSON.stringify(decode(schema, JSON.parse(text))), text);
        const bytes = encodeProtobuf(gvk, schema, object);
        assert.equal(JSON.stringify(decodeProtobufObject(schema, bytes)), text);
      }),
      { numRuns: 10 },
    );
  }
});

test('defaults of any kind are stable', () => {
  for (const { kind, schema } of builtinResources) {
    fc.assert(
      fc.property(objectOf(schema), (fields) => {
        const once = applyDefaults(schema, decode(schema, { kind, apiVersion: 'v1', ...fields }));
        assert.equal(applyDefaults(schema, once), once);
        assert.equal(JSON.stringify(decode(schema, once)), JSON.stringify(once));
      }),
      { numRuns: 5 },
    );
  }
});

test('a pod gets the constant defaults, its template kin those that are not the pod’s alone', () => {
  const spec = { containers: [{ name: 'c', image: 'x', livenessProbe: { httpGet: { port: 80 } } }] };
  const schema = known(schemaOf(pod));
  const object = applyDefaults(schema, decode(schema, { kind: 'Pod', apiVersion: 'v1', spec }));
  assert.deepEqual(object['spec'], {
    containers: [
      {
        name: 'c',
        image: 'x',
        resources: {},
        livenessProbe: {
          httpGet: { path: '/', port: 80, scheme: 'HTTP' },
          timeoutSeconds: 1,
          periodSeconds: 10,
          successThreshold: 1,
          failureThreshold: 3,
        },
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
      },
    ],
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    securityContext: {},
    schedulerName: 'default-scheduler',
  });
});

test('a default of a zero value shows only where a pointer makes a difference', () => {
  const name = known(schemaByName('core/v1.LocalObjectReference')).byName.get('name');
  assert.deepEqual([name?.default, name?.publishedDefault], [undefined, '']);
  const service = known(schemaByName('core/v1.GRPCAction')).byName.get('service');
  assert.equal(service?.default, '');
});
