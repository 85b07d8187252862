import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { coreV1 } from '#api';
import { VirtualClock } from '#testing';
import type { ClusterEvent, SchedulerPlugin } from './framework.ts';
import { node, pod } from './objects.fixture.ts';
import { schedulingGates } from './plugins/scheduling-gates.ts';
import { type QueuedPod, SchedulingQueue } from './queue.ts';

const NODE_ADDED: ClusterEvent = { type: 'node-added', node: node('n') };
const POD_DELETED: ClusterEvent = { type: 'assigned-pod-deleted', pod: pod('gone') };

/** Says that only new nodes help. */
const fussy: SchedulerPlugin = { name: 'Fussy', mayHelp: (event) => event.type === 'node-added' };

function setUp() {
  const clock = new VirtualClock();
  let calls = 0;
  const queue = new SchedulingQueue({
    clock,
    plugins: [schedulingGates, fussy],
    onReady: () => {
      calls++;
    },
  });
  const add = (one: coreV1.Pod): void => queue.add(one, one.metadata.name);
  const take = (): QueuedPod => {
    const next = queue.next();
    assert.ok(next !== undefined);
    return next;
  };
  const drain = (): readonly string[] => {
    const names: string[] = [];
    for (let next = queue.next(); next !== undefined; next = queue.next()) names.push(next.key);
    return names;
  };
  return { clock, queue, add, take, drain, readyCalls: () => calls };
}

test('the highest priority comes first, among equals the one that waited longest', () => {
  const { add, drain } = setUp();
  add(pod('low-1'));
  add(pod('high', { priority: 10 }));
  add(pod('low-2'));
  add(pod('negative', { priority: -1 }));
  assert.deepEqual(drain(), ['high', 'low-1', 'low-2', 'negative']);
});

test('a pod that was rejected waits for an event that its plugins say may help', () => {
  const { queue, add, take, readyCalls } = setUp();
  add(pod('a'));
  queue.rejected(take(), ['Fussy']);
  queue.onEvent(POD_DELETED);
  assert.equal(queue.placeOf('a'), 'unschedulable');
  assert.equal(queue.next(), undefined);
  const before = readyCalls();
  queue.onEvent(NODE_ADDED);
  assert.equal(queue.placeOf('a'), 'backoff');
  assert.equal(readyCalls(), before + 1);
});

test('an idle scheduler takes pods out of backoff early, a busy one takes others first', () => {
  const { queue, add, take, drain } = setUp();
  add(pod('a', { priority: 100 }));
  queue.rejected(take(), ['Fussy']);
  queue.onEvent(NODE_ADDED);
  add(pod('b'));
  assert.deepEqual(drain(), ['b', 'a']);
});

test('the delay doubles from one second to ten, counted from the failure', async () => {
  const { clock, queue, add, take } = setUp();
  add(pod('a'));
  for (const delayMs of [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]) {
    queue.rejected(take(), ['Fussy']);
    await clock.advance(delayMs - 1);
    queue.onEvent(NODE_ADDED);
    assert.equal(queue.placeOf('a'), 'backoff');
    await clock.advance(1);
    assert.equal(queue.placeOf('a'), 'active');
  }
});

test('an event after the delay lets a pod go at once', async () => {
  const { clock, queue, add, take } = setUp();
  add(pod('a'));
  queue.rejected(take(), ['Fussy']);
  await clock.advance(1_000);
  queue.onEvent(NODE_ADDED);
  assert.equal(queue.placeOf('a'), 'active');
});

test('after an error the delay holds even when there is nothing else to do', async () => {
  const { clock, queue, add, take } = setUp();
  add(pod('a'));
  queue.failed(take());
  assert.equal(queue.next(), undefined);
  await clock.advance(999);
  assert.equal(queue.next(), undefined);
  await clock.advance(1);
  assert.equal(take().key, 'a');
});

test('errors and rejections are counted apart', async () => {
  const { clock, queue, add, take } = setUp();
  add(pod('a'));
  queue.failed(take());
  await clock.advance(1_000);
  queue.failed(take());
  await clock.advance(1_999);
  assert.equal(queue.next(), undefined);
  await clock.advance(1);
  queue.rejected(take(), ['Fussy']);
  queue.onEvent(NODE_ADDED);
  const again = take();
  assert.deepEqual([again.rejections, again.errors], [1, 0]);
});

test('a pod nobody helped is tried again after five minutes', async () => {
  const { clock, queue, add, take } = setUp();
  add(pod('a'));
  queue.rejected(take(), ['Fussy']);
  await clock.advance(5 * 60_000 - 1);
  assert.equal(queue.placeOf('a'), 'unschedulable');
  await clock.advance(1);
  assert.equal(queue.placeOf('a'), 'active');
});

test('a gated pod is not tried until its gates are gone', () => {
  const { queue, add, drain } = setUp();
  add(pod('a', { spec: { schedulingGates: [{ name: 'quota' }] } }));
  queue.onEvent(NODE_ADDED);
  assert.deepEqual([queue.placeOf('a'), drain()], ['gated', []]);
  queue.update(pod('a', { spec: { schedulingGates: [{ name: 'other' }] } }), 'a', true);
  assert.equal(queue.placeOf('a'), 'gated');
  queue.update(pod('a'), 'a', true);
  assert.deepEqual(drain(), ['a']);
});

test('an unschedulable pod is tried again when its own shape changes, not for every change', () => {
  const { queue, add, take } = setUp();
  add(pod('a'));
  queue.rejected(take(), ['Fussy']);
  queue.update(pod('a', { labels: { seen: 'yes' } }), 'a', false);
  assert.equal(queue.placeOf('a'), 'unschedulable');
  queue.update(pod('a', { requests: { cpu: '1m' } }), 'a', true);
  assert.deepEqual(take().pod.spec.containers[0]?.resources?.requests, { cpu: '1m' });
});

test('an update keeps the place in line and hands out the newest state', () => {
  const { queue, add, take } = setUp();
  add(pod('a'));
  add(pod('b'));
  queue.update(pod('a', { labels: { version: '2' } }), 'a', false);
  const first = take();
  assert.deepEqual([first.key, first.pod.metadata.labels], ['a', { version: '2' }]);
});

test('an update of a pod that is in no place adds it', () => {
  const { queue, drain } = setUp();
  queue.update(pod('a'), 'a', false);
  assert.deepEqual(drain(), ['a']);
});

test('a removed pod does not come back, from wherever it was', async () => {
  const { clock, queue, add, take, drain } = setUp();
  for (const name of ['active', 'parked', 'error']) {
    add(pod(name));
    if (name === 'parked') queue.rejected(take(), ['Fussy']);
    if (name === 'error') queue.failed(take());
    if (name === 'active') queue.remove(name);
  }
  for (const name of ['parked', 'error']) queue.remove(name);
  queue.onEvent(NODE_ADDED);
  await clock.advance(10 * 60_000);
  assert.deepEqual([drain(), queue.size, clock.pendingTimers], [[], 0, 0]);
});

test('only those concerned are let go', () => {
  const { queue, add, take } = setUp();
  for (const name of ['a', 'b']) {
    add(pod(name));
    queue.rejected(take(), ['Fussy']);
  }
  queue.onEvent(NODE_ADDED, ({ metadata }) => metadata.name === 'b');
  assert.deepEqual([queue.placeOf('a'), queue.placeOf('b')], ['unschedulable', 'backoff']);
});

test('a pod put back was not tried: it waits without losing anything', () => {
  const { queue, add, take } = setUp();
  add(pod('a'));
  queue.putBack(take());
  assert.equal(queue.next(), undefined);
  queue.retry('a');
  assert.equal(take().rejections, 0);
});

test('a retry after an error pauses first', async () => {
  const { clock, queue, add, take } = setUp();
  add(pod('a'));
  queue.rejected(take(), ['Fussy']);
  queue.retry('a', 'error');
  assert.equal(queue.next(), undefined);
  await clock.advance(1_000);
  assert.equal(take().key, 'a');
});

test('pods come out in order however they went in and whoever left in between', () => {
  const { queue, add, drain } = setUp();
  const priorities = [5, 3, 9, 1, 7, 3, 8, 2, 6, 4];
  for (const [i, priority] of priorities.entries()) add(pod(`p${i}`, { priority }));
  queue.remove('p2');
  queue.remove('p3');
  queue.update(pod('p7', { priority: 20 }), 'p7', false);
  assert.deepEqual(drain(), ['p7', 'p6', 'p4', 'p8', 'p0', 'p9', 'p1', 'p5']);
});

test('closing it leaves no timer', () => {
  const { clock, queue, add, take } = setUp();
  for (const name of ['a', 'b']) {
    add(pod(name));
    if (name === 'a') queue.rejected(take(), ['Fussy']);
    else queue.failed(take());
  }
  queue.close();
  assert.equal(clock.pendingTimers, 0);
});
