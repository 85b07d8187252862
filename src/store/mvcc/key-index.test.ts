import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { KeyIndex } from './key-index.ts';
import { KeyNode, Version } from './version.ts';

const revive = (node: KeyNode): void => {
  node.newest = new Version(node, 2, 0, 2, undefined, undefined);
};
const kill = (node: KeyNode): void => {
  node.newest = new Version(node, 3, 0, 0, undefined, undefined);
};

test('ranges and counts stay right while thousands of keys come, die and go', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ key: fc.nat(3_000), what: fc.constantFrom('add', 'add', 'kill', 'remove') }), {
        minLength: 1_000,
        maxLength: 4_000,
      }),
      fc.tuple(fc.nat(3_000), fc.nat(3_000)),
      (steps, [a, b]) => {
        const index = new KeyIndex();
        const alive = new Map<string, boolean>();
        for (const step of steps) {
          const key = `key/${step.key}`;
          const known = alive.get(key);
          if (step.what === 'add') {
            const node = index.findOrAdd(key);
            revive(node);
            if (known !== true) index.changeLive(node, 1);
            alive.set(key, true);
            continue;
          }
          const node = index.find(key);
          if (node === undefined) continue;
          if (known === true) {
            kill(node);
            index.changeLive(node, -1);
            alive.set(key, false);
          }
          if (step.what === 'remove') {
            index.remove(node);
            alive.delete(key);
          }
        }
        const [start, end] = [`key/${a}`, `key/${b}`];
        const expected = [...alive.keys()].filter((key) => start <= key && key < end).sort();
        assert.deepEqual(
          [...index.nodes(start, end)].map((node) => node.key),
          expected,
        );
        assert.equal(index.countLive(start, end), expected.filter((key) => alive.get(key)).length);
        assert.equal(index.size, alive.size);
      },
    ),
    { numRuns: 30 },
  );
});

test('an index filled at once answers as one filled key by key', () => {
  const filled = new KeyIndex();
  const nodes = Array.from({ length: 2_000 }, (_, at) => new KeyNode(`k${at}`, `k${at}`));
  for (const [at, node] of nodes.entries())
    if (at % 3 === 0) kill(node);
    else revive(node);
  filled.load(nodes);
  assert.deepEqual(
    [...filled.nodes('k1', 'k2')].map((node) => node.key),
    nodes
      .map((node) => node.key)
      .filter((key) => key >= 'k1' && key < 'k2')
      .sort(),
  );
  assert.equal(filled.countLive('k', 'l'), nodes.filter((_, at) => at % 3 !== 0).length);
});
