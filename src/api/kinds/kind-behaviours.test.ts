import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { applyDefaults, decodeObject, type KubeObject, type StructSchema } from '#machinery';
import type { KindBehaviour } from '../kind-behaviour.ts';
import { builtinResources } from '../schema/builtin-resources.ts';
import { objectOf } from '../schema/object-arbitrary.ts';
import { schemaOf } from '../schema/schema-table.ts';
import { kindBehaviours } from './index.ts';

const context = { now: '2026-01-01T00:00:00Z', user: { name: 'jane', groups: ['system:authenticated'] } };

interface Kind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly schema: StructSchema;
  readonly behaviour: KindBehaviour;
}

const kinds: readonly Kind[] = builtinResources.flatMap(({ group, version, kind }) => {
  const behaviour = kindBehaviours.get(`${group}/${kind}`);
  const schema = schemaOf({ group, version, kind });
  if (behaviour === undefined || schema === undefined) return [];
  if (behaviour.version !== undefined && behaviour.version !== version) return [];
  return [{ apiVersion: group === '' ? version : `${group}/${version}`, kind, schema, behaviour }];
});

/** As it reaches the hooks: decoded, defaulted. */
function arriving({ apiVersion, kind, schema, behaviour }: Kind, value: object): KubeObject {
  const body = { ...value, apiVersion, kind, metadata: { name: 'it', namespace: 'here', uid: 'a-uid' } };
  const { object } = decodeObject(schema, body, { fieldValidation: 'Ignore' });
  const defaulted = applyDefaults(schema, object);
  return behaviour.setDefaults?.(defaulted) ?? defaulted;
}

test('no hook of a kind fails on what decodes, however little or much of it is there', () => {
  for (const kind of kinds) {
    const { behaviour } = kind;
    fc.assert(
      fc.property(objectOf(kind.schema), objectOf(kind.schema), (one, other) => {
        const old = arriving(kind, one);
        const next = arriving(kind, other);
        const created = behaviour.prepareForCreate?.(next, context) ?? next;
        behaviour.validateCreate?.(created);
        const updated = behaviour.prepareForUpdate?.(next, old, context) ?? next;
        behaviour.validateUpdate?.(updated, old, undefined);
        const reported = behaviour.prepareForStatusUpdate?.(next, old, context) ?? next;
        behaviour.validateStatusUpdate?.(reported, old);
        behaviour.bumpsGeneration?.(updated, old);
        behaviour.selectableFields?.(created);
        for (const { cell } of behaviour.columns ?? []) cell(created, 0);
      }),
      { numRuns: 20 },
    );
  }
});

test('what was let in can be written again without a change', () => {
  for (const kind of kinds) {
    const { behaviour } = kind;
    fc.assert(
      fc.property(objectOf(kind.schema), (value) => {
        const arrived = arriving(kind, value);
        const created = behaviour.prepareForCreate?.(arrived, context) ?? arrived;
        if ((behaviour.validateCreate?.(created) ?? []).length > 0) return;
        const updated = behaviour.prepareForUpdate?.(created, created, context) ?? created;
        assert.deepEqual(behaviour.validateUpdate?.(updated, created, undefined) ?? [], []);
      }),
      { numRuns: 40 },
    );
  }
});
