import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CacheEvent } from './cache-event.ts';
import { EventRing } from './event-ring.ts';

const revisionsAfter = (ring: EventRing, revision: number): readonly number[] =>
  ring.after(revision).map((event) => event.revision);

test('a ring holds the last events and says from which revision on it is complete', () => {
  const ring = new EventRing(10, 3);
  for (const revision of [11, 13, 14]) ring.push(new CacheEvent(revision, undefined, undefined));
  assert.equal(ring.floor, 10);
  assert.deepEqual(revisionsAfter(ring, 10), [11, 13, 14]);
  assert.deepEqual(revisionsAfter(ring, 12), [13, 14]);
  ring.push(new CacheEvent(20, undefined, undefined));
  ring.push(new CacheEvent(21, undefined, undefined));
  assert.equal(ring.floor, 13, 'the event of revision 13 is forgotten');
  assert.deepEqual(revisionsAfter(ring, 13), [14, 20, 21]);
  assert.deepEqual(revisionsAfter(ring, 21), []);
});
