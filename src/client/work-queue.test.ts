import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '#testing';
import { createWorkQueue } from './work-queue.ts';

test('a key added twice while it waits is handed out once', async () => {
  const queue = createWorkQueue({ clock: new VirtualClock(), name: 'test' });
  queue.add('a');
  queue.add('b');
  queue.add('a');
  assert.equal(queue.length, 2);
  assert.equal(await queue.get(), 'a');
  assert.equal(await queue.get(), 'b');
  assert.equal(queue.length, 0);
});

test('a key added while it is worked on runs again after it is done, not before', async () => {
  const queue = createWorkQueue({ clock: new VirtualClock(), name: 'test' });
  queue.add('a');
  assert.equal(await queue.get(), 'a');
  queue.add('a');
  queue.add('a');
  assert.equal(queue.length, 0);
  queue.done('a');
  assert.equal(queue.length, 1);
  assert.equal(await queue.get(), 'a');
  queue.done('a');
  assert.equal(queue.length, 0);
});

test('of several delays for a key the earliest counts', async () => {
  const clock = new VirtualClock();
  const queue = createWorkQueue({ clock, name: 'test' });
  queue.addAfter('a', 50);
  queue.addAfter('a', 20);
  queue.addAfter('a', 80);
  await clock.advance(19);
  assert.equal(queue.length, 0);
  await clock.advance(1);
  assert.equal(await queue.get(), 'a');
  queue.done('a');
  await clock.advance(100);
  assert.equal(queue.length, 0);
});

test('rate-limited retries double from 5 ms and start over after forget', async () => {
  const clock = new VirtualClock();
  const queue = createWorkQueue({ clock, name: 'test' });
  for (const delayMs of [5, 10, 20, 40]) {
    queue.addRateLimited('a');
    await clock.advance(delayMs - 1);
    assert.equal(queue.length, 0);
    await clock.advance(1);
    assert.equal(await queue.get(), 'a');
    queue.done('a');
  }
  assert.equal(queue.retries('a'), 4);
  queue.forget('a');
  queue.addRateLimited('a');
  await clock.advance(5);
  assert.equal(queue.length, 1);
});

test('retries never wait longer than 1000 s', async () => {
  const clock = new VirtualClock();
  const queue = createWorkQueue({ clock, name: 'test' });
  for (let i = 0; i < 30; i++) {
    queue.addRateLimited('a');
    await clock.advance(1_000_000);
    assert.equal(await queue.get(), 'a');
    queue.done('a');
  }
});

test('get waits for a key and rejects when aborted', async () => {
  const queue = createWorkQueue({ clock: new VirtualClock(), name: 'test' });
  const stop = new AbortController();
  const aborted = queue.get({ signal: stop.signal });
  const waiting = queue.get();
  stop.abort(new Error('stopped'));
  await assert.rejects(aborted, /stopped/);
  queue.add('a');
  assert.equal(await waiting, 'a');
});

test('after shutDown what waits is still handed out, then undefined', async () => {
  const clock = new VirtualClock();
  const queue = createWorkQueue({ clock, name: 'test' });
  queue.add('a');
  queue.addAfter('delayed', 10);
  queue.shutDown();
  queue.add('late');
  assert.equal(await queue.get(), 'a');
  assert.equal(await queue.get(), undefined);
  assert.equal(clock.pendingTimers, 0);
});
