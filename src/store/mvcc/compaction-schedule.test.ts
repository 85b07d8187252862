import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '#testing';
import { createMemoryStore } from '../memory/memory-store.ts';
import { CompactedError } from '../store.ts';
import type { Revision, Store } from '../store.ts';

const MINUTE_MS = 60_000;

async function write(store: Store, key: string): Promise<Revision> {
  const { revision } = await store.transact({
    compare: [],
    writes: [{ type: 'put', key, value: Buffer.from('x') }],
  });
  return revision;
}

async function isHeld(store: Store, revision: Revision): Promise<boolean> {
  try {
    await store.get('a', { revision });
    return true;
  } catch (error) {
    if (error instanceof CompactedError) return false;
    throw error;
  }
}

test('history older than five minutes is forgotten within ten', async () => {
  const clock = new VirtualClock();
  const store = createMemoryStore({ clock });
  const first = await write(store, 'a');
  await clock.advance(4 * MINUTE_MS);
  const second = await write(store, 'a');
  await clock.advance(5 * MINUTE_MS);
  assert.deepEqual([await isHeld(store, first), await isHeld(store, second)], [true, true]);
  await clock.advance(1 * MINUTE_MS);
  assert.deepEqual([await isHeld(store, first), await isHeld(store, second)], [false, true]);
  assert.equal((await store.get('a'))?.modRevision, second);
});

test('a store nobody writes to holds no timer', async () => {
  const clock = new VirtualClock();
  const store = createMemoryStore({ clock });
  assert.equal(clock.pendingTimers, 0);
  await write(store, 'a');
  await write(store, 'a');
  assert.equal(clock.pendingTimers, 1);
  await clock.advance(30 * MINUTE_MS);
  assert.equal(clock.pendingTimers, 0);
  await write(store, 'a');
  await store.close();
  assert.equal(clock.pendingTimers, 0);
});

test('more events than the limit are forgotten at once, the oldest first', async () => {
  const store = createMemoryStore({ clock: new VirtualClock(), maxHistoryEvents: 100 });
  const first = await write(store, 'a');
  for (let at = 1; at < 100; at++) await write(store, `k${at % 7}`);
  assert.equal(await isHeld(store, first), true);
  const last = await write(store, 'b');
  assert.equal(await isHeld(store, first), false);
  assert.equal(await isHeld(store, last - 80), true);
});
