import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFresh } from './process-script.ts';

test('a bundle counts while none of its sources is newer or gone', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'k8ts-bundle-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [script, inputs, source] = ['bundle.mjs', 'inputs.json', 'a.ts'].map((name) => join(folder, name));
  assert(script !== undefined && inputs !== undefined && source !== undefined);
  assert.equal(isFresh(script, inputs), false, 'there is none');
  for (const file of [source, script]) writeFileSync(file, '');
  writeFileSync(inputs, JSON.stringify([source]));
  utimesSync(source, 1_000, 1_000);
  utimesSync(script, 1_000, 1_000);
  assert.equal(isFresh(script, inputs), true);
  utimesSync(source, 1_001, 1_001);
  assert.equal(isFresh(script, inputs), false, 'edited since');
  rmSync(source);
  assert.equal(isFresh(script, inputs), false, 'deleted since');
});
