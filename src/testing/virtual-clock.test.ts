import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from './virtual-clock.ts';

test('timers run at their own moment, in order of time and then of setting', async () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  const note = (name: string) => () => seen.push(`${name}@${clock.monotonic()}`);
  clock.setTimer(20, note('b'));
  clock.setTimer(10, note('a'));
  clock.setTimer(20, note('c'));
  clock.setTimer(31, note('later'));
  await clock.advance(30);
  assert.deepEqual(seen, ['a@10', 'b@20', 'c@20']);
  assert.equal(clock.monotonic(), 30);
  assert.equal(clock.pendingTimers, 1);
});

test('what a timer sets off is finished before the next one runs', async () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  clock.setTimer(10, () => {
    void (async () => {
      for (let i = 0; i < 50; i++) await Promise.resolve();
      seen.push('first');
    })();
  });
  clock.setTimer(11, () => seen.push('second'));
  await clock.advance(20);
  assert.deepEqual(seen, ['first', 'second']);
});

test('sleepers wake in the order of their deadlines, each able to sleep again within one advance', async () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  const run = async (name: string, stepMs: number): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      await clock.sleep(stepMs);
      seen.push(`${name}${clock.monotonic()}`);
    }
  };
  void run('a', 10);
  void run('b', 15);
  await clock.advance(45);
  assert.deepEqual(seen, ['a10', 'b15', 'a20', 'b30', 'a30', 'b45']);
});

test('an aborted sleep rejects with the reason and leaves no timer behind', async () => {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const sleeping = clock.sleep(1000, { signal: stop.signal });
  stop.abort(new Error('enough'));
  await assert.rejects(sleeping, /enough/);
  assert.equal(clock.pendingTimers, 0);
});

test('a cancelled timer does not run', async () => {
  const clock = new VirtualClock();
  let ran = false;
  const timer = clock.setTimer(5, () => {
    ran = true;
  });
  timer.cancel();
  timer.cancel();
  await clock.advance(10);
  assert.equal(ran, false);
});

test('time stands still while a probe reports work under way', async () => {
  const clock = new VirtualClock();
  let busy = true;
  const seen: string[] = [];
  clock.addBusyProbe(() => busy);
  clock.setTimer(1, () => seen.push('timer'));
  setTimeout(() => {
    seen.push('work done');
    busy = false;
  }, 20);
  await clock.advance(5);
  assert.deepEqual(seen, ['work done', 'timer']);
});

test('waitFor runs time just as far as the condition needs', async () => {
  const clock = new VirtualClock();
  let done = false;
  void clock.sleep(90_000).then(() => {
    done = true;
  });
  clock.setTimer(200_000, () => undefined);
  await clock.waitFor(() => done);
  assert.equal(clock.monotonic(), 90_000);
});

test('waitFor says so when nothing pending can make the condition true', async () => {
  await assert.rejects(
    new VirtualClock().waitFor(() => false),
    /waited for something that no pending timer can bring about/,
  );
});

test('waitFor gives up at its limit', async () => {
  const clock = new VirtualClock();
  const tick = (): void => void clock.setTimer(1000, tick);
  tick();
  await assert.rejects(
    clock.waitFor(() => false, { withinMs: 5000 }),
    /condition did not become true within 5000 ms/,
  );
});

test('wall time starts where it is told and moves with the clock', async () => {
  const clock = new VirtualClock({ startMs: Date.UTC(2030, 4, 5) });
  await clock.advance(1500);
  assert.equal(new Date(clock.now()).toISOString(), '2030-05-05T00:00:01.500Z');
});
