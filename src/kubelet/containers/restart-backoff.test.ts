import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '#testing';
import { RestartBackoff } from './restart-backoff.ts';

test('Pauses double from ten seconds to five minutes', async () => {
  const clock = new VirtualClock();
  const backoff = new RestartBackoff(clock);
  const delays: number[] = [];
  for (let i = 0; i < 7; i++) {
    backoff.next('a', clock.now());
    delays.push(backoff.delayMs('a') / 1000);
    await clock.advance(backoff.delayMs('a'));
  }
  assert.deepEqual(delays, [10, 20, 40, 80, 160, 300, 300]);
});

test('The first failure is not held up, the second one is', async () => {
  const clock = new VirtualClock();
  const backoff = new RestartBackoff(clock);
  assert.equal(backoff.remainingMs('a', clock.now()), 0);
  backoff.next('a', clock.now());
  await clock.advance(3000);
  assert.equal(backoff.remainingMs('a', clock.now()), 10_000);
  await clock.advance(4000);
  assert.equal(backoff.remainingMs('a', clock.now() - 4000), 6000);
});

test('Ten quiet minutes are enough to start over', async () => {
  const clock = new VirtualClock();
  const backoff = new RestartBackoff(clock);
  for (let i = 0; i < 4; i++) backoff.next('a', clock.now());
  await clock.advance(600_001);
  assert.equal(backoff.remainingMs('a', clock.now()), 0);
  backoff.next('a', clock.now());
  assert.equal(backoff.delayMs('a'), 10_000);
});
