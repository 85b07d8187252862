import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slowStart } from './slow-start.ts';

test('rounds double until all calls are made', async () => {
  let underWay = 0;
  const rounds: number[] = [];
  const result = await slowStart(10, async () => {
    underWay++;
    await Promise.resolve();
    if (underWay > 0) rounds.push(underWay);
    underWay = 0;
  });
  assert.deepEqual(result, { succeeded: 10 });
  assert.deepEqual(
    rounds.filter((count) => count > 0),
    [1, 2, 4, 3],
  );
});

test('no round follows one in which a call failed', async () => {
  let calls = 0;
  const { succeeded, error } = await slowStart(100, () => {
    calls++;
    return calls === 3 ? Promise.reject(new Error('quota')) : Promise.resolve();
  });
  assert.equal(calls, 3);
  assert.equal(succeeded, 2);
  assert.equal((error as Error).message, 'quota');
});
