import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '#testing';
import { testPod } from '../pods/pod.fixture.ts';
import { TerminationOrder } from './termination-order.ts';

const pod = testPod({
  initContainers: [
    { name: 'first', restartPolicy: 'Always' },
    { name: 'plain' },
    { name: 'second', restartPolicy: 'Always' },
  ],
});

test('Sidecars are stopped after the regular containers, in the reverse order they came up', async () => {
  const clock = new VirtualClock();
  const order = new TerminationOrder(clock, pod, new Set(['app', 'first', 'second']));
  const done: string[] = [];
  const stop = async (name: string): Promise<void> => {
    await order.turn(name, 60_000);
    await clock.sleep(1000);
    done.push(name);
    order.ended(name);
  };
  const all = Promise.all(['first', 'second', 'app'].map(stop));
  await clock.advance(5000);
  await all;
  assert.deepEqual(done, ['app', 'second', 'first']);
});

test('Nobody waits longer than the grace period', async () => {
  const clock = new VirtualClock();
  const order = new TerminationOrder(clock, pod, new Set(['app', 'first']));
  const waited = order.turn('first', 5000);
  await clock.advance(5000);
  assert.equal(await waited, 5000);
});

test('Nobody waits for containers that do not run', async () => {
  const order = new TerminationOrder(new VirtualClock(), pod, new Set(['first']));
  assert.equal(await order.turn('first', 5000), 0);
});
