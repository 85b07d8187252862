import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyDefaults } from './defaults.ts';
import type { KubeObject } from './object.ts';
import { listOf, mapOf, scalar, struct, text, withField } from './schema-notation.ts';

const port = struct('x.Port', { port: scalar('int32'), protocol: withField(text, { default: 'TCP' }) });
const probe = struct('x.Probe', { period: withField(scalar('int32'), { default: 10 }) });
const schema = struct('x.Thing', {
  kind: text,
  apiVersion: text,
  metadata: struct('x.Meta', { name: text }),
  spec: struct('x.Spec', {
    replicas: withField(scalar('int32'), { pointer: true, default: 1 }),
    group: withField(text, { omitEmpty: false, default: 'core' }),
    probe: withField(probe, { pointer: true }),
    policy: withField(struct('x.Policy', { when: withField(text, { default: 'Always' }) }), {
      pointer: true,
      default: {},
    }),
    ports: listOf(port),
    byName: mapOf(port),
    free: withField({ kind: 'any' }, { pointer: true }),
  }),
});

const thing = (spec?: object): KubeObject => ({
  kind: 'Thing',
  apiVersion: 'x/v1',
  metadata: { name: 'a' },
  ...(spec === undefined ? {} : { spec }),
});
const defaulted = (spec: object): unknown => applyDefaults(schema, thing(spec))['spec'];

test('absent fields get their default, in schema order', () => {
  assert.equal(
    JSON.stringify(defaulted({ ports: [{ port: 80 }] })),
    '{"replicas":1,"group":"core","policy":{"when":"Always"},"ports":[{"port":80,"protocol":"TCP"}]}',
  );
});

test('what is set stays, a zero behind a pointer too', () => {
  const spec = { replicas: 0, group: 'apps', policy: { when: 'Never' } };
  assert.deepEqual(defaulted(spec), spec);
});

test('a zero that has no pointer counts as absent', () => {
  assert.equal((defaulted({ group: '' }) as { group: string }).group, 'core');
});

test('nothing is made up below a parent that is not there', () => {
  assert.equal('probe' in (defaulted({}) as object), false);
  assert.deepEqual((defaulted({ probe: {} }) as { probe: unknown }).probe, { period: 10 });
  assert.equal(applyDefaults(schema, thing())['spec'], undefined);
});

test('only what changes is copied', () => {
  const ports = [{ port: 1, protocol: 'UDP' }];
  const full = thing({ replicas: 2, group: 'g', policy: { when: 'x' }, ports, byName: { a: ports[0] } });
  assert.equal(applyDefaults(schema, full), full);
  const free = { replicas: 3 };
  const partial = thing({ ...(full['spec'] as object), replicas: undefined, free });
  const result = applyDefaults(schema, partial)['spec'] as {
    ports: unknown;
    free: unknown;
    replicas: number;
  };
  assert.equal(result.replicas, 1);
  assert.equal(result.ports, ports);
  assert.equal(result.free, free);
});
