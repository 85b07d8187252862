import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulate } from './cluster-simulation.ts';

/** Rounds with seeds of their own; each is some virtual hours. */
const ROUNDS = Number(process.env['K8TS_SIMULATION_ROUNDS'] ?? '2');
/** The first seed, to have a failed round again. */
const SEED = Number(process.env['K8TS_SIMULATION_SEED'] ?? '1');
const STEPS = Number(process.env['K8TS_SIMULATION_STEPS'] ?? '40');
const REPLAYED_STEPS = 20;
/** Far more than it takes: components that undo each other's work get here soon. */
const MOST_CHANGES_PER_STEP = 100;

for (let round = 0; round < ROUNDS; round++) {
  const seed = SEED + round;
  test(`a cluster keeps its promises through work, faults and dying nodes (seed ${seed})`, async (t) => {
    const { history, virtualMs } = await simulate(seed, STEPS);
    assert.ok(history.length < STEPS * MOST_CHANGES_PER_STEP, `${history.length} changes`);
    t.diagnostic(`seed ${seed}: ${(virtualMs / 3_600_000).toFixed(1)} hours, ${history.length} changes`);
  });
}

test('the same seed gives the same history', async () => {
  const first = await simulate(SEED, REPLAYED_STEPS);
  const again = await simulate(SEED, REPLAYED_STEPS);
  assert.deepEqual(again.history, first.history);
  assert.ok(first.history.length > 100);
});
