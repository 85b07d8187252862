import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { builtinResources } from '../schema/builtin-resources.ts';
import { kindBehaviours } from './index.ts';

/** Name, type, format and priority of each column of a Table, recorded from kube-apiserver 1.36.3. */
const recorded = JSON.parse(
  readFileSync(new URL('fixtures/columns.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, readonly (readonly [string, string, string, number])[]>>;

/** What is shown of kinds that say nothing about columns. */
const PLAIN = [
  ['Name', 'string', 'name', 0],
  ['Created At', 'date', '', 0],
];

test('every kind is listed in the columns upstream lists it in', () => {
  const served = new Set(builtinResources.map(({ group, kind }) => `${group}/${kind}`));
  for (const [kind, expected] of Object.entries(recorded)) {
    assert.ok(served.has(kind), kind);
    const columns = kindBehaviours.get(kind)?.columns;
    const ours = columns?.map(({ name, type, format = '', priority }) => [name, type, format, priority]);
    assert.deepEqual(ours ?? PLAIN, expected, kind);
  }
});
