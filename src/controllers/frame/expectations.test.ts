import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '#testing';
import { Expectations } from './expectations.ts';

test('creations are expected until each was seen or failed', () => {
  const expectations = new Expectations(new VirtualClock());
  assert.equal(expectations.satisfied('set'), true);
  expectations.expectCreations('set', 2);
  expectations.creationObserved('set');
  assert.equal(expectations.satisfied('set'), false);
  expectations.creationObserved('set');
  assert.equal(expectations.satisfied('set'), true);
});

test('a deletion seen twice, as marked and as gone, counts once', () => {
  const expectations = new Expectations(new VirtualClock());
  expectations.expectDeletions('set', ['a', 'b']);
  expectations.deletionObserved('set', 'a');
  expectations.deletionObserved('set', 'a');
  assert.equal(expectations.satisfied('set'), false);
  expectations.deletionObserved('set', 'b');
  assert.equal(expectations.satisfied('set'), true);
});

test('what never comes is no longer expected after five minutes', async () => {
  const clock = new VirtualClock();
  const expectations = new Expectations(clock);
  expectations.expectCreations('set', 1);
  await clock.advance(300_000);
  assert.equal(expectations.satisfied('set'), false);
  await clock.advance(1);
  assert.equal(expectations.satisfied('set'), true);
});
